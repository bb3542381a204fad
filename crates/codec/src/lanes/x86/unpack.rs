//! Bytes widened to numbers.

use std::arch::x86_64::*;

use briq_format::scalar::F16;

use super::{Avx2, Avx512};
use crate::lanes::{Lanes, Unpack};

impl Unpack for Avx2 {
    #[inline(always)]
    fn splat_half(half: F16) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm256_cvtph_ps(_mm_set1_epi16(half.to_bits() as i16))) }
    }

    #[inline(always)]
    fn from_bytes(bytes: &[u8]) -> Self {
        let bytes = &bytes[..Self::WIDTH];
        // SAFETY: eight bytes are readable; the load needs no alignment.
        unsafe {
            let bytes = _mm_loadl_epi64(bytes.as_ptr().cast());
            Self(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)))
        }
    }

    #[inline(always)]
    fn from_signed_bytes(bytes: &[i8]) -> Self {
        let bytes = &bytes[..Self::WIDTH];
        // SAFETY: eight bytes are readable; the load needs no alignment.
        unsafe {
            let bytes = _mm_loadl_epi64(bytes.as_ptr().cast());
            Self(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)))
        }
    }

    #[inline(always)]
    fn from_bit_pairs(pairs: u64) -> Self {
        // SAFETY: as for the operators.
        unsafe {
            let places = _mm256_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14);
            let moved = _mm256_srlv_epi32(_mm256_set1_epi32(pairs as i32), places);
            Self(_mm256_cvtepi32_ps(_mm256_and_si256(moved, _mm256_set1_epi32(3))))
        }
    }

    #[inline(always)]
    fn from_levels(levels: &[i8; 16], codes: &[u8]) -> Self {
        let codes = &codes[..Self::WIDTH];
        // SAFETY: sixteen levels and eight codes are readable; the loads need no alignment.
        unsafe {
            let levels = _mm_loadu_si128(levels.as_ptr().cast());
            let found = _mm_shuffle_epi8(levels, _mm_loadl_epi64(codes.as_ptr().cast()));
            Self(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(found)))
        }
    }
}

impl Unpack for Avx512 {
    #[inline(always)]
    fn splat_half(half: F16) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(_mm512_cvtph_ps(_mm256_set1_epi16(half.to_bits() as i16))) }
    }

    #[inline(always)]
    fn from_bytes(bytes: &[u8]) -> Self {
        let bytes = &bytes[..Self::WIDTH];
        // SAFETY: sixteen bytes are readable; the load needs no alignment.
        unsafe {
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
            Self(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)))
        }
    }

    #[inline(always)]
    fn from_signed_bytes(bytes: &[i8]) -> Self {
        let bytes = &bytes[..Self::WIDTH];
        // SAFETY: sixteen bytes are readable; the load needs no alignment.
        unsafe {
            let bytes = _mm_loadu_si128(bytes.as_ptr().cast());
            Self(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)))
        }
    }

    #[inline(always)]
    fn from_bit_pairs(pairs: u64) -> Self {
        // SAFETY: as for the operators.
        unsafe {
            let places = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            let moved = _mm512_srlv_epi32(_mm512_set1_epi32(pairs as i32), places);
            Self(_mm512_cvtepi32_ps(_mm512_and_si512(moved, _mm512_set1_epi32(3))))
        }
    }

    #[inline(always)]
    fn from_levels(levels: &[i8; 16], codes: &[u8]) -> Self {
        let codes = &codes[..Self::WIDTH];
        // SAFETY: sixteen levels and sixteen codes are readable; the loads need no alignment.
        unsafe {
            let levels = _mm_loadu_si128(levels.as_ptr().cast());
            let found = _mm_shuffle_epi8(levels, _mm_loadu_si128(codes.as_ptr().cast()));
            Self(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(found)))
        }
    }
}
