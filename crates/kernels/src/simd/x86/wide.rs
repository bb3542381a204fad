//! Registers of 64 bytes. On Zen 4 an operation on them takes as long as two on 32 bytes, but half the room in the
//! queues that operations wait in, which are what many short ones fill.

use std::arch::asm;
use std::arch::x86_64::*;

use super::avx512::{HIGH, moved, scale_of};
use super::common::load_16;
use super::indices::NONE;
use super::instructions::{from_memory, of_two, onto};

/// As [`Simd::add_nibbles`](crate::simd::Simd::add_nibbles), with scales and minimums taken apart.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,avx512vbmi,gfni")]
pub(super) fn add_nibbles(
    sum: &mut __m512,
    numbers: __m128i,
    nibbles: &[u8; 128],
    signed: &[i8; 256],
    by: &f32,
) {
    let (halves, signed) = (nibbles.as_chunks::<64>().0, signed.as_chunks::<64>().0);
    let numbers = _mm512_zextsi128_si512(numbers);
    let mut products = _mm512_setzero_si512();
    for i in 0..2 {
        let bytes = load(&halves[i]);
        let low = _mm512_and_si512(bytes, _mm512_set1_epi8(15));
        let high = _mm512_gf2p8affine_epi64_epi8::<0>(bytes, _mm512_set1_epi64(HIGH.cast_signed()));
        // Four products of 15 and 127 fit a word.
        let low = _mm512_dpbusd_epi32(_mm512_setzero_si512(), low, load_signed(&signed[2 * i]));
        let high = _mm512_dpbusd_epi32(_mm512_setzero_si512(), high, load_signed(&signed[2 * i + 1]));
        let scales = permuted_bytes(numbers, load(&RUNS[i]));
        products = multiply_and_sum(products, _mm512_packs_epi32(low, high), scales);
    }
    *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), float_everywhere(by), *sum);
}

/// As [`Simd::add_sixes`](crate::simd::Simd::add_sixes).
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,gfni")]
pub(super) fn add_sixes(
    sum: &mut __m512,
    ints: __m256i,
    low: &[u8; 128],
    high: &[u8; 64],
    scales: __m256i,
    signed: &[i8; 256],
    by: &f32,
) {
    let (low, high, signed) = (low.as_chunks::<64>().0, high.as_chunks().0, signed.as_chunks::<64>().0);
    let scales = _mm512_castsi256_si512(scales);
    let mut products = _mm512_zextsi256_si512(ints);
    for half in 0..2 {
        let (lower, upper) = (load(&low[half]), twice(&high[half]));
        let mut sums = [_mm512_setzero_si512(); 2];
        for i in 0..2 {
            // Two runs: what comes over from other bytes is masked.
            let lower = if i == 0 { lower } else { _mm512_srli_epi32::<4>(lower) };
            let lower = _mm512_and_si512(lower, _mm512_set1_epi8(15));
            let upper = _mm512_gf2p8affine_epi64_epi8::<0>(upper, halves_by(UPPER[i]));
            let codes = _mm512_or_si512(lower, upper);
            // Four products of 63 and 127 fit a word.
            sums[i] = _mm512_dpbusd_epi32(sums[i], codes, load_signed(&signed[2 * half + i]));
        }
        let scales = permuted_words(scales, load_words(&SIXTEENS[half]));
        products = multiply_and_sum(products, _mm512_packs_epi32(sums[0], sums[1]), scales);
    }
    *sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), float_everywhere(by), *sum);
}

/// As [`Simd::add_scaled_nibbles`](crate::simd::Simd::add_scaled_nibbles).
#[inline]
#[target_feature(enable = "avx2,f16c,avx512f,avx512bw,avx512vnni,avx512vbmi,gfni")]
pub(super) fn add_scaled_nibbles(
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

/// As [`Simd::add_f32`](crate::simd::Simd::add_f32).
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add_f32(sum: __m512, a: &[u8; 128], b: &[u8; 128]) -> __m512 {
    let ([a, c], [b, d]) = (halved(a), halved(b));
    _mm512_fmadd_ps(singles(c), singles(d), _mm512_fmadd_ps(singles(a), singles(b), sum))
}

/// As [`Simd::add_f16`](crate::simd::Simd::add_f16).
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add_f16(sum: __m512, a: &[u8; 64], b: &[u8; 128]) -> __m512 {
    let ([a, c], [b, d]) = (halved(a), halved(b));
    _mm512_fmadd_ps(halves(c), singles(d), _mm512_fmadd_ps(halves(a), singles(b), sum))
}

/// As [`Simd::add_bf16`](crate::simd::Simd::add_bf16), without an instruction for it: the products of the lower
/// words, then those of the upper.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add_widened(sum: __m512, a: &[u8; 64], b: &[u8; 64]) -> __m512 {
    let lower = |words| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words));
    let upper = |words| _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(!0xFFFF)));
    let (a, b) = (load(a), load(b));
    _mm512_fmadd_ps(upper(a), upper(b), _mm512_fmadd_ps(lower(a), lower(b), sum))
}

/// As [`Simd::add_bf16`](crate::simd::Simd::add_bf16). The intrinsic could only be inlined into functions that
/// enable its feature, which would be one more copy of all kernels.
///
/// # Safety
/// The processor has AVX512_BF16.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn add_bf16(sum: __m512, a: &[u8; 64], b: &[u8; 64]) -> __m512 {
    let (a, b) = (load(a), load(b));
    let mut sum = sum;
    // SAFETY: an instruction on registers alone, which the caller says is there.
    unsafe {
        asm!(
            "vdpbf16ps {sum}, {a}, {b}",
            sum = inout(zmm_reg) sum,
            a = in(zmm_reg) a,
            b = in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
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

/// In a register of 64 bytes, of two runs with low nibbles and two with high ones that are packed, each four in turn:
/// the byte that becomes the word that is the scale of each 32 weights, for either half of a super-block.
static RUNS: [[u8; 64]; 2] = {
    let mut indices = [[NONE; 64]; 2];
    let mut i = 0;
    while i < 2 * 32 {
        let (half, pair, second) = (i / 32, i / 16 % 2, i / 4 % 2);
        indices[half][i % 32 * 2] = scale_of(4 * half + 2 * pair + second);
        i += 1;
    }
    indices
};

/// The matrices that move the upper bits of codes of six: those of the first two runs of a half, and of the last two.
const UPPER: [[u64; 2]; 2] = [[moved(0, 2, 4), moved(2, 2, 4)], [moved(4, 2, 4), moved(6, 2, 4)]];

/// In a register of 64 bytes, where the first two runs of a half are packed with the last two, each four ints in turn:
/// the word that is the scale of each 16 weights, for either half of a super-block.
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

/// 64 bytes, at any address.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the reference covers 64 readable bytes; the feature is enabled.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// 32 words.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_words(words: &[i16; 32]) -> __m512i {
    // SAFETY: the reference covers 64 readable bytes; the feature is enabled.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

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

/// The same 32 bytes twice.
#[inline]
#[target_feature(enable = "avx512f")]
fn twice(bytes: &[u8; 32]) -> __m512i {
    // SAFETY: the reference covers 32 readable bytes; the feature is enabled.
    _mm512_broadcast_i64x4(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) })
}

/// A number in each four of eight places.
#[inline]
#[target_feature(enable = "avx512f")]
fn halves_by([first, last]: [u64; 2]) -> __m512i {
    let (a, b) = (first.cast_signed(), last.cast_signed());
    _mm512_setr_epi64(a, a, a, a, b, b, b, b)
}

/// 16 single-precision numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn singles(bytes: &[u8; 64]) -> __m512 {
    _mm512_castsi512_ps(load(bytes))
}

/// 16 half-precision numbers. Of the intrinsic the compiler makes a load and a conversion between registers, which is
/// one operation more than the instruction that reads memory. With that of `_mm512_cvt_roundph_ps`, which does read
/// memory, rows in the first cache take 3 % longer (Intel Xeon), in the order that the compiler then chooses.
#[inline]
#[target_feature(enable = "avx512f")]
fn halves(bytes: &[u8; 32]) -> __m512 {
    let floats: __m512;
    // SAFETY: reads the 32 bytes that the reference covers; the feature is enabled.
    unsafe {
        asm!(
            "vcvtph2ps {floats}, ymmword ptr [{bytes}]",
            floats = lateout(zmm_reg) floats,
            bytes = in(reg) bytes,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    floats
}

/// The first half and the last.
#[inline(always)]
fn halved<const N: usize, const HALF: usize>(bytes: &[u8; N]) -> [&[u8; HALF]; 2] {
    const { assert!(N == 2 * HALF) };
    let halves = bytes.as_chunks().0;
    [&halves[0], &halves[1]]
}

/// As [`load`].
#[inline]
#[target_feature(enable = "avx512f")]
fn load_signed(bytes: &[i8; 64]) -> __m512i {
    // SAFETY: the reference covers 64 readable bytes; the feature is enabled.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

from_memory! {
    /// As [`everywhere`](super::instructions::everywhere), of a float in sixteen places.
    "avx512f" fn float_everywhere(number: &f32) -> __m512 as zmm_reg "vbroadcastss {result}, dword ptr [{number}]"
}

of_two! {
    /// As [`permuted_words`](super::instructions::permuted_words).
    "avx512bw" fn permuted_words(words, indices: __m512i as zmm_reg) "vpermw {result}, {indices}, {words}"
}

of_two! {
    /// As [`permuted_bytes`](super::instructions::permuted_bytes).
    "avx512vbmi" fn permuted_bytes(bytes, indices: __m512i as zmm_reg) "vpermb {result}, {indices}, {bytes}"
}

onto! {
    /// As [`multiply_and_sum`](super::instructions::multiply_and_sum).
    "avx512f,avx512vnni" fn multiply_and_sum(ints, a, b: __m512i as zmm_reg) "vpdpwssd {ints}, {a}, {b}"
}
