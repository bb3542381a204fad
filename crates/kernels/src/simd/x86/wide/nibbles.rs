//! Eight blocks of 32 nibbles, each with a scale of its own.

use std::arch::x86_64::*;

use super::super::avx512::HIGH;
use super::super::common::load_16;
use super::{halved, load, permuted_bytes};
use crate::simd::EightBlocks;

/// As [`Simd::add_scaled_nibbles`](crate::simd::Simd::add_scaled_nibbles).
#[inline]
#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512vnni,avx512vbmi,gfni")]
pub(in super::super) fn add_scaled_nibbles(
    sum: &mut __m512,
    blocks: EightBlocks<'_>,
    table: Option<__m256i>,
    signed: &[i8; 256],
    zero_points: [__m512i; 2],
    by: &[f32; 8],
) {
    let (nibbles, scales) = match blocks {
        EightBlocks::Halves(blocks) => {
            let (lines, fours) = (two_lines(blocks), halved::<144, 72>(blocks));
            (nibbles(lines, &BEHIND_HALVES, fours.map(last_sixteen)), halves(lines))
        }
        EightBlocks::Powers(blocks) => {
            let (lines, fours) = (two_lines(blocks), halved::<136, 68>(blocks));
            (nibbles(lines, &BEHIND_POWERS, fours.map(last_sixteen)), powers(lines))
        }
    };
    let scales = _mm512_castps256_ps512(_mm256_mul_ps(scales, load_eight(by)));
    let signed = signed.as_chunks::<64>().0;
    for i in 0..2 {
        let mut codes = [
            _mm512_and_si512(nibbles[i], _mm512_set1_epi8(15)),
            _mm512_gf2p8affine_epi64_epi8::<0>(nibbles[i], _mm512_set1_epi64(HIGH.cast_signed())),
        ];
        if let Some(table) = table {
            codes = codes.map(|codes| _mm512_shuffle_epi8(_mm512_broadcast_i64x4(table), codes));
        }
        let products = _mm512_dpbusd_epi32(zero_points[i], codes[0], load(&signed[2 * i]));
        let products = _mm512_dpbusd_epi32(products, codes[1], load(&signed[2 * i + 1]));
        let scales = _mm512_permutexvar_ps(load(&FOUR_TIMES[i]), scales);
        *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), scales, *sum);
    }
}

/// Zero points, doubled so many times.
#[inline]
#[target_feature(enable = "avx512f")]
pub(in super::super) fn doubled([first, last]: &[[i32; 16]; 2], times: i32) -> [__m512i; 2] {
    let times = _mm512_set1_epi32(times);
    [_mm512_sllv_epi32(load(first), times), _mm512_sllv_epi32(load(last), times)]
}

/// The first 128 bytes.
#[inline]
#[target_feature(enable = "avx512f")]
fn two_lines<const N: usize>(blocks: &[u8; N]) -> [__m512i; 2] {
    let lines = blocks.as_chunks::<64>().0;
    [load(&lines[0]), load(&lines[1])]
}

/// The nibbles of four blocks in turn: of three of them where they are in a line, and of the last, which goes on behind
/// the line.
#[inline]
#[target_feature(enable = "avx512f,avx512vbmi")]
fn nibbles(lines: [__m512i; 2], places: &[[u8; 64]; 2], last: [&[u8; 16]; 2]) -> [__m512i; 2] {
    let mut nibbles = lines;
    for i in 0..2 {
        let three = permuted_bytes(lines[i], load(&places[i]));
        nibbles[i] = _mm512_inserti32x4::<3>(three, load_16(last[i]));
    }
    nibbles
}

/// The last 16 bytes.
#[inline(always)]
fn last_sixteen<const N: usize>(bytes: &[u8; N]) -> &[u8; 16] {
    const { assert!(N >= 16) };
    // There are as many: the fallback is never taken.
    bytes.last_chunk().unwrap_or(&[0; 16])
}

/// Eight scales in half precision. They are in two lines, no two of them at the same place.
#[inline]
#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512vbmi")]
fn halves(lines: [__m512i; 2]) -> __m256 {
    const IN_LAST_LINE: u32 = 1 << 4 | 1 << 13 | 1 << 22 | 1 << 31;
    let headers = _mm512_mask_blend_epi16(IN_LAST_LINE, lines[0], lines[1]);
    _mm256_cvtph_ps(_mm512_castsi512_si128(permuted_bytes(headers, load(&HALVES))))
}

/// Eight scales that are `2^(e - 128)`, of which a byte holds `e`, as [`halves`].
#[inline]
#[target_feature(enable = "avx2,avx512f,avx512bw,avx512vbmi")]
fn powers(lines: [__m512i; 2]) -> __m256 {
    const IN_LAST_LINE: u64 = 1 << 4 | 1 << 21 | 1 << 38 | 1 << 55;
    let headers = _mm512_mask_blend_epi8(IN_LAST_LINE, lines[0], lines[1]);
    let exponents = _mm512_maskz_permutexvar_epi8(0x1111_1111, load(&EXPONENTS), headers);
    let exponents = _mm512_castsi512_si256(exponents);
    // As two factors that are normal numbers: half of e, and what is left.
    let half = _mm256_srli_epi32::<1>(exponents);
    let power = |exponents| {
        let exponents = _mm256_add_epi32(exponents, _mm256_set1_epi32(63));
        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponents))
    };
    _mm256_mul_ps(power(half), power(_mm256_sub_epi32(exponents, half)))
}

/// Where the scales of eight blocks of 18 bytes are, each in its line.
static HALVES: [u8; 64] = {
    let mut indices = [0; 64];
    let mut i = 0;
    while i < 16 {
        indices[i] = (i / 2 * 18 % 64 + i % 2) as u8;
        i += 1;
    }
    indices
};

/// Where the exponents of eight blocks of 17 bytes are, each in its line, for the lower bytes of ints.
static EXPONENTS: [u8; 64] = {
    let mut indices = [0; 64];
    let mut i = 0;
    while i < 8 {
        indices[4 * i] = (i * 17 % 64) as u8;
        i += 1;
    }
    indices
};

/// Where the nibbles of the first three of four blocks are, each behind a scale of two bytes, or of one.
static BEHIND_HALVES: [[u8; 64]; 2] = behind::<2>();
static BEHIND_POWERS: [[u8; 64]; 2] = behind::<1>();

/// Where the nibbles are of the first three of four blocks with so many bytes before them: in the first of two lines,
/// and in the second.
const fn behind<const SCALE: usize>() -> [[u8; 64]; 2] {
    let block = SCALE + 16;
    let mut indices = [[0; 64]; 2];
    let mut i = 0;
    while i < 2 * 48 {
        let (four, nibble) = (i / 48, i % 48);
        indices[four][nibble] = (four * (4 * block - 64) + nibble / 16 * block + SCALE + nibble % 16) as u8;
        i += 1;
    }
    indices
}

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

/// 8 single-precision numbers.
#[inline]
#[target_feature(enable = "avx")]
fn load_eight(floats: &[f32; 8]) -> __m256 {
    // SAFETY: the reference covers 32 readable bytes; the feature is enabled.
    unsafe { _mm256_loadu_ps(floats.as_ptr()) }
}
