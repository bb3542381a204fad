//! Look-ups by permutation within a register.

use std::arch::x86_64::*;

use super::{Avx2, Avx512};
use crate::lanes::{Lanes, LookUp};

impl Avx2 {
    /// -1 where this number is not less than `bound`.
    #[inline(always)]
    fn not_below(self, bound: __m256) -> __m256i {
        // SAFETY: as for the operators.
        unsafe { _mm256_castps_si256(_mm256_cmp_ps::<_CMP_NLT_UQ>(self.0, bound)) }
    }
}

impl LookUp for Avx2 {
    type Codes = __m256i;

    #[inline(always)]
    fn load_codes(codes: &[u16]) -> __m256i {
        let codes = &codes[..Self::WIDTH];
        // SAFETY: eight codes are readable; the load needs no alignment.
        unsafe { _mm256_cvtepu16_epi32(_mm_loadu_si128(codes.as_ptr().cast())) }
    }

    #[inline(always)]
    fn load_byte_codes(codes: &[u8]) -> __m256i {
        let codes = &codes[..Self::WIDTH];
        // SAFETY: eight codes are readable; the load needs no alignment.
        unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(codes.as_ptr().cast())) }
    }

    #[inline(always)]
    fn to_codes(self) -> __m256i {
        // SAFETY: as for the operators.
        unsafe { _mm256_castps_si256(self.0) }
    }

    #[inline(always)]
    fn from_codes(codes: __m256i, shift: usize) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_castsi256_ps(_mm256_srl_epi32(codes, _mm_cvtsi32_si128(shift as i32)))) }
    }

    #[inline(always)]
    fn look_up(table: &[f32; 8], codes: __m256i, shift: usize) -> Self {
        // SAFETY: eight numbers are readable; the load needs no alignment. Of an index the low three bits count.
        unsafe {
            let indices = _mm256_srl_epi32(codes, _mm_cvtsi32_si128(shift as i32));
            Self(_mm256_permutevar8x32_ps(_mm256_loadu_ps(table.as_ptr()), indices))
        }
    }

    #[inline(always)]
    fn count_reached(self, b: &[f32; 15]) -> __m256i {
        // A comparison that holds gives -1. So codes count downwards, and their low three bits find a bound: 0, 7, 6
        // and so on stand for 0, 1, 2.
        // SAFETY: as for the operators.
        unsafe {
            let high = self.not_below(_mm256_set1_ps(b[7]));
            let bound =
                _mm256_blendv_ps(_mm256_set1_ps(b[3]), _mm256_set1_ps(b[11]), _mm256_castsi256_ps(high));
            let codes = _mm256_add_epi32(_mm256_add_epi32(high, high), self.not_below(bound));
            let bounds = _mm256_setr_ps(b[1], b[1], b[1], b[1], b[1], b[13], b[9], b[5]);
            let bound = _mm256_permutevar8x32_ps(bounds, codes);
            let codes = _mm256_add_epi32(_mm256_add_epi32(codes, codes), self.not_below(bound));
            let bounds = _mm256_setr_ps(b[0], b[14], b[12], b[10], b[8], b[6], b[4], b[2]);
            let bound = _mm256_permutevar8x32_ps(bounds, codes);
            let codes = _mm256_add_epi32(_mm256_add_epi32(codes, codes), self.not_below(bound));
            _mm256_sub_epi32(_mm256_setzero_si256(), codes)
        }
    }

    #[inline(always)]
    fn look_up_16(table: &[f32; 16], codes: __m256i) -> Self {
        // SAFETY: eight numbers are readable; the loads need no alignment. Of an index the low three bits count, and
        // of a condition the highest one.
        unsafe {
            let low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table[..8].as_ptr()), codes);
            let high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table[8..].as_ptr()), codes);
            Self(_mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(codes))))
        }
    }

    #[inline(always)]
    fn least(self) -> f32 {
        // SAFETY: as for the operators.
        unsafe {
            let least = _mm_min_ps(_mm256_castps256_ps128(self.0), _mm256_extractf128_ps::<1>(self.0));
            let least = _mm_min_ps(least, _mm_movehl_ps(least, least));
            _mm_cvtss_f32(_mm_min_ss(least, _mm_movehdup_ps(least)))
        }
    }
}

impl LookUp for Avx512 {
    type Codes = __m512i;

    #[inline(always)]
    fn load_codes(codes: &[u16]) -> __m512i {
        let codes = &codes[..Self::WIDTH];
        // SAFETY: sixteen codes are readable; the load needs no alignment.
        unsafe { _mm512_cvtepu16_epi32(_mm256_loadu_si256(codes.as_ptr().cast())) }
    }

    #[inline(always)]
    fn load_byte_codes(codes: &[u8]) -> __m512i {
        let codes = &codes[..Self::WIDTH];
        // SAFETY: sixteen codes are readable; the load needs no alignment.
        unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.as_ptr().cast())) }
    }

    #[inline(always)]
    fn to_codes(self) -> __m512i {
        // SAFETY: as for the operators.
        unsafe { _mm512_castps_si512(self.0) }
    }

    #[inline(always)]
    fn from_codes(codes: __m512i, shift: usize) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_castsi512_ps(_mm512_srl_epi32(codes, _mm_cvtsi32_si128(shift as i32)))) }
    }

    #[inline(always)]
    fn look_up(table: &[f32; 8], codes: __m512i, shift: usize) -> Self {
        // SAFETY: eight numbers are readable; the load needs no alignment. Of an index the low four bits count, and
        // the table is there twice.
        unsafe {
            let indices = _mm512_srl_epi32(codes, _mm_cvtsi32_si128(shift as i32));
            let table = _mm512_broadcast_f32x8(_mm256_loadu_ps(table.as_ptr()));
            Self(_mm512_permutexvar_ps(indices, table))
        }
    }

    #[inline(always)]
    fn count_reached(self, bounds: &[f32; 15]) -> __m512i {
        // A binary search: the bound to compare with lies half a step above those that are known to be reached.
        // SAFETY: as for the operators. Only as many numbers are read as are left; the load needs no alignment.
        unsafe {
            let high = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(self.0, _mm512_set1_ps(bounds[7]));
            let mut codes = _mm512_maskz_set1_epi32(high, 8);
            for step in [4, 2, 1] {
                let left = &bounds[step - 1..];
                let left = _mm512_maskz_loadu_ps(((1_u32 << left.len()) - 1) as u16, left.as_ptr());
                let bound = _mm512_permutexvar_ps(codes, left);
                let reached = _mm512_cmp_ps_mask::<_CMP_NLT_UQ>(self.0, bound);
                codes = _mm512_mask_add_epi32(codes, reached, codes, _mm512_set1_epi32(step as i32));
            }
            codes
        }
    }

    #[inline(always)]
    fn look_up_16(table: &[f32; 16], codes: __m512i) -> Self {
        // SAFETY: sixteen numbers are readable; the load needs no alignment. Of an index the low four bits count.
        unsafe { Self(_mm512_permutexvar_ps(codes, _mm512_loadu_ps(table.as_ptr()))) }
    }

    #[inline(always)]
    fn least(self) -> f32 {
        // SAFETY: as for the operators.
        unsafe { _mm512_reduce_min_ps(self.0) }
    }
}
