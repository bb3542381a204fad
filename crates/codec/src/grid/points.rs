//! The points of a grid, one array per point.

use crate::tables::Packed;

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
