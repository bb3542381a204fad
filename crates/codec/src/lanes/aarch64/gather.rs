//! Transposition of four elements at a time, as a matrix of four by four.

use std::arch::aarch64::*;

use super::Neon;
use crate::lanes::{Gather, Lanes};

impl Gather for Neon {
    #[inline(always)]
    fn gather<const N: usize>(blocks: &[&[f32; N]], start: usize) -> [Self; 4] {
        let mut rows = [Self::zero(); 4];
        for (row, block) in rows.iter_mut().zip(&blocks[..4]) {
            *row = Self::load(&block[start..start + 4]);
        }
        let [a, b, c, d] = rows;
        // SAFETY: as for the operators.
        unsafe {
            let (ab_even, ab_odd) = (vtrn1q_f32(a.0, b.0), vtrn2q_f32(a.0, b.0));
            let (cd_even, cd_odd) = (vtrn1q_f32(c.0, d.0), vtrn2q_f32(c.0, d.0));
            [low(ab_even, cd_even), low(ab_odd, cd_odd), high(ab_even, cd_even), high(ab_odd, cd_odd)]
        }
    }
}

/// The lower halves of both.
#[inline(always)]
fn low(ab: float32x4_t, cd: float32x4_t) -> Neon {
    // SAFETY: as for the operators.
    unsafe { Neon(vcombine_f32(vget_low_f32(ab), vget_low_f32(cd))) }
}

/// The upper halves of both.
#[inline(always)]
fn high(ab: float32x4_t, cd: float32x4_t) -> Neon {
    // SAFETY: as for the operators.
    unsafe { Neon(vcombine_f32(vget_high_f32(ab), vget_high_f32(cd))) }
}
