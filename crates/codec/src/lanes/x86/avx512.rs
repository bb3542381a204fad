//! Sixteen lanes.

use std::arch::x86_64::*;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{Avx2, FRACTION, ONES, SHIFT, drop_payloads, operators};
use crate::lanes::Lanes;

/// Sixteen lanes.
#[derive(Clone, Copy)]
pub(in crate::lanes) struct Avx512(pub(super) __m512);

operators! { Avx512:
    Add add _mm512_add_ps;
    Sub sub _mm512_sub_ps;
    Mul mul _mm512_mul_ps;
    Div div _mm512_div_ps;
}

impl Avx512 {
    #[inline(always)]
    fn flip_sign(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_xor_ps(self.0, _mm512_set1_ps(-0.0))) }
    }

    /// As for eight lanes.
    #[inline(always)]
    fn rounded(self) -> __m512 {
        // SAFETY: as for the operators.
        unsafe {
            let shifted = _mm512_castps_si512(_mm512_add_ps(self.0, _mm512_set1_ps(SHIFT)));
            // The first operand where the mask has a bit, the second elsewhere: 0xEA is (a & b) | c.
            let ones = _mm512_ternarylogic_epi32::<0xEA>(
                shifted,
                _mm512_set1_epi32(FRACTION),
                _mm512_set1_epi32(ONES),
            );
            _mm512_castsi512_ps(ones)
        }
    }
}

impl Lanes for Avx512 {
    const WIDTH: usize = 16;
    // AVX-512 implies AVX2, and many a processor splits its registers in two.
    type Short = Avx2;
    type Mask = __mmask16;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_set1_ps(number)) }
    }

    #[inline(always)]
    fn load(numbers: &[f32]) -> Self {
        let numbers = &numbers[..Self::WIDTH];
        // SAFETY: sixteen numbers are readable; the load needs no alignment.
        unsafe { Self(_mm512_loadu_ps(numbers.as_ptr())) }
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32]) {
        let numbers = &mut numbers[..Self::WIDTH];
        // SAFETY: sixteen numbers are writable; the store needs no alignment.
        unsafe { _mm512_storeu_ps(numbers.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn store_past_caches(self, numbers: &mut [f32]) {
        let numbers = &mut numbers[..Self::WIDTH];
        assert!(
            numbers.as_ptr().addr().is_multiple_of(64),
            "lines begin at a multiple of a register's bytes"
        );
        // SAFETY: sixteen numbers are writable, at a multiple of 64 bytes.
        unsafe { _mm512_stream_ps(numbers.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn store_codes(self, codes: &mut [u8]) {
        let codes = &mut codes[..Self::WIDTH];
        // SAFETY: sixteen bytes are writable; the store needs no alignment.
        unsafe {
            _mm_storeu_si128(codes.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(self.0)))
        }
    }

    #[inline(always)]
    fn store_truncated(self, bytes: &mut [u8]) {
        let bytes = &mut bytes[..Self::WIDTH];
        // SAFETY: sixteen bytes are writable; the store needs no alignment.
        unsafe {
            let numbers = _mm512_cvttps_epi32(self.0);
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(numbers));
        }
    }

    #[inline(always)]
    fn store_nibbles(low: Self, high: Self, bytes: &mut [u8]) {
        let bytes = &mut bytes[..Self::WIDTH];
        // SAFETY: sixteen bytes are writable; the store needs no alignment.
        unsafe {
            let high = _mm512_slli_epi32::<4>(_mm512_cvttps_epi32(high.0));
            let nibbles = _mm512_or_si512(_mm512_cvttps_epi32(low.0), high);
            _mm_storeu_si128(bytes.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(nibbles));
        }
    }

    #[inline(always)]
    fn load_halves(halves: &[u16]) -> Self {
        let halves = &halves[..Self::WIDTH];
        // SAFETY: sixteen halves are readable; the load needs no alignment.
        unsafe { Self(_mm512_cvtph_ps(_mm256_loadu_si256(halves.as_ptr().cast()))) }
    }

    #[inline(always)]
    fn store_halves(self, halves: &mut [u16]) {
        let halves = &mut halves[..Self::WIDTH];
        // SAFETY: sixteen halves are writable; the store needs no alignment.
        unsafe {
            let rounded = _mm512_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0);
            _mm256_storeu_si256(halves.as_mut_ptr().cast(), rounded);
        }
        drop_payloads(halves);
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_abs_ps(self.0)) }
    }

    #[inline(always)]
    fn copy_sign(self, sign: Self) -> Self {
        let (magnitude, sign) = (self.abs(), sign.0);
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_or_ps(magnitude.0, _mm512_and_ps(sign, _mm512_set1_ps(-0.0)))) }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_sqrt_ps(self.0)) }
    }

    #[inline(always)]
    fn lt(self, other: Self) -> __mmask16 {
        // SAFETY: as for the operators.
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn eq(self, other: Self) -> __mmask16 {
        // SAFETY: as for the operators.
        unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(self.0, other.0) }
    }

    #[inline(always)]
    fn if_greater(self, other: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn if_less(self, other: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_min_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn select(mask: __mmask16, yes: Self, no: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_mask_blend_ps(mask, no.0, yes.0)) }
    }

    #[inline(always)]
    fn mask(bits: u32) -> __mmask16 {
        bits as __mmask16
    }

    #[inline(always)]
    fn any(mask: __mmask16) -> bool {
        mask != 0
    }

    #[inline(always)]
    fn bits(mask: __mmask16) -> u32 {
        u32::from(mask)
    }

    #[inline(always)]
    fn round_even_within(self, low: f32, high: f32) -> Self {
        let (low, high) = (Self::splat(SHIFT + low), Self::splat(SHIFT + high));
        // SAFETY: as for the operators.
        unsafe {
            let limited = _mm512_min_epi32(_mm512_castps_si512(self.rounded()), _mm512_castps_si512(high.0));
            let limited = _mm512_max_epi32(limited, _mm512_castps_si512(low.0));
            Self(_mm512_castsi512_ps(limited)) - Self::splat(SHIFT)
        }
    }

    #[inline(always)]
    fn round_ordinary(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)) }
    }

    #[inline(always)]
    fn at_most(self, limits: Self) -> Self {
        // As integers, floats above zero lie in their order, and those below zero under all of them.
        // SAFETY: as for the operators.
        unsafe {
            let (bits, limits) = (_mm512_castps_si512(self.0), _mm512_castps_si512(limits.0));
            Self(_mm512_castsi512_ps(_mm512_min_epi32(bits, limits)))
        }
    }

    #[inline(always)]
    fn at_least(self, limits: Self) -> Self {
        // As integers without a sign, floats below zero lie above all others and in reverse; so does a limit of zero
        // when it has their sign.
        // SAFETY: as for the operators.
        unsafe {
            let limits = _mm512_castps_si512(_mm512_or_ps(limits.0, _mm512_set1_ps(-0.0)));
            Self(_mm512_castsi512_ps(_mm512_min_epu32(_mm512_castps_si512(self.0), limits)))
        }
    }

    #[inline(always)]
    fn round_even_to_byte(self) -> Self {
        // SAFETY: as for the operators.
        unsafe {
            let byte = _mm512_and_si512(_mm512_castps_si512(self.rounded()), _mm512_set1_epi32(0xFF));
            Self(_mm512_cvtepi32_ps(byte))
        }
    }
}
