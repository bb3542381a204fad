//! Registers of 64 bytes. On Zen 4 an operation on them takes as long as two on 32 bytes, but half the room in the
//! queues that operations wait in, which are what many short ones fill.

use std::arch::asm;
use std::arch::x86_64::*;

use super::avx512::HIGH;
use super::indices::NONE;
use super::instructions::{from_memory, of_two, onto};

/// As [`Simd::add_nibbles`](crate::simd::Simd::add_nibbles), with the scales as one number.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni,gfni")]
pub(super) fn add_nibbles<const C: usize>(
    sums: &mut [__m512; C],
    nibbles: &[u8; 128],
    scales: u64,
    signed: [&[i8; 256]; C],
    by: [__m256; C],
) {
    let halves = nibbles.as_chunks::<64>().0;
    let scales = everywhere(scales);
    let mut products = [_mm512_setzero_si512(); C];
    for i in 0..2 {
        let scales = shuffled(scales, load(&RUNS[i]));
        let bytes = load(&halves[i]);
        let low = _mm512_and_si512(bytes, _mm512_set1_epi8(15));
        let high = _mm512_gf2p8affine_epi64_epi8::<0>(bytes, _mm512_set1_epi64(HIGH.cast_signed()));
        for c in 0..C {
            let signed = signed[c].as_chunks::<64>().0;
            let (x, y) = (load_signed(&signed[2 * i]), load_signed(&signed[2 * i + 1]));
            // Four products of 15 and 127 fit a word.
            let low = _mm512_dpbusd_epi32(_mm512_setzero_si512(), low, x);
            let high = _mm512_dpbusd_epi32(_mm512_setzero_si512(), high, y);
            products[c] = multiply_and_sum(products[c], _mm512_packs_epi32(low, high), scales);
        }
    }
    for c in 0..C {
        sums[c] = _mm512_fmadd_ps(
            _mm512_cvtepi32_ps(products[c]),
            _mm512_broadcastss_ps(_mm256_castps256_ps128(by[c])),
            sums[c],
        );
    }
}

/// As [`Simd::add_singles`](crate::simd::Simd::add_singles).
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add_singles(sum: __m512, a: &[u8; 128], b: &[u8; 128]) -> __m512 {
    let ([a, c], [b, d]) = (halved(a), halved(b));
    _mm512_fmadd_ps(singles(c), singles(d), _mm512_fmadd_ps(singles(a), singles(b), sum))
}

/// As [`Simd::add_halves`](crate::simd::Simd::add_halves).
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add_halves(sum: __m512, a: &[u8; 64], b: &[u8; 64]) -> __m512 {
    let ([a, c], [b, d]) = (halved(a), halved(b));
    _mm512_fmadd_ps(halves(c), halves(d), _mm512_fmadd_ps(halves(a), halves(b), sum))
}

/// As [`Simd::add_brains`](crate::simd::Simd::add_brains), without an instruction for it: the products of the lower
/// words, then those of the upper.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn add_widened(sum: __m512, a: &[u8; 64], b: &[u8; 64]) -> __m512 {
    let lower = |words| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(words));
    let upper = |words| _mm512_castsi512_ps(_mm512_and_si512(words, _mm512_set1_epi32(!0xFFFF)));
    let (a, b) = (load(a), load(b));
    _mm512_fmadd_ps(upper(a), upper(b), _mm512_fmadd_ps(lower(a), lower(b), sum))
}

/// As [`Simd::add_brains`](crate::simd::Simd::add_brains). The intrinsic could only be inlined into functions that
/// enable its feature, which would be one more copy of all kernels.
///
/// # Safety
/// The processor has AVX512_BF16.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn add_brains(sum: __m512, a: &[u8; 64], b: &[u8; 64]) -> __m512 {
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

/// In a register of 64 bytes, of two runs with low nibbles and two with high ones that are packed, each four in turn:
/// the byte that becomes the word that is the scale of each 32 weights, for either half of a super-block.
static RUNS: [[u8; 64]; 2] = {
    let mut indices = [[NONE; 64]; 2];
    let mut i = 0;
    while i < 2 * 32 {
        let (half, pair, second) = (i / 32, i / 16 % 2, i / 4 % 2);
        indices[half][i % 32 * 2] = (4 * half + 2 * pair + second) as u8;
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
    /// The number in each of eight places, by way of memory: see [`everywhere`](super::instructions::everywhere).
    "avx512f" fn everywhere(number: u64) -> __m512i as zmm_reg "vpbroadcastq {result}, qword ptr [{number}]"
}

of_two! {
    /// As [`shuffled`](super::instructions::shuffled).
    "avx512bw" fn shuffled(bytes, indices: __m512i as zmm_reg) "vpshufb {result}, {bytes}, {indices}"
}

onto! {
    /// As [`multiply_and_sum`](super::instructions::multiply_and_sum).
    "avx512f,avx512vnni" fn multiply_and_sum(ints, a, b: __m512i as zmm_reg) "vpdpwssd {ints}, {a}, {b}"
}
