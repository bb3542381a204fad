//! Points as decoders take them: an array per point, and for the IQ1 types weights right away.

use super::ternary::levels;
use crate::lanes::Lanes;
use crate::tables::{self, Packed};

/// What the digits of the three grids of the IQ2 types stand for, in eighths of a step.
pub(crate) const EIGHTHS: [u8; 3] = [8, 25, 43];

/// The points with the level of a digit in its place.
pub(crate) const fn points<const N: usize, const COUNT: usize, const LEVELS: usize>(
    packed: &[Packed; COUNT],
    levels: &[u8; LEVELS],
) -> [[u8; N]; COUNT] {
    let mut points = [[0; N]; COUNT];
    let mut index = 0;
    while index < COUNT {
        let mut i = 0;
        while i < N {
            points[index][i] = levels[digit::<N>(packed[index], i)];
            i += 1;
        }
        index += 1;
    }
    points
}

/// The points of the IQ1 types, as a table to look up.
pub(crate) static TERNARY: [Packed; 2048] = tables::IQ1;

/// The 16 weights of two points, whose levels may be shifted down.
#[inline(always)]
pub(crate) fn ternary<L: Lanes>(points: [Packed; 2], down: [bool; 2], step: L, weights: &mut [f32; 16]) {
    let digits = u64::from(points[0]) | u64::from(points[1]) << 16;
    let down = if down[0] { 0xFF } else { 0 } | if down[1] { 0xFF00 } else { 0 };
    // What stands for digit 0; the others are one and two above it. The sums are exact.
    let ([low, ..], [lower, ..]) = (levels(false), levels(true));
    for (run, weights) in weights.chunks_exact_mut(L::WIDTH).enumerate() {
        let first = run * L::WIDTH;
        let lowest = L::select(L::mask(down >> first), L::splat(lower), L::splat(low));
        (step * (L::from_bit_pairs(digits >> (2 * first)) + lowest)).store(weights);
    }
}

/// Digit `i` of a point of `N` digits.
#[inline(always)]
pub(super) const fn digit<const N: usize>(packed: Packed, i: usize) -> usize {
    let bits = bits_per_digit::<N>();
    packed as usize >> (i * bits) & ((1 << bits) - 1)
}

/// What the digits of points that have `N` count up to, plus 1.
pub(super) const fn base<const N: usize>() -> usize {
    if N == 8 { 3 } else { 8 }
}

/// The number that the digits of a point spell in their base, the first digit lowest.
#[inline(always)]
pub(super) const fn number<const N: usize>(packed: Packed) -> usize {
    let packed = packed as usize;
    if N == 4 {
        return packed;
    }
    // Neighbours are put together, then neighbours of these: 3 is the weight of a digit over the one before it, 9 that
    // of two, 81 that of four.
    let pairs = (packed & 0x3333) + 3 * (packed >> 2 & 0x3333);
    let fours = (pairs & 0x0F0F) + 9 * (pairs >> 4 & 0x0F0F);
    (fours & 0xFF) + 81 * (fours >> 8)
}

/// Bits of a digit of points that have `N`.
pub(super) const fn bits_per_digit<const N: usize>() -> usize {
    if N == 8 { 2 } else { 3 }
}
