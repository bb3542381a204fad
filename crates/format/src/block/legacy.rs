//! Blocks with one scale, or a scale and a minimum, for all their weights.
//!
//! Unless said otherwise 4-bit fields are placed in halves: byte `j` holds element `j` in its low nibble and
//! element `j + 16` in its high one.

use zerocopy::little_endian::U32;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::numbers;
use crate::scalar::F16;

/// 32 weights, 4 bits each, one scale: `(quant - 8) * scale`. Upstream letters: `d`, `qs`.
///
/// ```text
/// 0       2                                                 18
/// | scale | quants: i in the low nibbles, i + 16 in the high |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q4_0 {
    /// Weight per step.
    pub scale: F16,
    /// The weights in steps, plus 8.
    pub quants: [u8; 16],
}
const _: () = assert!(size_of::<Q4_0>() == 18);

/// 32 weights, 4 bits each, a scale and a minimum: `quant * scale + minimum`. Upstream letters: `d`, `m`, `qs`.
///
/// ```text
/// 0       2         4                                                 20
/// | scale | minimum | quants: i in the low nibbles, i + 16 in the high |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q4_1 {
    /// Weight per step.
    pub scale: F16,
    /// The weight of quant 0; added, not subtracted.
    pub minimum: F16,
    /// Steps above the minimum.
    pub quants: [u8; 16],
}
const _: () = assert!(size_of::<Q4_1>() == 20);

/// 32 weights, 5 bits each, one scale: `(quant - 16) * scale`. Upstream letters: `d`, `qh`, `qs`.
///
/// ```text
/// 0       2           6                                                     22
/// | scale | high_bits | low_bits: i in the low nibbles, i + 16 in the high |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q5_0 {
    /// Weight per step.
    pub scale: F16,
    /// Bit `i` is the fifth bit of weight `i`.
    pub high_bits: U32,
    /// The lower four bits of the weights in steps, plus 16.
    pub low_bits: [u8; 16],
}
const _: () = assert!(size_of::<Q5_0>() == 22);

/// 32 weights, 5 bits each, a scale and a minimum: `quant * scale + minimum`. Upstream letters: `d`, `m`, `qh`, `qs`.
///
/// ```text
/// 0       2         4           8                                                     24
/// | scale | minimum | high_bits | low_bits: i in the low nibbles, i + 16 in the high |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q5_1 {
    /// Weight per step.
    pub scale: F16,
    /// The weight of quant 0; added, not subtracted.
    pub minimum: F16,
    /// Bit `i` is the fifth bit of weight `i`.
    pub high_bits: U32,
    /// The lower four bits of the steps above the minimum.
    pub low_bits: [u8; 16],
}
const _: () = assert!(size_of::<Q5_1>() == 24);

/// 32 weights, 8 bits each, one scale: `quant * scale`. Upstream letters: `d`, `qs`.
///
/// ```text
/// 0       2                     34
/// | scale | quants: i at byte i |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q8_0 {
    /// Weight per step.
    pub scale: F16,
    /// The weights in steps.
    pub quants: [i8; 32],
}
const _: () = assert!(size_of::<Q8_0>() == 34);

/// 32 activations, 8 bits each: the partner of Q4_1 and Q5_1 in dot products. Upstream letters: `d`, `s`, `qs`.
///
/// ```text
/// 0       2            4                     36
/// | scale | scaled_sum | quants: i at byte i |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q8_1 {
    /// Activation per step.
    pub scale: F16,
    /// The sum of the quants times the scale as it was before rounding to 16 bits.
    pub scaled_sum: F16,
    /// The activations in steps.
    pub quants: [i8; 32],
}
const _: () = assert!(size_of::<Q8_1>() == 36);

/// 128 weights, a sign bit each, one scale: plus or minus `scale`. Upstream letters: `d`, `qs`.
///
/// ```text
/// 0       2                                       18
/// | scale | signs: i at byte i / 8, bit i % 8 |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q1_0 {
    /// The magnitude of every weight.
    pub scale: F16,
    /// A set bit is a positive weight.
    pub signs: [u8; 16],
}
const _: () = assert!(size_of::<Q1_0>() == 18);

/// 64 weights, 2 bits each, one scale: `(quant - 1) * scale`. Upstream letters: `d`, `qs`.
///
/// ```text
/// 0       2                                                18
/// | scale | quants: i at byte i / 4, bits 2 (i % 4) and +1 |
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Q2_0 {
    /// Weight per step.
    pub scale: F16,
    /// The weights in steps, plus 1.
    pub quants: [u8; 16],
}
const _: () = assert!(size_of::<Q2_0>() == 18);

numbers! {
    Q4_0: scale;
    Q4_1: scale, minimum;
    Q5_0: scale, high_bits;
    Q5_1: scale, minimum, high_bits;
    Q8_0: scale;
    Q8_1: scale, scaled_sum;
    Q1_0: scale;
    Q2_0: scale;
}
