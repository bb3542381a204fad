//! The scales of sub-blocks: odd numbers, of which four bits are stored.

use crate::simd::Simd;

/// Each nibble twice.
#[inline(always)]
pub(super) fn nibbles_twice(bytes: [u8; 4]) -> [u8; 8] {
    // Bytes are moved apart, each into the lower half of a word, and then their nibbles.
    let wide = u64::from(u32::from_le_bytes(bytes));
    let wide = (wide | wide << 16) & 0x0000_FFFF_0000_FFFF;
    let wide = (wide | wide << 8) & 0x00FF_00FF_00FF_00FF;
    let nibbles = (wide | wide << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    (nibbles | nibbles << 4).to_le_bytes()
}

/// Nibble `i` of some bytes, doubled and with 1 added.
#[inline(always)]
pub(super) fn odd(bytes: &[u8], i: usize) -> i8 {
    (bytes[i / 2] >> (4 * (i % 2)) & 15).cast_signed() * 2 + 1
}

/// The scales of each 16 weights, from nibbles, as [`nibble_scales`] gives them.
pub(super) fn odd_scales(bytes: &[u8; 8]) -> [i8; 16] {
    let mut scales = [0; 16];
    for i in 0..16 {
        scales[i] = odd(bytes, i);
    }
    scales
}

/// The scales of each 16 weights, from eight numbers of which the upper four bits belong to 32.
#[inline(always)]
pub(super) fn upper_scales<S: Simd>(simd: S, numbers: S::Ints) -> S::Ints {
    let doubled = simd.and(simd.shift_right_ints::<27>(numbers), simd.splat_int(0x1E));
    odd_words(simd, simd.or(doubled, simd.shift_left_ints::<16>(doubled)))
}

/// One more than each word, of which none is odd.
#[inline(always)]
pub(super) fn odd_words<S: Simd>(simd: S, even: S::Ints) -> S::Ints {
    simd.or(even, simd.splat_word(1))
}

/// The scales of each 16 weights, from nibbles.
#[inline(always)]
pub(super) fn nibble_scales<S: Simd>(simd: S, nibbles: [u8; 8]) -> S::Ints {
    let halved = simd.nibble_words(nibbles);
    odd_words(simd, simd.add_words(halved, halved))
}
