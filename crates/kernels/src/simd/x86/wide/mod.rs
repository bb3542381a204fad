//! Registers of 64 bytes. On Zen 4 an operation on them takes as long as two on 32 bytes, but half the room in the
//! queues that operations wait in, which are what many short ones fill.

mod codes;
mod nibbles;

use std::arch::asm;
use std::arch::x86_64::*;
use std::ptr;

use zerocopy::{Immutable, IntoBytes};

pub(super) use codes::{add_codes, scales_of_runs, scales_of_sixteens};
pub(super) use nibbles::{add_scaled_nibbles, doubled};

use super::instructions::{from_memory, of_two};

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

/// 64 bytes of numbers, at any address.
#[inline]
#[target_feature(enable = "avx512f")]
fn load<T: IntoBytes + Immutable>(values: &T) -> __m512i {
    const { assert!(size_of::<T>() == 64) };
    // SAFETY: the reference covers 64 readable bytes; the feature is enabled.
    unsafe { _mm512_loadu_si512(ptr::from_ref(values).cast()) }
}

/// 16 single-precision numbers.
#[inline]
#[target_feature(enable = "avx512f")]
fn singles(bytes: &[u8; 64]) -> __m512 {
    _mm512_castsi512_ps(load(bytes))
}

/// 16 half-precision numbers. Of the intrinsic the compiler makes a load and a conversion between registers, which is
/// one operation more than the instruction that reads memory. With that of `_mm512_cvt_roundph_ps`, which does read
/// memory, rows in the first cache take 3 % longer (Granite Rapids), in the order that the compiler then chooses.
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
            // A signalling NaN sets a flag of floating point.
            options(pure, readonly, nostack)
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

from_memory! {
    /// As [`everywhere`](super::instructions::everywhere), of a float in sixteen places.
    "avx512f" fn float_everywhere(number: &f32) -> __m512 as zmm_reg "vbroadcastss {result}, dword ptr [{number}]"
}

of_two! {
    /// As [`permuted_bytes`](super::instructions::permuted_bytes).
    "avx512vbmi" fn permuted_bytes(bytes, indices: __m512i as zmm_reg) "vpermb {result}, {indices}, {bytes}"
}
