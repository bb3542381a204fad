//! Eight lanes.

use std::arch::x86_64::*;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use super::{FRACTION, ONES, SHIFT, drop_payloads, operators};
use crate::lanes::Lanes;

/// Eight lanes.
#[derive(Clone, Copy)]
pub(in crate::lanes) struct Avx2(pub(super) __m256);

/// A mask of eight lanes: all bits of a lane, or none.
#[derive(Clone, Copy)]
pub(in crate::lanes) struct Avx2Mask(__m256);

operators! { Avx2:
    Add add _mm256_add_ps;
    Sub sub _mm256_sub_ps;
    Mul mul _mm256_mul_ps;
    Div div _mm256_div_ps;
}

impl Avx2 {
    #[inline(always)]
    fn flip_sign(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_xor_ps(self.0, _mm256_set1_ps(-0.0))) }
    }

    /// The rounded value plus 2^22, as the float `2^23 + value + 2^22`.
    #[inline(always)]
    fn rounded(self) -> __m256 {
        // SAFETY: as for the operators.
        unsafe {
            let shifted = _mm256_castps_si256(_mm256_add_ps(self.0, _mm256_set1_ps(SHIFT)));
            let fraction = _mm256_and_si256(shifted, _mm256_set1_epi32(FRACTION));
            _mm256_castsi256_ps(_mm256_or_si256(fraction, _mm256_set1_epi32(ONES)))
        }
    }
}

impl Lanes for Avx2 {
    const WIDTH: usize = 8;
    type Short = Self;
    type Mask = Avx2Mask;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_set1_ps(number)) }
    }

    #[inline(always)]
    fn load(numbers: &[f32]) -> Self {
        let numbers = &numbers[..Self::WIDTH];
        // SAFETY: eight numbers are readable; the load needs no alignment.
        unsafe { Self(_mm256_loadu_ps(numbers.as_ptr())) }
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32]) {
        let numbers = &mut numbers[..Self::WIDTH];
        // SAFETY: eight numbers are writable; the store needs no alignment.
        unsafe { _mm256_storeu_ps(numbers.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn store_past_caches(self, numbers: &mut [f32]) {
        let numbers = &mut numbers[..Self::WIDTH];
        assert!(
            numbers.as_ptr().addr().is_multiple_of(32),
            "lines begin at a multiple of a register's bytes"
        );
        // SAFETY: eight numbers are writable, at a multiple of 32 bytes.
        unsafe { _mm256_stream_ps(numbers.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn store_codes(self, codes: &mut [u8]) {
        // SAFETY: as for the operators.
        store_low_bytes(unsafe { _mm256_cvtps_epi32(self.0) }, codes);
    }

    #[inline(always)]
    fn store_truncated(self, bytes: &mut [u8]) {
        // SAFETY: as for the operators.
        store_low_bytes(unsafe { _mm256_cvttps_epi32(self.0) }, bytes);
    }

    #[inline(always)]
    fn store_nibbles(low: Self, high: Self, bytes: &mut [u8]) {
        // SAFETY: as for the operators.
        let nibbles = unsafe {
            let high = _mm256_slli_epi32::<4>(_mm256_cvttps_epi32(high.0));
            _mm256_or_si256(_mm256_cvttps_epi32(low.0), high)
        };
        store_low_bytes(nibbles, bytes);
    }

    #[inline(always)]
    fn load_halves(halves: &[u16]) -> Self {
        let halves = &halves[..Self::WIDTH];
        // SAFETY: eight halves are readable; the load needs no alignment.
        unsafe { Self(_mm256_cvtph_ps(_mm_loadu_si128(halves.as_ptr().cast()))) }
    }

    #[inline(always)]
    fn store_halves(self, halves: &mut [u16]) {
        let halves = &mut halves[..Self::WIDTH];
        // SAFETY: eight halves are writable; the store needs no alignment.
        unsafe {
            let rounded = _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(self.0);
            _mm_storeu_si128(halves.as_mut_ptr().cast(), rounded);
        }
        drop_payloads(halves);
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0)) }
    }

    #[inline(always)]
    fn copy_sign(self, sign: Self) -> Self {
        let (magnitude, sign) = (self.abs(), sign.0);
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_or_ps(magnitude.0, _mm256_and_ps(sign, _mm256_set1_ps(-0.0)))) }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_sqrt_ps(self.0)) }
    }

    #[inline(always)]
    fn lt(self, other: Self) -> Avx2Mask {
        // SAFETY: as for the operators.
        unsafe { Avx2Mask(_mm256_cmp_ps::<_CMP_LT_OQ>(self.0, other.0)) }
    }

    #[inline(always)]
    fn eq(self, other: Self) -> Avx2Mask {
        // SAFETY: as for the operators.
        unsafe { Avx2Mask(_mm256_cmp_ps::<_CMP_EQ_OQ>(self.0, other.0)) }
    }

    #[inline(always)]
    fn if_greater(self, other: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn if_less(self, other: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_min_ps(self.0, other.0)) }
    }

    #[inline(always)]
    fn select(mask: Avx2Mask, yes: Self, no: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_blendv_ps(no.0, yes.0, mask.0)) }
    }

    #[inline(always)]
    fn mask(bits: u32) -> Avx2Mask {
        // SAFETY: as for the operators.
        unsafe {
            let places = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
            let found = _mm256_and_si256(_mm256_set1_epi32(bits as i32), places);
            Avx2Mask(_mm256_castsi256_ps(_mm256_cmpeq_epi32(found, places)))
        }
    }

    #[inline(always)]
    fn any(mask: Avx2Mask) -> bool {
        // SAFETY: as for the operators.
        unsafe { _mm256_movemask_ps(mask.0) != 0 }
    }

    #[inline(always)]
    fn bits(mask: Avx2Mask) -> u32 {
        // SAFETY: as for the operators.
        unsafe { _mm256_movemask_ps(mask.0) as u32 }
    }

    #[inline(always)]
    fn round_even_within(self, low: f32, high: f32) -> Self {
        let (low, high) = (Self::splat(SHIFT + low), Self::splat(SHIFT + high));
        // SAFETY: as for the operators.
        unsafe {
            let limited = _mm256_min_epi32(_mm256_castps_si256(self.rounded()), _mm256_castps_si256(high.0));
            let limited = _mm256_max_epi32(limited, _mm256_castps_si256(low.0));
            Self(_mm256_castsi256_ps(limited)) - Self::splat(SHIFT)
        }
    }

    #[inline(always)]
    fn round_ordinary(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0)) }
    }

    #[inline(always)]
    fn at_most(self, limits: Self) -> Self {
        // As integers, floats above zero lie in their order, and those below zero under all of them.
        // SAFETY: as for the operators.
        unsafe {
            let (bits, limits) = (_mm256_castps_si256(self.0), _mm256_castps_si256(limits.0));
            Self(_mm256_castsi256_ps(_mm256_min_epi32(bits, limits)))
        }
    }

    #[inline(always)]
    fn at_least(self, limits: Self) -> Self {
        // As integers without a sign, floats below zero lie above all others and in reverse; so does a limit of zero
        // when it has their sign.
        // SAFETY: as for the operators.
        unsafe {
            let limits = _mm256_castps_si256(_mm256_or_ps(limits.0, _mm256_set1_ps(-0.0)));
            Self(_mm256_castsi256_ps(_mm256_min_epu32(_mm256_castps_si256(self.0), limits)))
        }
    }

    #[inline(always)]
    fn round_even_to_byte(self) -> Self {
        // SAFETY: as for the operators.
        unsafe {
            let byte = _mm256_and_si256(_mm256_castps_si256(self.rounded()), _mm256_set1_epi32(0xFF));
            Self(_mm256_cvtepi32_ps(byte))
        }
    }
}

macro_rules! avx2_mask_operators {
    ($($trait:ident $method:ident $intrinsic:ident;)*) => {
        $(impl $trait for Avx2Mask {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: as for the operators of numbers.
                unsafe { Self($intrinsic(self.0, other.0)) }
            }
        })*
    };
}
avx2_mask_operators! {
    BitAnd bitand _mm256_and_ps;
    BitOr bitor _mm256_or_ps;
}

impl Not for Avx2Mask {
    type Output = Self;

    #[inline(always)]
    fn not(self) -> Self {
        // SAFETY: as for the operators of numbers.
        unsafe { Self(_mm256_xor_ps(self.0, _mm256_castsi256_ps(_mm256_set1_epi32(-1)))) }
    }
}

/// The low eight bits of eight integers.
#[inline(always)]
fn store_low_bytes(numbers: __m256i, bytes: &mut [u8]) {
    let bytes = &mut bytes[..Avx2::WIDTH];
    // SAFETY: as for the operators. Eight bytes are writable; the store needs no alignment.
    unsafe {
        let low_bytes = _mm256_set1_epi32(0x0C08_0400);
        let fours = _mm256_shuffle_epi8(numbers, low_bytes);
        let (first, second) = (_mm256_castsi256_si128(fours), _mm256_extracti128_si256::<1>(fours));
        _mm_storel_epi64(bytes.as_mut_ptr().cast(), _mm_unpacklo_epi32(first, second));
    }
}
