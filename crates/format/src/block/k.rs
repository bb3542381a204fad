//! Super-blocks of 256 weights with quantized scales for their sub-blocks.
//!
//! The placements of quants (planes of 4, 2 and 1 bits) are stated in the parent module.

use zerocopy::little_endian::{F32, I16};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::numbers;
use crate::scalar::F16;

/// 256 weights, 2 bits each; per 16 a 4-bit scale and a 4-bit minimum:
/// `scale * s * quant - minimum * m`. Upstream letters: `scales`, `qs`, `d`, `dmin`.
///
/// ```text
/// 0                     16                      80      82        84
/// | scales_and_minimums | quants, planes of 2   | scale | minimum |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q2_K {
    /// Per sub-block: the scale in the low nibble, the minimum in the high one.
    pub scales_and_minimums: [u8; 16],
    /// Steps above the minimum.
    pub quants: [u8; 64],
    /// Weight per step and unit of a sub-block's scale.
    pub scale: F16,
    /// Weight per unit of a sub-block's minimum; subtracted.
    pub minimum: F16,
}
const _: () = assert!(size_of::<Q2_K>() == 84);

/// 256 weights, 3 bits each; per 16 a 6-bit scale: `scale * (s - 32) * (quant - 4)`.
/// Upstream letters: `hmask`, `qs`, `scales`, `d`.
///
/// Scale `g` has its low four bits in the low nibble of `scales[g]` for `g < 8`, in the high nibble of
/// `scales[g - 8]` from there on; its high two bits in `scales[8 + g % 4]` from bit `2 (g / 4)`.
///
/// ```text
/// 0                      32                      96       108     110
/// | high_bits, planes of 1 | low_bits, planes of 2 | scales | scale |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q3_K {
    /// The third bit of every weight.
    pub high_bits: [u8; 32],
    /// The lower two bits of the weights in steps, plus 4.
    pub low_bits: [u8; 64],
    /// Sixteen scales of 6 bits, plus 32.
    pub scales: [u8; 12],
    /// Weight per step and unit of a sub-block's scale.
    pub scale: F16,
}
const _: () = assert!(size_of::<Q3_K>() == 110);

/// 256 weights, 4 bits each; per 32 a 6-bit scale and minimum: `scale * s * quant - minimum * m`.
/// Upstream letters: `d`, `dmin`, `scales`, `qs`.
///
/// Of the eight scales and minimums the first four lie in the low 6 bits of bytes 0 to 3 and 4 to 7. The others
/// have their low nibbles in bytes 8 to 11, scale low and minimum high, and their two high bits on top of bytes
/// 0 to 3 (scales) and 4 to 7 (minimums).
///
/// ```text
/// 0       2         4                     16                    144
/// | scale | minimum | scales_and_minimums | quants, planes of 4 |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q4_K {
    /// Weight per step and unit of a sub-block's scale.
    pub scale: F16,
    /// Weight per unit of a sub-block's minimum; subtracted.
    pub minimum: F16,
    /// Eight scales and eight minimums of 6 bits.
    pub scales_and_minimums: [u8; 12],
    /// Steps above the minimum.
    pub quants: [u8; 128],
}
const _: () = assert!(size_of::<Q4_K>() == 144);

/// 256 weights, 5 bits each; per 32 a 6-bit scale and minimum, as in [`Q4_K`].
/// Upstream letters: `d`, `dmin`, `scales`, `qh`, `qs`.
///
/// ```text
/// 0       2         4                     16                       48                      176
/// | scale | minimum | scales_and_minimums | high_bits, planes of 1 | low_bits, planes of 4 |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q5_K {
    /// Weight per step and unit of a sub-block's scale.
    pub scale: F16,
    /// Weight per unit of a sub-block's minimum; subtracted.
    pub minimum: F16,
    /// Eight scales and eight minimums of 6 bits, packed as in [`Q4_K`].
    pub scales_and_minimums: [u8; 12],
    /// The fifth bit of every weight.
    pub high_bits: [u8; 32],
    /// The lower four bits of the steps above the minimum.
    pub low_bits: [u8; 128],
}
const _: () = assert!(size_of::<Q5_K>() == 176);

/// 256 weights, 6 bits each; per 16 a signed 8-bit scale: `scale * s * (quant - 32)`.
/// Upstream letters: `ql`, `qh`, `scales`, `d`.
///
/// For element `e` with `h = e / 128`, `t = e % 128 / 32`, `l = e % 32`: the low bits are in byte
/// `64 h + 32 (t % 2) + l`, low nibble if `t < 2`, else high; the high bits are a plane of 2.
///
/// ```text
/// 0          128                      192      208     210
/// | low_bits | high_bits, planes of 2 | scales | scale |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q6_K {
    /// The lower four bits of the weights in steps, plus 32.
    pub low_bits: [u8; 128],
    /// The upper two bits.
    pub high_bits: [u8; 64],
    /// A scale per sub-block of 16.
    pub scales: [i8; 16],
    /// Weight per step and unit of a sub-block's scale.
    pub scale: F16,
}
const _: () = assert!(size_of::<Q6_K>() == 210);

/// 256 activations, 8 bits each: the partner of the super-blocks in dot products. Upstream letters: `d`, `qs`, `bsums`.
///
/// ```text
/// 0       4                     260    292
/// | scale | quants: i at byte i | sums |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q8_K {
    /// Activation per step.
    pub scale: F32,
    /// The activations in steps.
    pub quants: [i8; 256],
    /// The sum of each 16 quants.
    pub sums: [I16; 16],
}
const _: () = assert!(size_of::<Q8_K>() == 292);

numbers! {
    Q2_K: scale, minimum;
    Q3_K: scale;
    Q4_K: scale, minimum;
    Q5_K: scale, minimum;
    Q6_K: scale;
    Q8_K: scale, sums;
}
