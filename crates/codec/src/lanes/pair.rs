//! Twice the lanes, as two of a kind that take turns.
//!
//! The sums of a search are chains: each addition waits for the one before it, and each trial for the decision
//! before it. With two chains side by side one works while the other waits.

use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use briq_format::scalar::F16;

use super::{Gather, Lanes, LookUp, Peaks, Unpack};

/// The lanes of the first, then those of the second.
#[derive(Clone, Copy)]
pub(crate) struct Pair<T>(pub(crate) T, pub(crate) T);

macro_rules! operators {
    ($($trait:ident $method:ident;)*) => {
        $(impl<T: $trait<Output = T>> $trait for Pair<T> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0.$method(other.0), self.1.$method(other.1))
            }
        })*
    };
}
operators! {
    Add add;
    Sub sub;
    Mul mul;
    Div div;
    BitAnd bitand;
    BitOr bitor;
}

impl<T: Copy> From<T> for Pair<T> {
    /// The same in both.
    #[inline(always)]
    fn from(both: T) -> Self {
        Self(both, both)
    }
}

impl<T: Neg<Output = T>> Neg for Pair<T> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0, -self.1)
    }
}

impl<T: Not<Output = T>> Not for Pair<T> {
    type Output = Self;

    #[inline(always)]
    fn not(self) -> Self {
        Self(!self.0, !self.1)
    }
}

impl<L: Lanes> Lanes for Pair<L> {
    const WIDTH: usize = 2 * L::WIDTH;
    type Short = L::Short;
    type Mask = Pair<L::Mask>;

    #[inline(always)]
    fn splat(number: f32) -> Self {
        Self(L::splat(number), L::splat(number))
    }

    #[inline(always)]
    fn load(numbers: &[f32]) -> Self {
        Self(L::load(numbers), L::load(&numbers[L::WIDTH..]))
    }

    #[inline(always)]
    fn store(self, numbers: &mut [f32]) {
        self.0.store(numbers);
        self.1.store(&mut numbers[L::WIDTH..]);
    }

    #[inline(always)]
    fn store_codes(self, codes: &mut [u8]) {
        self.0.store_codes(codes);
        self.1.store_codes(&mut codes[L::WIDTH..]);
    }

    #[inline(always)]
    fn store_truncated(self, bytes: &mut [u8]) {
        self.0.store_truncated(bytes);
        self.1.store_truncated(&mut bytes[L::WIDTH..]);
    }

    #[inline(always)]
    fn store_nibbles(low: Self, high: Self, bytes: &mut [u8]) {
        L::store_nibbles(low.0, high.0, bytes);
        L::store_nibbles(low.1, high.1, &mut bytes[L::WIDTH..]);
    }

    #[inline(always)]
    fn load_halves(halves: &[u16]) -> Self {
        Self(L::load_halves(halves), L::load_halves(&halves[L::WIDTH..]))
    }

    #[inline(always)]
    fn store_halves(self, halves: &mut [u16]) {
        self.0.store_halves(halves);
        self.1.store_halves(&mut halves[L::WIDTH..]);
    }

    #[inline(always)]
    fn abs(self) -> Self {
        Self(self.0.abs(), self.1.abs())
    }

    #[inline(always)]
    fn copy_sign(self, sign: Self) -> Self {
        Self(self.0.copy_sign(sign.0), self.1.copy_sign(sign.1))
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(self.0.sqrt(), self.1.sqrt())
    }

    #[inline(always)]
    fn lt(self, other: Self) -> Self::Mask {
        Pair(self.0.lt(other.0), self.1.lt(other.1))
    }

    #[inline(always)]
    fn eq(self, other: Self) -> Self::Mask {
        Pair(self.0.eq(other.0), self.1.eq(other.1))
    }

    #[inline(always)]
    fn if_greater(self, other: Self) -> Self {
        Self(self.0.if_greater(other.0), self.1.if_greater(other.1))
    }

    #[inline(always)]
    fn if_less(self, other: Self) -> Self {
        Self(self.0.if_less(other.0), self.1.if_less(other.1))
    }

    #[inline(always)]
    fn select(mask: Self::Mask, yes: Self, no: Self) -> Self {
        Self(L::select(mask.0, yes.0, no.0), L::select(mask.1, yes.1, no.1))
    }

    #[inline(always)]
    fn mask(bits: u32) -> Self::Mask {
        Pair(L::mask(bits), L::mask(bits >> L::WIDTH))
    }

    #[inline(always)]
    fn any(mask: Self::Mask) -> bool {
        L::any(mask.0) | L::any(mask.1)
    }

    #[inline(always)]
    fn bits(mask: Self::Mask) -> u32 {
        L::bits(mask.0) | L::bits(mask.1) << L::WIDTH
    }

    #[inline(always)]
    fn round_even_within(self, low: f32, high: f32) -> Self {
        Self(self.0.round_even_within(low, high), self.1.round_even_within(low, high))
    }

    #[inline(always)]
    fn round_ordinary(self) -> Self {
        Self(self.0.round_ordinary(), self.1.round_ordinary())
    }

    #[inline(always)]
    fn at_most(self, limits: Self) -> Self {
        Self(self.0.at_most(limits.0), self.1.at_most(limits.1))
    }

    #[inline(always)]
    fn at_least(self, limits: Self) -> Self {
        Self(self.0.at_least(limits.0), self.1.at_least(limits.1))
    }

    #[inline(always)]
    fn round_even_to_byte(self) -> Self {
        Self(self.0.round_even_to_byte(), self.1.round_even_to_byte())
    }
}

impl<L: Lanes> Gather for Pair<L> {
    #[inline(always)]
    fn gather<const N: usize>(blocks: &[&[f32; N]], start: usize) -> [Self; 4] {
        let (first, second) = blocks.split_at(L::WIDTH);
        let [a, b, c, d] = L::gather(first, start);
        let [e, f, g, h] = L::gather(second, start);
        [Self(a, e), Self(b, f), Self(c, g), Self(d, h)]
    }
}

impl<L: Lanes> Peaks for Pair<L> {
    #[inline(always)]
    fn peaks<const N: usize>(blocks: &[&[f32; N]]) -> (Self, Self) {
        let (first, second) = blocks.split_at(L::WIDTH);
        let ((a, b), (c, d)) = (L::peaks(first), L::peaks(second));
        (Self(a, c), Self(b, d))
    }
}

impl<L: Lanes> LookUp for Pair<L> {
    type Codes = Pair<L::Codes>;

    #[inline(always)]
    fn load_codes(codes: &[u16]) -> Self::Codes {
        let (first, second) = codes.split_at(codes.len() / 2);
        Pair(L::load_codes(first), L::load_codes(second))
    }

    #[inline(always)]
    fn load_byte_codes(codes: &[u8]) -> Self::Codes {
        Pair(L::load_byte_codes(codes), L::load_byte_codes(&codes[L::WIDTH..]))
    }

    #[inline(always)]
    fn to_codes(self) -> Self::Codes {
        Pair(self.0.to_codes(), self.1.to_codes())
    }

    #[inline(always)]
    fn from_codes(codes: Self::Codes, shift: usize) -> Self {
        Self(L::from_codes(codes.0, shift), L::from_codes(codes.1, shift))
    }

    #[inline(always)]
    fn look_up(table: &[f32; 8], codes: Self::Codes, shift: usize) -> Self {
        Self(L::look_up(table, codes.0, shift), L::look_up(table, codes.1, shift))
    }

    #[inline(always)]
    fn count_reached(self, bounds: &[f32; 15]) -> Self::Codes {
        Pair(self.0.count_reached(bounds), self.1.count_reached(bounds))
    }

    #[inline(always)]
    fn look_up_16(table: &[f32; 16], codes: Self::Codes) -> Self {
        Self(L::look_up_16(table, codes.0), L::look_up_16(table, codes.1))
    }

    #[inline(always)]
    fn least(self) -> f32 {
        self.0.least().min(self.1.least())
    }
}

impl<L: Lanes> Unpack for Pair<L> {
    #[inline(always)]
    fn splat_half(half: F16) -> Self {
        Self::from(L::splat_half(half))
    }

    #[inline(always)]
    fn from_bytes(bytes: &[u8]) -> Self {
        Self(L::from_bytes(bytes), L::from_bytes(&bytes[L::WIDTH..]))
    }

    #[inline(always)]
    fn from_signed_bytes(bytes: &[i8]) -> Self {
        Self(L::from_signed_bytes(bytes), L::from_signed_bytes(&bytes[L::WIDTH..]))
    }

    #[inline(always)]
    fn from_bit_pairs(pairs: u64) -> Self {
        Self(L::from_bit_pairs(pairs), L::from_bit_pairs(pairs >> (2 * L::WIDTH)))
    }

    #[inline(always)]
    fn from_levels(levels: &[i8; 16], codes: &[u8]) -> Self {
        Self(L::from_levels(levels, codes), L::from_levels(levels, &codes[L::WIDTH..]))
    }
}
