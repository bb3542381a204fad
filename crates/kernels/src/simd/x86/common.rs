//! What AVX2 and AVX-512 do alike.
//!
//! # Safety
//! Every block is one intrinsic. A token such as `Avx2` is made only inside a function that enables its features, and
//! that function is called only where they were detected; what an intrinsic needs of memory is the size of the array
//! that it is given, at any address.

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

/// The sums of the first four ints of each register, then those of the last four: `[a, b]` has these of register `i` in
/// lane `i`. Only for those who know that the processor has AVX2.
#[inline(always)]
pub(super) fn sum_in_halves(registers: [__m256i; 8]) -> [__m256i; 2] {
    /// Sums neighbours: those of `a` in the even lanes, those of `b` in the odd ones.
    #[inline(always)]
    fn neighbours(a: __m256i, b: __m256i) -> __m256i {
        // Two blends and a shuffle instead of two shuffles: blends run on every port.
        // SAFETY: see the module.
        unsafe {
            let (same, other) = (_mm256_blend_epi32::<0xAA>(a, b), _mm256_blend_epi32::<0x55>(a, b));
            _mm256_add_epi32(same, _mm256_shuffle_epi32::<0xB1>(other))
        }
    }
    /// Sums every second: those of `a` in the first two lanes of a half, those of `b` in the last two.
    #[inline(always)]
    fn seconds(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: see the module.
        unsafe { _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)) }
    }
    let [a, b, c, d, e, f, g, h] = registers;
    let first = seconds(neighbours(a, b), neighbours(c, d));
    let last = seconds(neighbours(e, f), neighbours(g, h));
    // SAFETY: see the module.
    unsafe {
        [_mm256_permute2x128_si256::<0x20>(first, last), _mm256_permute2x128_si256::<0x31>(first, last)]
    }
}

/// 16 bytes, at any address. The instruction is in every x86-64.
#[inline(always)]
pub(super) fn load_16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the reference covers 16 readable bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
