//! Look-ups by permutation of the bytes of a table.

use std::arch::aarch64::*;

use super::Neon;
use crate::lanes::{Lanes, LookUp};

impl LookUp for Neon {
    type Codes = uint32x4_t;

    #[inline(always)]
    fn load_codes(codes: &[u16]) -> uint32x4_t {
        let codes = &codes[..Self::WIDTH];
        // SAFETY: four codes are readable; the load needs no more alignment than they have.
        unsafe { vmovl_u16(vld1_u16(codes.as_ptr())) }
    }

    #[inline(always)]
    fn load_byte_codes(codes: &[u8]) -> uint32x4_t {
        let mut fours = [0; Self::WIDTH];
        fours.copy_from_slice(&codes[..Self::WIDTH]);
        // SAFETY: as for the operators.
        unsafe {
            let bytes = vreinterpret_u8_u32(vdup_n_u32(u32::from_le_bytes(fours)));
            vmovl_u16(vget_low_u16(vmovl_u8(bytes)))
        }
    }

    #[inline(always)]
    fn to_codes(self) -> uint32x4_t {
        // SAFETY: as for the operators.
        unsafe { vreinterpretq_u32_f32(self.0) }
    }

    #[inline(always)]
    fn from_codes(codes: uint32x4_t, shift: usize) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vreinterpretq_f32_u32(vshlq_u32(codes, vdupq_n_s32(-(shift as i32))))) }
    }

    #[inline(always)]
    fn look_up(table: &[f32; 8], codes: uint32x4_t, shift: usize) -> Self {
        // SAFETY: as for the operators.
        unsafe {
            let digits = vandq_u32(vshlq_u32(codes, vdupq_n_s32(-(shift as i32))), vdupq_n_u32(7));
            let table = uint8x16x2_t(part(&table[..4]), part(&table[4..]));
            Self(vreinterpretq_f32_u8(vqtbl2q_u8(table, places(digits))))
        }
    }

    #[inline(always)]
    fn count_reached(self, bounds: &[f32; 15]) -> uint32x4_t {
        // SAFETY: as for the operators.
        unsafe {
            let mut codes = vdupq_n_u32(15);
            for &bound in bounds {
                // A comparison that holds gives -1.
                codes = vaddq_u32(codes, vcltq_f32(self.0, vdupq_n_f32(bound)));
            }
            codes
        }
    }

    #[inline(always)]
    fn look_up_16(table: &[f32; 16], codes: uint32x4_t) -> Self {
        // SAFETY: as for the operators.
        unsafe {
            let (a, b) = (part(&table[..4]), part(&table[4..8]));
            let (c, d) = (part(&table[8..12]), part(&table[12..]));
            let codes = vandq_u32(codes, vdupq_n_u32(15));
            Self(vreinterpretq_f32_u8(vqtbl4q_u8(uint8x16x4_t(a, b, c, d), places(codes))))
        }
    }

    #[inline(always)]
    fn least(self) -> f32 {
        // SAFETY: as for the operators.
        unsafe { vminvq_f32(self.0) }
    }
}

/// Four numbers of a table as bytes.
#[inline(always)]
fn part(numbers: &[f32]) -> uint8x16_t {
    // SAFETY: as for the operators.
    unsafe { vreinterpretq_u8_f32(Neon::load(numbers).0) }
}

/// Where the four bytes of each number are.
#[inline(always)]
fn places(codes: uint32x4_t) -> uint8x16_t {
    // SAFETY: as for the operators.
    unsafe { vreinterpretq_u8_u32(vmlaq_n_u32(vdupq_n_u32(0x0302_0100), codes, 0x0404_0404)) }
}
