//! Eight lanes of AVX2, sixteen of AVX-512.
//!
//! The bits of `value + 1.5 * 2^23` hold the rounded value; see [`round_even`](crate::primitives::round_even).
//! Its low 23 bits, put under the exponent of 2^23, are a float that can be limited and shifted back without
//! a conversion between registers of integers and of floats.
#![allow(unsafe_code)]

mod look_up;

use std::arch::x86_64::*;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use super::Lanes;

/// 1.5 * 2^23: added to a number, it moves the rounding to whole numbers.
const SHIFT: f32 = 12_582_912.0;
/// The fraction of a float.
const FRACTION: i32 = 0x007F_FFFF;
/// The exponent of 2^23, of floats whose fraction counts ones.
const ONES: i32 = 0x4B00_0000;

macro_rules! operators {
    ($lanes:ident: $($trait:ident $method:ident $intrinsic:ident;)*) => {
        $(impl $trait for $lanes {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: a value of this type exists only where the processor has the instruction.
                unsafe { Self($intrinsic(self.0, other.0)) }
            }
        })*

        impl Neg for $lanes {
            type Output = Self;

            #[inline(always)]
            fn neg(self) -> Self {
                self.flip_sign()
            }
        }
    };
}

/// Eight lanes.
#[derive(Clone, Copy)]
pub(super) struct Avx2(__m256);

/// A mask of eight lanes: all bits of a lane, or none.
#[derive(Clone, Copy)]
pub(super) struct Avx2Mask(__m256);

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
    fn store_codes(self, codes: &mut [u8]) {
        let mut numbers = [0_i32; 8];
        // SAFETY: eight numbers are writable; the store needs no alignment.
        unsafe { _mm256_storeu_si256(numbers.as_mut_ptr().cast(), _mm256_cvtps_epi32(self.0)) }
        for (code, number) in codes[..Self::WIDTH].iter_mut().zip(numbers) {
            *code = number as u8;
        }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0)) }
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
    fn select(mask: Avx2Mask, yes: Self, no: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_blendv_ps(no.0, yes.0, mask.0)) }
    }

    #[inline(always)]
    fn any(mask: Avx2Mask) -> bool {
        // SAFETY: as for the operators.
        unsafe { _mm256_movemask_ps(mask.0) != 0 }
    }

    #[inline(always)]
    fn round_even_within(self, low: f32, high: f32) -> Self {
        let (low, high) = (Self::splat(SHIFT + low), Self::splat(SHIFT + high));
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_max_ps(_mm256_min_ps(self.rounded(), high.0), low.0)) - Self::splat(SHIFT) }
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

/// Sixteen lanes.
#[derive(Clone, Copy)]
pub(super) struct Avx512(__m512);

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
    fn store_codes(self, codes: &mut [u8]) {
        let codes = &mut codes[..Self::WIDTH];
        // SAFETY: sixteen bytes are writable; the store needs no alignment.
        unsafe {
            _mm_storeu_si128(codes.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(self.0)))
        }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_abs_ps(self.0)) }
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
    fn select(mask: __mmask16, yes: Self, no: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_mask_blend_ps(mask, no.0, yes.0)) }
    }

    #[inline(always)]
    fn any(mask: __mmask16) -> bool {
        mask != 0
    }

    #[inline(always)]
    fn round_even_within(self, low: f32, high: f32) -> Self {
        let (low, high) = (Self::splat(SHIFT + low), Self::splat(SHIFT + high));
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_max_ps(_mm512_min_ps(self.rounded(), high.0), low.0)) - Self::splat(SHIFT) }
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

/// Runs a kernel with eight lanes.
#[target_feature(enable = "avx2,f16c")]
pub(super) fn run_avx2<K: super::Kernel>(kernel: K) {
    kernel.run::<Avx2>();
}

/// Runs a kernel with sixteen lanes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c")]
pub(super) fn run_avx512<K: super::Kernel>(kernel: K) {
    kernel.run::<Avx512>();
}
