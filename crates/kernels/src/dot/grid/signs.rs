//! The signs of the IQ2 and IQ3 types: a bit per weight, or seven for eight of which an even number is negative.

use crate::simd::Simd;

/// The sign bytes of four indices of 7 bits, from the low end on.
#[inline(always)]
pub(super) fn four_with_parity(indices: u32) -> u32 {
    let field = |i: u32| (indices & (0x7F << (7 * i))) << i;
    even(field(0) | field(1) | field(2) | field(3))
}

/// Sets the highest bit of the bytes in which the number of bits is odd; in none is it set.
#[inline(always)]
pub(super) fn even(bytes: u32) -> u32 {
    // Halves are folded over each other; what comes over from the next byte does not reach the lowest bit.
    let fold = bytes ^ bytes >> 4;
    let fold = fold ^ fold >> 2;
    let fold = fold ^ fold >> 1;
    bytes | (fold & 0x0101_0101) << 7
}

/// The sign bits of each 32 weights, from eight numbers with four indices of 7 bits.
#[inline(always)]
pub(super) fn all_with_parity<S: Simd>(simd: S, indices: S::Ints) -> S::Ints {
    let first = simd.and(indices, simd.splat_int(0x7F));
    let second = simd.shift_left_ints::<1>(simd.and(indices, simd.splat_int(0x7F << 7)));
    let third = simd.shift_left_ints::<2>(simd.and(indices, simd.splat_int(0x7F << 14)));
    let fourth = simd.shift_left_ints::<3>(simd.and(indices, simd.splat_int(0x7F << 21)));
    let bytes = simd.or(simd.or(first, second), simd.or(third, fourth));
    simd.made_even(bytes)
}

/// The signs of all runs, from 32 words whose upper seven bits are indices.
#[inline(always)]
pub(super) fn of_upper_sevens<S: Simd>(simd: S, words: &[[u8; 32]; 2]) -> S::Ints {
    let indices = simd.upper_sevens(simd.load(&words[0]), simd.load(&words[1]));
    simd.made_even(indices)
}
