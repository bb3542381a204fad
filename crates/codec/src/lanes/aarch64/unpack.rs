//! Four codes at a time, widened to numbers.

use std::arch::aarch64::*;

use briq_format::scalar::F16;

use super::Neon;
use crate::lanes::{Lanes, Unpack};

impl Unpack for Neon {
    #[inline(always)]
    fn splat_half(half: F16) -> Self {
        Self::splat(<f32 as Unpack>::splat_half(half))
    }

    #[inline(always)]
    fn from_bytes(bytes: &[u8]) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(four(bytes)))))) }
    }

    #[inline(always)]
    fn from_signed_bytes(bytes: &[i8]) -> Self {
        let [a, b, c, d] = [bytes[0], bytes[1], bytes[2], bytes[3]].map(i8::cast_unsigned);
        widened(four(&[a, b, c, d]))
    }

    #[inline(always)]
    fn from_bit_pairs(pairs: u64) -> Self {
        let places = [0, -2, -4, -6];
        // SAFETY: as for the operators. Four numbers are readable; a shift to the left by less than zero is one to the
        // right.
        unsafe {
            let shifted = vshlq_u32(vdupq_n_u32(pairs as u32), vld1q_s32(places.as_ptr()));
            Self(vcvtq_f32_u32(vandq_u32(shifted, vdupq_n_u32(3))))
        }
    }

    #[inline(always)]
    fn from_levels(levels: &[i8; 16], codes: &[u8]) -> Self {
        // SAFETY: as for the operators. Sixteen levels are readable.
        widened(unsafe { vreinterpret_u8_s8(vqtbl1_s8(vld1q_s8(levels.as_ptr()), four(codes))) })
    }
}

/// The first four bytes, and zeros.
#[inline(always)]
fn four(bytes: &[u8]) -> uint8x8_t {
    let word = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    // SAFETY: as for the operators.
    unsafe { vcreate_u8(word.into()) }
}

/// The first four bytes, with their signs, as numbers.
#[inline(always)]
fn widened(bytes: uint8x8_t) -> Neon {
    // SAFETY: as for the operators.
    unsafe { Neon(vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(bytes)))))) }
}
