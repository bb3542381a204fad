//! What AVX2 and AVX-512 do alike.
//!
//! # Safety
//! Every block is intrinsics that need nothing but their instruction set, and at most one that reads or writes memory.
//! A token such as `Avx2` is made only inside a function that enables its features, and that function is called only
//! where they were detected; what an intrinsic needs of memory is the size of the array that it is given, at any
//! address.

use std::arch::x86_64::*;

/// The operations of [`Simd`](crate::simd::Simd) that need AVX2, FMA and F16C alone, by what they are about.
macro_rules! common {
    () => {
        type Ints = __m256i;
        type Floats = __m256;

        $crate::simd::x86::moves::moves!();
        $crate::simd::x86::products::products!();
        $crate::simd::x86::floats::floats!();
    };
}
pub(super) use common;

/// The sums of the first four ints of each register, then those of the last four: of the first four registers, and then
/// of the others.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn sum_in_halves([a, b, c, d, e, f, g, h]: [__m256i; 8]) -> [__m256i; 2] {
    let first = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    let last = _mm256_hadd_epi32(_mm256_hadd_epi32(e, f), _mm256_hadd_epi32(g, h));
    [first, last]
}

/// 16 bytes, at any address. The instruction is in every x86-64.
#[inline(always)]
pub(super) fn load_16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the reference covers 16 readable bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
