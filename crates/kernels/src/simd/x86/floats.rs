//! Floats, with AVX2, FMA and F16C.
//!
//! For what makes every block sound see [`common`](super::common).

use std::arch::x86_64::*;

use zerocopy::{Immutable, IntoBytes};

use super::common::load_16;

/// The operations of [`Simd`](crate::simd::Simd) that make floats and compute with them.
macro_rules! floats {
    () => {
        #[inline(always)]
        fn to_floats(self, ints: __m256i) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_cvtepi32_ps(ints) }
        }
        #[inline(always)]
        fn zeros(self) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        fn splat_float(self, float: f32) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_set1_ps(float) }
        }
        #[inline(always)]
        fn everywhere(self, float: &f32) -> __m256 {
            // SAFETY: see the module.
            unsafe { float_everywhere(float) }
        }
        #[inline(always)]
        fn scaled_halves(self, halves: &[u8; 8], by: f32) -> [f32; 4] {
            let mut scaled = [0.0; 4];
            // SAFETY: 8 readable bytes and 16 writable ones; see the module.
            unsafe {
                let floats = _mm_cvtph_ps(_mm_loadl_epi64(halves.as_ptr().cast()));
                _mm_storeu_ps(scaled.as_mut_ptr(), _mm_mul_ps(floats, _mm_set1_ps(by)));
            }
            scaled
        }
        #[inline(always)]
        fn two_floats(self, [a, b]: [f32; 2]) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_setr_ps(a, a, a, a, b, b, b, b) }
        }
        #[inline(always)]
        fn load_floats(self, floats: &[f32; 8]) -> __m256 {
            // SAFETY: 32 readable bytes; see the module.
            unsafe { _mm256_loadu_ps(floats.as_ptr()) }
        }
        #[inline(always)]
        fn store_floats(self, floats: __m256, to: &mut [f32; 8]) {
            // SAFETY: 32 writable bytes; see the module.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), floats) }
        }
        #[inline(always)]
        fn load_f16(self, halves: &[u16; 8]) -> __m256 {
            // SAFETY: 16 readable bytes; see the module.
            let halves = unsafe { _mm_loadu_si128(halves.as_ptr().cast()) };
            // SAFETY: see the module.
            unsafe { _mm256_cvtph_ps(halves) }
        }
        #[inline(always)]
        fn leading_halves<B: zerocopy::IntoBytes + zerocopy::Immutable>(self, blocks: &[B; 8]) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_cvtph_ps($crate::simd::x86::floats::leading_words(blocks)) }
        }
        #[inline(always)]
        fn half(self, bits: u16) -> f32 {
            // Left to itself, the compiler inserts the word into a register that a sum is in, and waits for that.
            let bits = opaque(bits.into()) as i32;
            // SAFETY: see the module.
            let bits = unsafe { _mm_cvtsi32_si128(bits) };
            // SAFETY: see the module.
            unsafe { _mm_cvtss_f32(_mm_cvtph_ps(bits)) }
        }
        #[inline(always)]
        fn float_bits(self, floats: __m256) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_castps_si256(floats) }
        }
        #[inline(always)]
        fn reinterpret(self, ints: __m256i) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_castsi256_ps(ints) }
        }
        #[inline(always)]
        fn multiply(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        fn multiply_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn add_floats(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_add_ps(a, b) }
        }
    };
}
pub(super) use floats;

/// The words that eight blocks begin with. Each is read with the bytes around it that put it in its place, so that two
/// of them are joined by one operation of the cheapest kind. Next to headers that are spread over a register each, rows
/// of Q8_0 in the second cache take 4 % less, with AVX-512 and with AVX2 (Granite Rapids); of words that are added one
/// after the other instead of by pairs, only with AVX2.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn leading_words<B: IntoBytes + Immutable>(blocks: &[B; 8]) -> __m128i {
    const { assert!(size_of::<B>() >= 2) };
    let bytes = blocks.as_bytes();
    // There are sixteen bytes at each of these places, of which the last ends with the last word: the fallback is never
    // taken.
    let read = |word| load_16(bytes[word * (size_of::<B>() - 2)..].first_chunk().unwrap_or(&[0; 16]));
    let pairs = [
        _mm_blend_epi16::<0b0000_0010>(read(0), read(1)),
        _mm_blend_epi16::<0b0000_1000>(read(2), read(3)),
        _mm_blend_epi16::<0b0010_0000>(read(4), read(5)),
        _mm_blend_epi16::<0b1000_0000>(read(6), read(7)),
    ];
    let fours =
        [_mm_blend_epi32::<0b0010>(pairs[0], pairs[1]), _mm_blend_epi32::<0b1000>(pairs[2], pairs[3])];
    _mm_blend_epi32::<0b1100>(fours[0], fours[1])
}
