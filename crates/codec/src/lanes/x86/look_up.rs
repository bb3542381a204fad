//! Look-ups by permutation within a register.

use std::arch::x86_64::*;

use super::{Avx2, Avx512};
use crate::lanes::{Lanes, LookUp};

impl LookUp for Avx2 {
    type Codes = __m256i;

    #[inline(always)]
    fn load_codes(codes: &[u16]) -> __m256i {
        let codes = &codes[..Self::WIDTH];
        // SAFETY: eight codes are readable; the load needs no alignment.
        unsafe { _mm256_cvtepu16_epi32(_mm_loadu_si128(codes.as_ptr().cast())) }
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
    fn least(self) -> f32 {
        // SAFETY: as for the operators.
        unsafe { _mm512_reduce_min_ps(self.0) }
    }
}
