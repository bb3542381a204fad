//! The two 16-bit floats of the format, as little-endian bytes of alignment 1.
//!
//! The arithmetic is that of the crate `half`; what this module adds is the byte order and the rule for NaN,
//! which is part of the bytes that an encoder promises. Nothing is computed in 16 bits.

use std::fmt;

use half::{bf16, f16};
use zerocopy::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// An IEEE 754 binary16 number.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct F16(U16);

/// The upper 16 bits of an IEEE 754 binary32 number.
#[derive(Clone, Copy, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(transparent)]
pub struct BF16(U16);

impl F16 {
    /// The number with these bits.
    #[inline]
    pub const fn from_bits(bits: u16) -> Self {
        Self(U16::new(bits))
    }

    /// The bits.
    #[inline]
    pub const fn to_bits(self) -> u16 {
        self.0.get()
    }

    /// Rounds to nearest, ties to even, with gradual underflow; 65520 and above become infinity. Every NaN
    /// becomes the quiet NaN of its sign without payload.
    pub fn from_f32(value: f32) -> Self {
        let rounded = f16::from_f32(value).to_bits();
        Self::from_bits(if value.is_nan() { rounded & 0x8000 | 0x7E00 } else { rounded })
    }

    /// The same number; a NaN becomes quiet and keeps its payload.
    pub fn to_f32(self) -> f32 {
        f16::from_bits(self.to_bits()).to_f32()
    }

    /// Neither infinite nor NaN.
    pub const fn is_finite(self) -> bool {
        self.to_bits() & 0x7C00 != 0x7C00
    }
}

impl BF16 {
    /// The number with these bits.
    #[inline]
    pub const fn from_bits(bits: u16) -> Self {
        Self(U16::new(bits))
    }

    /// The bits.
    #[inline]
    pub const fn to_bits(self) -> u16 {
        self.0.get()
    }

    /// Rounds to nearest, ties to even, subnormals like any other number. A NaN is cut to its upper 16 bits and
    /// made quiet.
    #[inline]
    pub const fn from_f32(value: f32) -> Self {
        let bits = value.to_bits();
        // Adding just under half of the last kept bit, and that bit itself, carries exactly when rounding to
        // even goes up. Written out because the loop over a row then vectorises.
        let rounded = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) >> 16;
        let quiet = bits >> 16 | 0x40;
        Self::from_bits(if value.is_nan() { quiet } else { rounded } as u16)
    }

    /// The same number, a NaN with its payload.
    #[inline]
    pub const fn to_f32(self) -> f32 {
        // `bf16::to_f32` sets the quiet bit of a NaN; the reference only shifts.
        f32::from_bits((self.to_bits() as u32) << 16)
    }

    /// Neither infinite nor NaN.
    pub const fn is_finite(self) -> bool {
        self.to_bits() & 0x7F80 != 0x7F80
    }
}

impl fmt::Debug for F16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_f32().fmt(f)
    }
}

impl fmt::Debug for BF16 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bf16::from_bits(self.to_bits()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;

    /// The value of binary16 bits by the definition of the format, in double precision.
    fn f16_value(bits: u16) -> f64 {
        let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
        let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 0x3FF) / 1024.0);
        match exponent {
            0 => sign * fraction * 2f64.powi(-14),
            31 if fraction == 0.0 => sign * f64::INFINITY,
            31 => f64::NAN,
            _ => sign * (1.0 + fraction) * 2f64.powi(exponent - 15),
        }
    }

    #[test]
    fn every_f16_widens_to_its_value_and_comes_back() {
        for bits in 0..=u16::MAX {
            let wide = F16::from_bits(bits).to_f32();
            assert_eq!(F16::from_bits(bits).is_finite(), wide.is_finite());
            if f16_value(bits).is_nan() {
                let payload = u32::from(bits >> 15) << 31 | 0x7FC0_0000 | u32::from(bits & 0x3FF) << 13;
                assert_eq!(wide.to_bits(), payload);
                assert_eq!(F16::from_f32(wide).to_bits(), bits & 0x8000 | 0x7E00);
            } else {
                assert_eq!(f64::from(wide), f16_value(bits));
                assert_eq!(F16::from_f32(wide).to_bits(), bits);
            }
        }
    }

    #[test]
    fn a_f16_scale_rounds_ties_to_even_and_keeps_the_sign_of_zero() {
        for (value, bits) in [
            (-0.0, 0x8000),
            (65519.996, 0x7BFF),
            (65520.0, 0x7C00),
            (-1e9, 0xFC00),
            (2f32.powi(-25), 0x0000),
            (-2f32.powi(-25) * 1.000_001, 0x8001),
            (2049.0, 0x6800),
            (2051.0, 0x6802),
        ] {
            assert_eq!(F16::from_f32(value).to_bits(), bits, "{value}");
        }
    }

    #[test]
    fn every_bf16_comes_back_except_that_a_nan_turns_quiet() {
        for bits in 0..=u16::MAX {
            let value = BF16::from_bits(bits).to_f32();
            assert_eq!(value.to_bits(), u32::from(bits) << 16);
            assert_eq!(BF16::from_bits(bits).is_finite(), value.is_finite());
            let expected = if value.is_nan() { bits | 0x40 } else { bits };
            assert_eq!(BF16::from_f32(value).to_bits(), expected);
        }
    }

    /// The value, with infinity at the place after the largest finite number.
    fn on_the_line(number: BF16) -> f64 {
        let value = f64::from(number.to_f32());
        if value.is_infinite() { value.signum() * 2f64.powi(128) } else { value }
    }

    proptest! {
        #[test]
        fn a_bf16_is_the_nearer_neighbour_and_the_even_one_on_a_tie(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            prop_assume!(value.is_finite());
            let below = BF16::from_bits((bits >> 16) as u16);
            let above = BF16::from_bits((bits >> 16) as u16 + 1);
            let distance = |number| (f64::from(value) - on_the_line(number)).abs();
            let expected = match distance(below).total_cmp(&distance(above)) {
                Ordering::Less => below,
                Ordering::Greater => above,
                Ordering::Equal if below.to_bits() & 1 == 0 => below,
                Ordering::Equal => above,
            };
            prop_assert_eq!(BF16::from_f32(value).to_bits(), expected.to_bits());
        }
    }
}
