//! Eight blocks of 32 nibbles, each with a scale of its own.

use std::arch::x86_64::*;

use super::super::avx512::HIGH;
use super::super::common::load_16;
use super::{halved, load, load_signed, permuted_bytes};

/// As [`Simd::add_scaled_nibbles`](crate::simd::Simd::add_scaled_nibbles).
#[inline]
#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512vnni,avx512vbmi,gfni")]
pub(in super::super) fn add_scaled_nibbles(
    sum: &mut __m512,
    blocks: &[u8; 144],
    signed: &[i8; 256],
    zero_points: &[[i32; 16]; 2],
    scales: &[f32; 8],
) {
    let (lines, signed) = (blocks.as_chunks().0, signed.as_chunks::<64>().0);
    // The scales are in two lines, no two of them at the same place.
    let lines = [load(&lines[0]), load(&lines[1])];
    let headers = _mm512_mask_blend_epi16(LAST_SCALES, lines[0], lines[1]);
    let halves = _mm512_castsi512_si128(permuted_bytes(headers, load(&SCALES)));
    let scales = _mm256_mul_ps(_mm256_cvtph_ps(halves), load_eight(scales));
    for (i, four) in halved::<144, 72>(blocks).into_iter().enumerate() {
        // The last of four blocks goes on behind the line.
        let bytes = permuted_bytes(lines[i], load(&NIBBLES[i]));
        let bytes = _mm512_inserti32x4::<3>(bytes, load_16(four.last_chunk().unwrap_or(&[0; 16])));
        let low = _mm512_and_si512(bytes, _mm512_set1_epi8(15));
        let high = _mm512_gf2p8affine_epi64_epi8::<0>(bytes, _mm512_set1_epi64(HIGH.cast_signed()));
        let products = _mm512_dpbusd_epi32(load_ints(&zero_points[i]), low, load_signed(&signed[2 * i]));
        let products = _mm512_dpbusd_epi32(products, high, load_signed(&signed[2 * i + 1]));
        let scales = _mm512_permutexvar_ps(load_ints(&FOUR_TIMES[i]), _mm512_castps256_ps512(scales));
        *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scales, *sum);
    }
}

/// Which words of the second line of eight blocks of 18 bytes are scales: those of the last four.
const LAST_SCALES: u32 = 1 << 4 | 1 << 13 | 1 << 22 | 1 << 31;

/// Where the scales of eight blocks of 18 bytes are, in the first line with [those](LAST_SCALES) of the second.
static SCALES: [u8; 64] = {
    let mut indices = [0; 64];
    let mut i = 0;
    while i < 16 {
        indices[i] = (i / 2 * 18 % 64 + i % 2) as u8;
        i += 1;
    }
    indices
};

/// Where the nibbles of the first three of four blocks of 18 bytes are: in the first of two lines, and in the second.
static NIBBLES: [[u8; 64]; 2] = {
    let mut indices = [[0; 64]; 2];
    let mut i = 0;
    while i < 2 * 48 {
        let (four, nibble) = (i / 48, i % 48);
        indices[four][nibble] = (8 * four + nibble / 16 * 18 + 2 + nibble % 16) as u8;
        i += 1;
    }
    indices
};

/// Each of four numbers four times, for either half of eight.
static FOUR_TIMES: [[i32; 16]; 2] = {
    let mut indices = [[0; 16]; 2];
    let mut i = 0;
    while i < 2 * 16 {
        indices[i / 16][i % 16] = (i / 4) as i32;
        i += 1;
    }
    indices
};

/// 16 ints.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_ints(ints: &[i32; 16]) -> __m512i {
    // SAFETY: the reference covers 64 readable bytes; the feature is enabled.
    unsafe { _mm512_loadu_si512(ints.as_ptr().cast()) }
}

/// 8 single-precision numbers.
#[inline]
#[target_feature(enable = "avx")]
fn load_eight(floats: &[f32; 8]) -> __m256 {
    // SAFETY: the reference covers 32 readable bytes; the feature is enabled.
    unsafe { _mm256_loadu_ps(floats.as_ptr()) }
}
