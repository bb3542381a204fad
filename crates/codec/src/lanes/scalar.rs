//! One lane: plain `f32`, for every processor.

use briq_format::scalar::F16;

use super::{Lanes, Unpack};
use crate::primitives::{round_even, truncate};

impl Lanes for f32 {
    const WIDTH: usize = 1;
    type Short = Self;
    type Mask = bool;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        number
    }

    #[inline(always)]
    fn load(numbers: &[f32]) -> Self {
        numbers[0]
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32]) {
        numbers[0] = self;
    }

    #[inline(always)]
    fn store_codes(self, codes: &mut [u8]) {
        codes[0] = self as u8;
    }

    #[inline(always)]
    fn store_truncated(self, bytes: &mut [u8]) {
        bytes[0] = truncate(self) as u8;
    }

    #[inline(always)]
    fn store_nibbles(low: Self, high: Self, bytes: &mut [u8]) {
        bytes[0] = low as u8 | (high as u8) << 4;
    }

    #[inline(always)]
    fn load_halves(halves: &[u16]) -> Self {
        Self::splat_half(F16::from_bits(halves[0]))
    }

    #[inline(always)]
    fn store_halves(self, halves: &mut [u16]) {
        halves[0] = F16::from_f32(self).to_bits();
    }

    #[inline(always)]
    fn abs(self) -> Self {
        f32::abs(self)
    }

    #[inline(always)]
    fn copy_sign(self, sign: Self) -> Self {
        self.copysign(sign)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }

    #[inline(always)]
    fn lt(self, other: Self) -> bool {
        self < other
    }

    #[inline(always)]
    fn eq(self, other: Self) -> bool {
        self == other
    }

    #[inline(always)]
    fn if_greater(self, other: Self) -> Self {
        if self > other { self } else { other }
    }

    #[inline(always)]
    fn if_less(self, other: Self) -> Self {
        if self < other { self } else { other }
    }

    #[inline(always)]
    fn select(mask: bool, yes: Self, no: Self) -> Self {
        if mask { yes } else { no }
    }

    #[inline(always)]
    fn mask(bits: u32) -> bool {
        bits & 1 == 1
    }

    #[inline(always)]
    fn any(mask: bool) -> bool {
        mask
    }

    #[inline(always)]
    fn bits(mask: bool) -> u32 {
        u32::from(mask)
    }

    #[inline(always)]
    fn round_even_within(self, low: f32, high: f32) -> Self {
        (round_even(self) as f32).min(high).max(low)
    }

    #[inline(always)]
    fn round_ordinary(self) -> Self {
        round_even(self) as f32
    }

    #[inline(always)]
    fn at_most(self, limits: Self) -> Self {
        self.min(limits)
    }

    #[inline(always)]
    fn at_least(self, limits: Self) -> Self {
        self.max(limits)
    }

    #[inline(always)]
    fn round_even_to_byte(self) -> Self {
        f32::from(round_even(self) as u8)
    }
}
