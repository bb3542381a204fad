//! Numbers side by side: one block per lane, all lanes doing the same.
//!
//! A search is sequential inside a block and independent across blocks. Written over [`Lanes`], it runs for as
//! many blocks at once as the machine has lanes, each lane through the very sequence of operations that one
//! block takes alone; the bytes cannot differ. Every operation here is an IEEE 754 operation rounded to nearest
//! even, lane by lane: nothing is contracted, reassociated or approximated. What would be a branch for one
//! block becomes a selection between two values.
//!
//! The vector types are private to this module. Generic code meets them only through [`dispatch`], which has
//! proved that the processor has them.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod blocks;
mod bytes;
mod cache_line;
mod gather;
mod isa;
mod look_up;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod operators;
mod pair;
mod peaks;
mod prefetch;
mod scalar;
mod stream;
mod sums;
#[cfg(test)]
mod tests;
mod tile;
mod unpack;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

pub(crate) use blocks::Blocks;
pub(crate) use cache_line::{LINE, Lines, before_lines};
pub(crate) use gather::Gather;
pub use isa::Isa;
pub(crate) use isa::{Kernel, dispatch};
pub(crate) use look_up::LookUp;
pub(crate) use pair::Pair;
pub(crate) use peaks::Peaks;
pub(crate) use prefetch::prefetch;
pub(crate) use stream::make_past_caches;
pub(crate) use sums::{squares, sum, sum_of_squares};
pub(crate) use tile::{CodeTile, LANE_NUMBERS, Tile, numbers};
pub(crate) use unpack::Unpack;

/// The most lanes that one register has.
pub(crate) const MAX_WIDTH: usize = 16;

/// As many `f32` as the machine handles at once.
pub(crate) trait Lanes:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + Gather
    + LookUp
    + Peaks
    + Unpack
{
    /// The number of lanes.
    const WIDTH: usize;
    /// The lanes for rows that are often too short for all: half as many, if that halves the work.
    type Short: Lanes;
    /// A yes or no per lane.
    type Mask: Copy + BitAnd<Output = Self::Mask> + BitOr<Output = Self::Mask> + Not<Output = Self::Mask>;

    /// The same number in every lane.
    fn splat(number: f32) -> Self;
    /// Lane `i` holds `numbers[i]`; there are at least `WIDTH`.
    fn load(numbers: &[f32]) -> Self;
    /// Puts lane `i` into `numbers[i]`; there is room for `WIDTH`.
    fn store(self, numbers: &mut [f32]);
    /// [`Self::store`] to memory past the caches, where the processor can; `numbers` lie at a multiple of the
    /// register's bytes.
    #[inline(always)]
    fn store_past_caches(self, numbers: &mut [f32]) {
        self.store(numbers);
    }
    /// Puts lane `i`, a whole number from 0 to 255, into `codes[i]`; there is room for `WIDTH`.
    fn store_codes(self, codes: &mut [u8]);
    /// Cuts lane `i` towards zero and puts its low eight bits into `bytes[i]`; see
    /// [`truncate`](crate::primitives::truncate).
    fn store_truncated(self, bytes: &mut [u8]);
    /// Cuts the lanes, numbers from 0 to below 16, towards zero, and puts those of `low` into the low nibbles of
    /// `bytes`, those of `high` into the high ones; there is room for `WIDTH`.
    fn store_nibbles(low: Self, high: Self, bytes: &mut [u8]);
    /// Lane `i` holds [`F16::to_f32`](briq_format::scalar::F16::to_f32) of the bits `halves[i]`.
    fn load_halves(halves: &[u16]) -> Self;
    /// Puts the bits of [`F16::from_f32`](briq_format::scalar::F16::from_f32) of lane `i` into `halves[i]`.
    fn store_halves(self, halves: &mut [u16]);

    fn abs(self) -> Self;
    /// The same magnitude with the sign of `sign`.
    fn copy_sign(self, sign: Self) -> Self;
    /// The correctly rounded root.
    fn sqrt(self) -> Self;
    /// Less than; false where either side is NaN.
    fn lt(self, other: Self) -> Self::Mask;
    /// Equal; false where either side is NaN.
    fn eq(self, other: Self) -> Self::Mask;
    /// This number where it is greater, `other` elsewhere: also where they are equal, or one is NaN.
    fn if_greater(self, other: Self) -> Self;
    /// This number where it is less, `other` elsewhere: also where they are equal, or one is NaN.
    fn if_less(self, other: Self) -> Self;
    /// `yes` where the mask is set, `no` elsewhere.
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self;
    /// Lane `i` is set where bit `i` of `bits` is.
    fn mask(bits: u32) -> Self::Mask;
    /// Whether the mask is set anywhere.
    fn any(mask: Self::Mask) -> bool;
    /// A bit per lane, the first lowest.
    fn bits(mask: Self::Mask) -> u32;

    /// [`round_even`](crate::primitives::round_even), limited to `low..=high`. The limits are whole numbers of
    /// magnitude below 2^22.
    fn round_even_within(self, low: f32, high: f32) -> Self;
    /// The nearest whole number, ties to even, for magnitudes below 2^22. Zero may come with either sign.
    fn round_ordinary(self) -> Self;
    /// The smaller one; the limits are above zero, and no lane NaN.
    fn at_most(self, limits: Self) -> Self;
    /// The larger one; the limits are at most zero, and no lane NaN. Zero may come with either sign.
    fn at_least(self, limits: Self) -> Self;
    /// The low eight bits of [`round_even`](crate::primitives::round_even), as a number from 0 to 255.
    fn round_even_to_byte(self) -> Self;

    /// Greater than; false where either side is NaN.
    #[inline(always)]
    fn gt(self, other: Self) -> Self::Mask {
        other.lt(self)
    }

    /// Zero in every lane.
    #[inline(always)]
    fn zero() -> Self {
        Self::splat(0.0)
    }
}
