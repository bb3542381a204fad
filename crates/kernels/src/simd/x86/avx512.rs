//! AVX-512 with VNNI on registers of 32 bytes: four products at once, masks, and embedded broadcasts.
//!
//! For what makes every block sound see [`common`](super::common).

use std::arch::x86_64::*;

use super::common::{PAIRS, SINGLES, common, load_16};
use crate::simd::Simd;

/// Proof that the processor has AVX2, FMA, F16C, and AVX-512 with F, BW, VL and VNNI.
#[derive(Clone, Copy)]
pub(super) struct Avx512(());

impl Avx512 {
    /// Called only where these features are enabled.
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl Simd for Avx512 {
    common!();

    #[inline(always)]
    fn bytes_where(self, bits: u32, byte: u8) -> __m256i {
        // SAFETY: see the module.
        unsafe { _mm256_maskz_mov_epi8(bits, self.splat(byte)) }
    }
    #[inline(always)]
    fn negate_where(self, bytes: __m256i, bits: u32) -> __m256i {
        // SAFETY: see the module.
        unsafe { _mm256_mask_sub_epi8(bytes, bits, self.zero(), bytes) }
    }
    #[inline(always)]
    fn add_scaled(self, ints: __m256i, words: __m256i, scales: __m256i) -> __m256i {
        // SAFETY: see the module.
        unsafe { _mm256_dpwssd_epi32(ints, words, scales) }
    }
    #[inline(always)]
    fn add_dot(self, ints: __m256i, codes: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: see the module.
        unsafe { _mm256_dpbusd_epi32(ints, codes, signed) }
    }
    #[inline(always)]
    fn bias(self, signed: __m256i) -> __m256i {
        // As a byte without sign this is 128 more.
        // SAFETY: see the module.
        unsafe { _mm256_xor_si256(signed, _mm256_set1_epi8(i8::MIN)) }
    }
    #[inline(always)]
    fn biased_dot(self, biased: __m256i, signed: __m256i, negative_sum: i32) -> __m256i {
        // The 128 too much are taken off once per 32.
        self.add_dot(self.shift_left_ints::<7>(self.first(negative_sum)), biased, signed)
    }
}
