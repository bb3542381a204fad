//! Blocks of 4-bit floats (E2M1: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives) with a small scale.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::numbers;

/// 32 weights, 4-bit floats; the scale is a power of two. Upstream letters: `e`, `qs`.
///
/// ```text
/// 0          1                                                17
/// | exponent | quants: i in the low nibbles, i + 16 in the high |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct MXFP4 {
    /// The scale is `2^(exponent - 127)`; 255 stands for no number.
    pub exponent: u8,
    /// E2M1 floats.
    pub quants: [u8; 16],
}
const _: () = assert!(size_of::<MXFP4>() == 17);

/// 64 weights, 4-bit floats; per 16 a scale that is an unsigned 8-bit float. Upstream letters: `d`, `qs`.
///
/// ```text
/// 0        4                                                                              36
/// | scales | quants: in 8 bytes per 16 weights i in the low nibbles, i + 8 in the high |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct NVFP4 {
    /// E4M3 floats without sign.
    pub scales: [u8; 4],
    /// E2M1 floats.
    pub quants: [u8; 32],
}
const _: () = assert!(size_of::<NVFP4>() == 36);

numbers! {
    MXFP4: ;
    NVFP4: ;
}
