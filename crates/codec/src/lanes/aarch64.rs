//! Four lanes of NEON.
//!
//! Minima and maxima of the processor treat NaN and zeros in their own way, and its conversions saturate. Where that
//! can be seen, a comparison and a selection say what is meant. Conversions from and to 16 bits go one by one: their
//! intrinsics are not in every compiler that this crate is for.
#![allow(unsafe_code)]

mod gather;
mod look_up;
mod peaks;
mod unpack;

use std::arch::aarch64::*;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use briq_format::scalar::F16;

use super::operators::operators;
use super::{Kernel, Lanes};

/// Four lanes.
#[derive(Clone, Copy)]
pub(super) struct Neon(float32x4_t);

/// A mask of four lanes: all bits of a lane, or none.
#[derive(Clone, Copy)]
pub(super) struct NeonMask(uint32x4_t);

/// 1.5 * 2^23: added to a number, it moves the rounding to whole numbers.
const SHIFT: f32 = 12_582_912.0;
/// The fraction of a float.
const FRACTION: u32 = 0x007F_FFFF;
/// The exponent of 2^23, of floats whose fraction counts ones.
const ONES: u32 = 0x4B00_0000;

/// Runs a kernel with four lanes.
#[target_feature(enable = "neon")]
pub(super) fn run_neon<K: Kernel>(kernel: K) {
    kernel.run::<Neon>();
}

operators! { Neon:
    Add add vaddq_f32;
    Sub sub vsubq_f32;
    Mul mul vmulq_f32;
    Div div vdivq_f32;
}

impl Neon {
    #[inline(always)]
    fn flip_sign(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vnegq_f32(self.0)) }
    }

    /// The bits of the number plus 1.5 * 2^23.
    #[inline(always)]
    fn shifted(self) -> uint32x4_t {
        // SAFETY: as for the operators.
        unsafe { vreinterpretq_u32_f32(vaddq_f32(self.0, vdupq_n_f32(SHIFT))) }
    }
}

impl Lanes for Neon {
    const WIDTH: usize = 4;
    type Short = Self;
    type Mask = NeonMask;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vdupq_n_f32(number)) }
    }

    #[inline(always)]
    fn load(numbers: &[f32]) -> Self {
        let numbers = &numbers[..Self::WIDTH];
        // SAFETY: four numbers are readable; the load needs no more alignment than they have.
        unsafe { Self(vld1q_f32(numbers.as_ptr())) }
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32]) {
        let numbers = &mut numbers[..Self::WIDTH];
        // SAFETY: four numbers are writable; the store needs no more alignment than they have.
        unsafe { vst1q_f32(numbers.as_mut_ptr(), self.0) }
    }

    #[inline(always)]
    fn store_codes(self, codes: &mut [u8]) {
        // SAFETY: as for the operators.
        store_low_bytes(unsafe { vcvtq_u32_f32(self.0) }, codes);
    }

    #[inline(always)]
    fn store_truncated(self, bytes: &mut [u8]) {
        // SAFETY: as for the operators.
        let numbers = unsafe {
            // What is too large is to have a low byte of zero, like a NaN and what is too small.
            let fits = vcltq_f32(self.0, vdupq_n_f32(2_147_483_648.0));
            vandq_u32(vreinterpretq_u32_s32(vcvtq_s32_f32(self.0)), fits)
        };
        store_low_bytes(numbers, bytes);
    }

    #[inline(always)]
    fn store_nibbles(low: Self, high: Self, bytes: &mut [u8]) {
        // SAFETY: as for the operators.
        let nibbles = unsafe { vorrq_u32(vcvtq_u32_f32(low.0), vshlq_n_u32::<4>(vcvtq_u32_f32(high.0))) };
        store_low_bytes(nibbles, bytes);
    }

    #[inline(always)]
    fn load_halves(halves: &[u16]) -> Self {
        let mut numbers = [0.0; Self::WIDTH];
        for (number, &half) in numbers.iter_mut().zip(&halves[..Self::WIDTH]) {
            *number = F16::from_bits(half).to_f32();
        }
        Self::load(&numbers)
    }

    #[inline(always)]
    fn store_halves(self, halves: &mut [u16]) {
        let mut numbers = [0.0; Self::WIDTH];
        self.store(&mut numbers);
        for (half, number) in halves[..Self::WIDTH].iter_mut().zip(numbers) {
            *half = F16::from_f32(number).to_bits();
        }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vabsq_f32(self.0)) }
    }

    #[inline(always)]
    fn copy_sign(self, sign: Self) -> Self {
        // SAFETY: as for the operators. A bit of the mask chooses a bit of the first.
        unsafe { Self(vbslq_f32(vdupq_n_u32(1 << 31), sign.0, self.0)) }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vsqrtq_f32(self.0)) }
    }

    #[inline(always)]
    fn lt(self, other: Self) -> NeonMask {
        // SAFETY: as for the operators.
        unsafe { NeonMask(vcltq_f32(self.0, other.0)) }
    }

    #[inline(always)]
    fn eq(self, other: Self) -> NeonMask {
        // SAFETY: as for the operators.
        unsafe { NeonMask(vceqq_f32(self.0, other.0)) }
    }

    #[inline(always)]
    fn if_greater(self, other: Self) -> Self {
        Self::select(self.gt(other), self, other)
    }

    #[inline(always)]
    fn if_less(self, other: Self) -> Self {
        Self::select(self.lt(other), self, other)
    }

    #[inline(always)]
    fn select(mask: NeonMask, yes: Self, no: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vbslq_f32(mask.0, yes.0, no.0)) }
    }

    #[inline(always)]
    fn mask(bits: u32) -> NeonMask {
        // SAFETY: as for the operators.
        unsafe { NeonMask(vtstq_u32(vdupq_n_u32(bits), places())) }
    }

    #[inline(always)]
    fn bits(mask: NeonMask) -> u32 {
        // SAFETY: as for the operators.
        unsafe { vaddvq_u32(vandq_u32(mask.0, places())) }
    }

    #[inline(always)]
    fn any(mask: NeonMask) -> bool {
        // SAFETY: as for the operators.
        unsafe { vmaxvq_u32(mask.0) != 0 }
    }

    #[inline(always)]
    fn round_even_within(self, low: f32, high: f32) -> Self {
        // The fraction under the exponent of 2^23 is 2^23 + 2^22 + the rounded value: floats above zero, that lie in
        // the order of their bits.
        // SAFETY: as for the operators.
        unsafe {
            let fraction = vandq_u32(self.shifted(), vdupq_n_u32(FRACTION));
            let rounded = vorrq_u32(fraction, vdupq_n_u32(ONES));
            let limited = vminq_u32(rounded, vdupq_n_u32((SHIFT + high).to_bits()));
            let limited = vmaxq_u32(limited, vdupq_n_u32((SHIFT + low).to_bits()));
            Self(vreinterpretq_f32_u32(limited)) - Self::splat(SHIFT)
        }
    }

    #[inline(always)]
    fn round_ordinary(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vrndnq_f32(self.0)) }
    }

    #[inline(always)]
    fn at_most(self, limits: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vminq_f32(self.0, limits.0)) }
    }

    #[inline(always)]
    fn at_least(self, limits: Self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vmaxq_f32(self.0, limits.0)) }
    }

    #[inline(always)]
    fn round_even_to_byte(self) -> Self {
        // SAFETY: as for the operators.
        unsafe { Self(vcvtq_f32_u32(vandq_u32(self.shifted(), vdupq_n_u32(0xFF)))) }
    }
}

macro_rules! mask_operators {
    ($($trait:ident $method:ident $intrinsic:ident;)*) => {
        $(impl $trait for NeonMask {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                // SAFETY: as for the operators of numbers.
                unsafe { Self($intrinsic(self.0, other.0)) }
            }
        })*
    };
}
mask_operators! {
    BitAnd bitand vandq_u32;
    BitOr bitor vorrq_u32;
}

impl Not for NeonMask {
    type Output = Self;

    #[inline(always)]
    fn not(self) -> Self {
        // SAFETY: as for the operators of numbers.
        unsafe { Self(vmvnq_u32(self.0)) }
    }
}

/// The bit of each lane.
#[inline(always)]
fn places() -> uint32x4_t {
    let places = [1, 2, 4, 8];
    // SAFETY: four numbers are readable.
    unsafe { vld1q_u32(places.as_ptr()) }
}

/// The low eight bits of four integers.
#[inline(always)]
fn store_low_bytes(numbers: uint32x4_t, bytes: &mut [u8]) {
    // SAFETY: as for the operators.
    let fours = unsafe {
        let halves = vmovn_u32(numbers);
        vget_lane_u32::<0>(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(halves, halves))))
    };
    bytes[..Neon::WIDTH].copy_from_slice(&fours.to_le_bytes());
}
