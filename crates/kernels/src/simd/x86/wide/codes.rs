//! Super-blocks of 256 codes: what a scale of each 16 or 32 weights, or one of all, is multiplied with.

use std::arch::x86_64::*;

use super::super::avx512::{moved, scale_of};
use super::super::indices::NONE;
use super::super::instructions::{of_two, onto};
use super::{float_everywhere, halved, load, permuted_bytes};
use crate::simd::Bits;

/// As [`Simd::add_codes`](crate::simd::Simd::add_codes), with scales that are already where the sums are.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,gfni")]
pub(in super::super) fn add_codes(
    sum: &mut __m512,
    ints: __m256i,
    bits: Bits<'_>,
    scales: Option<[__m512i; 2]>,
    signed: &[i8; 256],
    by: &f32,
) {
    let (codes, signed) = (codes(bits), signed.as_chunks::<64>().0);
    let mut products = _mm512_zextsi256_si512(ints);
    if let Some(scales) = scales {
        for half in 0..2 {
            let (a, b) = (2 * half, 2 * half + 1);
            // Four products of 63 and 127 fit a word.
            let first = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes[a], load(&signed[a]));
            let last = _mm512_dpbusd_epi32(_mm512_setzero_si512(), codes[b], load(&signed[b]));
            products = multiply_and_sum(products, _mm512_packs_epi32(first, last), scales[half]);
        }
    } else {
        for i in 0..4 {
            products = _mm512_dpbusd_epi32(products, codes[i], load(&signed[i]));
        }
    }
    *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), float_everywhere(by), *sum);
}

/// The codes of a super-block.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,gfni")]
fn codes(bits: Bits<'_>) -> [__m512i; 4] {
    match bits {
        Bits::Twos(twos) => pairs(twos, 0),
        Bits::Threes(twos, high) => with(pairs(twos, 0), single(high, 2)),
        Bits::Fours(fours) => nibbles(fours),
        Bits::Fives(fours, high) => with(nibbles(fours), single(high, 4)),
        Bits::Sixes(low, high) => {
            let (low, twos) = (low.as_chunks::<64>().0, pairs(high, 4));
            let [a, c] = [load(&low[0]), load(&low[1])];
            // What comes over from other bytes is masked.
            let [b, d] = [_mm512_srli_epi32::<4>(a), _mm512_srli_epi32::<4>(c)];
            with([a, b, c, d].map(|low| _mm512_and_si512(low, _mm512_set1_epi8(15))), twos)
        }
    }
}

/// Two bits of each code, as [`Bits::Twos`] says, moved to bit `to`.
#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn pairs(bytes: &[u8; 64], to: u32) -> [__m512i; 4] {
    let [first, last] = halved(bytes);
    let [first, last] = [twice(first), twice(last)];
    [two_runs(first, 0, 2, to), two_runs(first, 2, 2, to), two_runs(last, 0, 2, to), two_runs(last, 2, 2, to)]
}

/// A bit of each code, as [`Bits::Threes`] says, moved to bit `to`.
#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn single(bytes: &[u8; 32], to: u32) -> [__m512i; 4] {
    let bytes = twice(bytes);
    [
        two_runs(bytes, 0, 1, to),
        two_runs(bytes, 2, 1, to),
        two_runs(bytes, 4, 1, to),
        two_runs(bytes, 6, 1, to),
    ]
}

/// Four bits of each code, as [`Bits::Fours`] says.
#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn nibbles(bytes: &[u8; 128]) -> [__m512i; 4] {
    let bytes = bytes.as_chunks().0;
    let two_runs = |i: usize| two_runs(twice(&bytes[i]), 0, 4, 0);
    [two_runs(0), two_runs(1), two_runs(2), two_runs(3)]
}

/// Of 32 bytes that are there twice the bits of two runs, `count` for each code, moved to bit `to`.
#[inline]
#[target_feature(enable = "avx512f,gfni")]
fn two_runs(bytes: __m512i, run: u32, count: u32, to: u32) -> __m512i {
    let (a, b) =
        (moved(run * count, count, to).cast_signed(), moved((run + 1) * count, count, to).cast_signed());
    _mm512_gf2p8affine_epi64_epi8::<0>(bytes, _mm512_setr_epi64(a, a, a, a, b, b, b, b))
}

/// Codes with more of their bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn with(codes: [__m512i; 4], more: [__m512i; 4]) -> [__m512i; 4] {
    let mut codes = codes;
    for i in 0..4 {
        codes[i] = _mm512_or_si512(codes[i], more[i]);
    }
    codes
}

/// The scale of each 16 weights, of 16 words, where the sums of [`add_codes`] are.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
pub(in super::super) fn scales_of_sixteens(words: __m256i) -> [__m512i; 2] {
    let words = _mm512_castsi256_si512(words);
    [permuted_words(words, load(&SIXTEENS[0])), permuted_words(words, load(&SIXTEENS[1]))]
}

/// The scale of each 32 weights, where the sums of [`add_codes`] are, of scales and minimums taken apart.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi")]
pub(in super::super) fn scales_of_runs(numbers: __m128i) -> [__m512i; 2] {
    let numbers = _mm512_zextsi128_si512(numbers);
    [permuted_bytes(numbers, load(&RUNS[0])), permuted_bytes(numbers, load(&RUNS[1]))]
}

/// In a register of 64 bytes, where the first two runs of a half are packed with the last two, each four ints in turn:
/// the byte that becomes the word that is the scale of each 32 weights, for either half of a super-block.
static RUNS: [[u8; 64]; 2] = {
    let mut indices = [[NONE; 64]; 2];
    let mut i = 0;
    while i < 2 * 32 {
        let (half, second, last) = (i / 32, i / 16 % 2, i / 4 % 2);
        indices[half][i % 32 * 2] = scale_of(4 * half + 2 * last + second);
        i += 1;
    }
    indices
};

/// There, the word that is the scale of each 16 weights.
static SIXTEENS: [[i16; 32]; 2] = {
    let mut indices = [[0; 32]; 2];
    let mut i = 0;
    while i < 2 * 32 {
        let (half, sixteen, last) = (i / 32, i / 8 % 4, i / 4 % 2);
        indices[half][i % 32] = (8 * half + 4 * last + sixteen) as i16;
        i += 1;
    }
    indices
};

/// The same 32 bytes twice.
#[inline]
#[target_feature(enable = "avx512f")]
fn twice(bytes: &[u8; 32]) -> __m512i {
    // SAFETY: the reference covers 32 readable bytes; the feature is enabled.
    _mm512_broadcast_i64x4(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) })
}

of_two! {
    /// As [`permuted_words`](super::instructions::permuted_words).
    "avx512bw" fn permuted_words(words, indices: __m512i as zmm_reg) "vpermw {result}, {indices}, {words}"
}

onto! {
    /// As [`multiply_and_sum`](super::instructions::multiply_and_sum).
    "avx512f,avx512vnni" fn multiply_and_sum(ints, a, b: __m512i as zmm_reg) "vpdpwssd {ints}, {a}, {b}"
}
