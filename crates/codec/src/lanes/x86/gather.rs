//! Transposition of four elements at a time. Every 128 bits of a register hold four elements of a block; four
//! registers are transposed there as a matrix of four by four.

use std::arch::x86_64::*;

use super::{Avx2, Avx512};
use crate::lanes::Gather;

/// The elements from `start` to `start + 3`.
#[inline(always)]
fn four<const N: usize>(block: &[f32; N], start: usize) -> __m128 {
    let elements = &block[start..start + 4];
    // SAFETY: four numbers are readable; the load needs no alignment.
    unsafe { _mm_loadu_ps(elements.as_ptr()) }
}

impl Gather for Avx2 {
    #[inline(always)]
    fn gather<const N: usize>(blocks: &[&[f32; N]], start: usize) -> [Self; 4] {
        // SAFETY: as for the operators.
        unsafe {
            let mut rows = [_mm256_setzero_ps(); 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let low = _mm256_castps128_ps256(four(blocks[i], start));
                *row = _mm256_insertf128_ps::<1>(low, four(blocks[i + 4], start));
            }
            let [a, b, c, d] = rows;
            let (ab, cd) = (_mm256_unpacklo_ps(a, b), _mm256_unpacklo_ps(c, d));
            let first = Self(_mm256_shuffle_ps::<0x44>(ab, cd));
            let second = Self(_mm256_shuffle_ps::<0xEE>(ab, cd));
            let (ab, cd) = (_mm256_unpackhi_ps(a, b), _mm256_unpackhi_ps(c, d));
            [first, second, Self(_mm256_shuffle_ps::<0x44>(ab, cd)), Self(_mm256_shuffle_ps::<0xEE>(ab, cd))]
        }
    }
}

impl Gather for Avx512 {
    #[inline(always)]
    fn gather<const N: usize>(blocks: &[&[f32; N]], start: usize) -> [Self; 4] {
        // SAFETY: as for the operators.
        unsafe {
            let mut rows = [_mm512_setzero_ps(); 4];
            for (i, row) in rows.iter_mut().enumerate() {
                let lowest = _mm512_castps128_ps512(four(blocks[i], start));
                let half = _mm512_insertf32x4::<1>(lowest, four(blocks[i + 4], start));
                let most = _mm512_insertf32x4::<2>(half, four(blocks[i + 8], start));
                *row = _mm512_insertf32x4::<3>(most, four(blocks[i + 12], start));
            }
            let [a, b, c, d] = rows;
            let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
            let first = Self(_mm512_shuffle_ps::<0x44>(ab, cd));
            let second = Self(_mm512_shuffle_ps::<0xEE>(ab, cd));
            let (ab, cd) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
            [first, second, Self(_mm512_shuffle_ps::<0x44>(ab, cd)), Self(_mm512_shuffle_ps::<0xEE>(ab, cd))]
        }
    }
}
