//! Maxima of blocks, one block after the other.

use std::arch::aarch64::*;

use super::Neon;
use crate::lanes::{Lanes, Peaks};

impl Peaks for Neon {
    #[inline(always)]
    fn peaks<const N: usize>(blocks: &[&[f32; N]]) -> (Self, Self) {
        let (mut signed, mut unsigned) = ([0.0; Self::WIDTH], [0.0; Self::WIDTH]);
        for ((signed, unsigned), block) in signed.iter_mut().zip(&mut unsigned).zip(blocks) {
            // SAFETY: as for the operators.
            unsafe {
                let (mut largest, mut largest_unsigned) = (vdupq_n_s32(i32::MIN), vdupq_n_u32(0));
                for x in block.as_chunks::<4>().0 {
                    let x = Self::load(x).0;
                    largest = vmaxq_s32(largest, vreinterpretq_s32_f32(x));
                    largest_unsigned = vmaxq_u32(largest_unsigned, vreinterpretq_u32_f32(x));
                }
                *signed = f32::from_bits(vmaxvq_s32(largest).cast_unsigned());
                *unsigned = f32::from_bits(vmaxvq_u32(largest_unsigned));
            }
        }
        (Self::load(&signed), Self::load(&unsigned))
    }
}
