//! Super-blocks of 256 weights that are minus one, zero or one times a scale.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::numbers;
use crate::scalar::F16;

/// 256 ternary weights, five to a byte, one scale: `(digit - 1) * scale`. Upstream letters: `qs`, `qh`, `d`.
///
/// A byte `b` holds base-3 digits as a fraction: digit `n` is `((b * 3^n) % 256 * 3) / 256`.
/// Weights 0 to 159 are digit `e / 32` of byte `e % 32`; 160 to 239, with `f = e - 160`, digit `f / 16` of byte
/// `32 + f % 16`; from 240 on, with `f = e - 240`, digit `f / 4` of the last byte `f % 4`.
///
/// ```text
/// 0             48            52      54
/// | five_digits | four_digits | scale |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TQ1_0 {
    /// Five weights per byte.
    pub five_digits: [u8; 48],
    /// Four weights per byte.
    pub four_digits: [u8; 4],
    /// The magnitude of the weights that are not zero.
    pub scale: F16,
}
const _: () = assert!(size_of::<TQ1_0>() == 54);

/// 256 ternary weights, 2 bits each, one scale: `(quant - 1) * scale`. Upstream letters: `qs`, `d`.
///
/// ```text
/// 0                     64      66
/// | quants, planes of 2 | scale |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct TQ2_0 {
    /// The weights over the scale, plus 1.
    pub quants: [u8; 64],
    /// The magnitude of the weights that are not zero.
    pub scale: F16,
}
const _: () = assert!(size_of::<TQ2_0>() == 66);

numbers! {
    TQ1_0: scale;
    TQ2_0: scale;
}
