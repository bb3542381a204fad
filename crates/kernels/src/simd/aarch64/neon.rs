//! NEON: products of bytes are summed as words, and words as ints.
//!
//! # Safety
//! Every block is intrinsics that need nothing but their instruction set. [`Neon`] is made only inside a function that
//! enables them, and that function is called only where they were detected; what an intrinsic needs of memory is the
//! size of the array that it is given, at any address.

use std::arch::aarch64::*;
use std::arch::asm;

use zerocopy::{transmute, transmute_mut, transmute_ref};

use super::floats::{floats, on_floats, widened};
use super::moves::{fours, load_16, moves, opaque, twice};
use super::products::{add_eights, add_sixteen, products};
use super::view::{Pair, View, both, map, zip};
use crate::simd::{BYTES_OF_BITS, ONE_BIT_EACH, Simd, narrow};

/// Proof that the processor has NEON.
#[derive(Clone, Copy)]
pub(super) struct Neon(());

impl Neon {
    /// Called only where NEON is enabled.
    #[target_feature(enable = "neon")]
    pub(super) fn new() -> Self {
        Self(())
    }
}

/// Operations that are an instruction for each half.
macro_rules! by_halves {
    ($($name:ident $intrinsic:ident;)*) => {
        $(#[inline(always)]
        fn $name(self, a: Pair, b: Pair) -> Pair {
            // SAFETY: see the module.
            zip(a, b, |a, b| unsafe { $intrinsic(a, b) })
        })*
    };
}

impl Simd for Neon {
    type Ints = Pair;
    type Floats = [float32x4_t; 2];
    /// A word for each 16 weights.
    type Scales = Pair;

    moves!();
    products!();
    floats!();
    narrow!();

    by_halves! {
        and vandq_u8;
        or vorrq_u8;
        add_words vaddq_s16;
        add vaddq_s32;
        subtract vsubq_s32;
        multiply_words vmulq_s16;
        subtract_bytes vsubq_u8;
        multiply_ints vmulq_s32;
        look_up vqtbl1q_u8;
        alternate_words vtrn1q_u16;
    }

    #[inline(always)]
    fn made_even(self, bytes: Pair) -> Pair {
        // The lowest bit of the number of bits goes above the other seven.
        // SAFETY: see the module.
        both(bytes, |bytes| unsafe { vsliq_n_u8::<7>(bytes, vcntq_u8(bytes)) })
    }
    #[inline(always)]
    fn zero(self) -> Pair {
        self.splat(0)
    }
    #[inline(always)]
    fn splat(self, byte: u8) -> Pair {
        // SAFETY: see the module.
        unsafe { [vdupq_n_u8(byte); 2] }
    }
    #[inline(always)]
    fn splat_word(self, word: i16) -> Pair {
        // SAFETY: see the module.
        unsafe { [vdupq_n_s16(word).bytes(); 2] }
    }
    #[inline(always)]
    fn splat_int(self, int: i32) -> Pair {
        // SAFETY: see the module.
        unsafe { [vdupq_n_s32(int).bytes(); 2] }
    }
    #[inline(always)]
    fn first(self, int: i32) -> Pair {
        // SAFETY: see the module.
        unsafe { [vsetq_lane_s32::<0>(int, vdupq_n_s32(0)).bytes(), vdupq_n_u8(0)] }
    }
    #[inline(always)]
    fn three_times(self, bytes: Pair) -> Pair {
        // SAFETY: see the module.
        both(bytes, |bytes| unsafe { vaddq_u8(vaddq_u8(bytes, bytes), bytes) })
    }
    #[inline(always)]
    fn bits<const FROM: u32, const COUNT: u32, const TO: u32>(self, bytes: Pair) -> Pair {
        // SAFETY: see the module. A shift to the left by less than zero is one to the right.
        let moved = map(bytes, |bytes| unsafe {
            vshlq_u8(bytes, vdupq_n_s8(const { TO.cast_signed() - FROM.cast_signed() } as i8))
        });
        if FROM + COUNT == 8 && TO == 0 {
            // The others have been moved out.
            return moved;
        }
        self.and(moved, self.splat((((1_u32 << COUNT) - 1) << TO) as u8))
    }
    #[inline(always)]
    fn shift_right_ints<const BITS: i32>(self, ints: Pair) -> Pair {
        // SAFETY: see the module. A shift to the left by less than zero is one to the right.
        map(ints, |ints| unsafe { vshlq_s32(ints, vdupq_n_s32(-BITS)) })
    }
    #[inline(always)]
    fn shift_left_ints<const BITS: i32>(self, ints: Pair) -> Pair {
        // SAFETY: see the module.
        map(ints, |ints| unsafe { vshlq_s32(ints, vdupq_n_s32(BITS)) })
    }
    #[inline(always)]
    fn negate_where(self, bytes: Pair, bits: &[u8; 32], run: usize) -> Pair {
        let bits = u32::from_le_bytes(bits.as_chunks().0[run]);
        // SAFETY: see the module. Zero less one is all bits: the complement of a number, plus one, is its negative.
        zip(bytes, self.bytes_where(bits, 0xFF), |bytes, negative| unsafe {
            vsubq_u8(veorq_u8(bytes, negative), negative)
        })
    }
}
