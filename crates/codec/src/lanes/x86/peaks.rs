//! Maxima of blocks, a register per block at first. Merging two registers leaves half as many elements of each block;
//! after as many times as a register can be halved, every lane has a block of its own.

use std::arch::x86_64::*;

use super::{Avx2, Avx512};
use crate::lanes::{Lanes, Peaks};

impl Peaks for Avx2 {
    #[inline(always)]
    fn peaks<const N: usize>(blocks: &[&[f32; N]]) -> (Self, Self) {
        // SAFETY: as for the operators.
        unsafe {
            let mut signed = [_mm256_setzero_si256(); Self::WIDTH];
            let mut unsigned = signed;
            for ((signed, unsigned), block) in signed.iter_mut().zip(&mut unsigned).zip(blocks) {
                (*signed, *unsigned) = (_mm256_castps_si256(Self::load(*block).0), _mm256_setzero_si256());
                for x in block.as_chunks::<8>().0 {
                    let x = _mm256_castps_si256(Self::load(x).0);
                    *signed = _mm256_max_epi32(*signed, x);
                    *unsigned = _mm256_max_epu32(*unsigned, x);
                }
            }
            macro_rules! merged {
                ($registers:ident, $max:ident) => {{
                    let [a, b, c, d, e, f, g, h] = $registers;
                    let (ab, cd) = (
                        $max(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b)),
                        $max(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d)),
                    );
                    let (ef, gh) = (
                        $max(_mm256_unpacklo_epi32(e, f), _mm256_unpackhi_epi32(e, f)),
                        $max(_mm256_unpacklo_epi32(g, h), _mm256_unpackhi_epi32(g, h)),
                    );
                    let first = $max(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
                    let second = $max(_mm256_unpacklo_epi64(ef, gh), _mm256_unpackhi_epi64(ef, gh));
                    let low = _mm256_permute2x128_si256::<0x20>(first, second);
                    let high = _mm256_permute2x128_si256::<0x31>(first, second);
                    Self(_mm256_castsi256_ps($max(low, high)))
                }};
            }
            (merged!(signed, _mm256_max_epi32), merged!(unsigned, _mm256_max_epu32))
        }
    }
}

impl Peaks for Avx512 {
    #[inline(always)]
    fn peaks<const N: usize>(blocks: &[&[f32; N]]) -> (Self, Self) {
        // SAFETY: as for the operators.
        unsafe {
            let mut signed = [_mm512_setzero_si512(); Self::WIDTH];
            let mut unsigned = signed;
            for ((signed, unsigned), block) in signed.iter_mut().zip(&mut unsigned).zip(blocks) {
                (*signed, *unsigned) = (_mm512_castps_si512(Self::load(*block).0), _mm512_setzero_si512());
                for x in block.as_chunks::<16>().0 {
                    let x = _mm512_castps_si512(Self::load(x).0);
                    *signed = _mm512_max_epi32(*signed, x);
                    *unsigned = _mm512_max_epu32(*unsigned, x);
                }
            }
            macro_rules! merged {
                ($registers:ident, $max:ident) => {{
                    // Blocks four by four: in each 128 bits an element of each.
                    let mut fours = [_mm512_setzero_si512(); 4];
                    for (four, registers) in fours.iter_mut().zip($registers.as_chunks::<4>().0) {
                        let [a, b, c, d] = *registers;
                        let ab = $max(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
                        let cd = $max(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
                        *four = $max(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
                    }
                    let [a, b, c, d] = fours;
                    let ab = $max(_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xDD>(a, b));
                    let cd = $max(_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xDD>(c, d));
                    let low = _mm512_shuffle_i32x4::<0x88>(ab, cd);
                    let high = _mm512_shuffle_i32x4::<0xDD>(ab, cd);
                    Self(_mm512_castsi512_ps($max(low, high)))
                }};
            }
            (merged!(signed, _mm512_max_epi32), merged!(unsigned, _mm512_max_epu32))
        }
    }
}
