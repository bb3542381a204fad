//! Packed codes, unpacked to a number per lane.

use briq_format::scalar::F16;

/// Lanes that take codes as blocks hold them.
pub(crate) trait Unpack: Sized {
    /// Every lane holds [`F16::to_f32`] of `half`.
    fn splat_half(half: F16) -> Self;

    /// Lane `i` holds `bytes[i]`; there are at least as many as lanes.
    fn from_bytes(bytes: &[u8]) -> Self;

    /// Lane `i` holds `bytes[i]`; there are at least as many as lanes.
    fn from_signed_bytes(bytes: &[i8]) -> Self;

    /// Lane `i` holds the number from 0 to 3 that the bits `2 i` and `2 i + 1` of `pairs` are.
    fn from_bit_pairs(pairs: u64) -> Self;

    /// Lane `i` holds `levels[codes[i]]`; there are at least as many codes as lanes, from 0 to 15.
    fn from_levels(levels: &[i8; 16], codes: &[u8]) -> Self;
}

impl Unpack for f32 {
    #[inline(always)]
    fn splat_half(half: F16) -> f32 {
        const INFINITY: u32 = f32::INFINITY.to_bits();
        // `F16::to_f32` asks for the processor's instruction at every call; this stays in vector registers. With the
        // exponent in place but 112 too low, a multiplication moves it, and makes subnormal numbers normal.
        let bits = u32::from(half.to_bits());
        let moved = (bits & 0x7FFF) << 13;
        let finite = (f32::from_bits(moved) * f32::from_bits((127 + 112) << 23)).to_bits();
        let quiet = if bits & 0x03FF == 0 { 0 } else { 0x0040_0000 };
        let magnitude = if bits & 0x7C00 == 0x7C00 { INFINITY | moved | quiet } else { finite };
        f32::from_bits(magnitude | (bits & 0x8000) << 16)
    }

    #[inline(always)]
    fn from_bytes(bytes: &[u8]) -> f32 {
        f32::from(bytes[0])
    }

    #[inline(always)]
    fn from_signed_bytes(bytes: &[i8]) -> f32 {
        f32::from(bytes[0])
    }

    #[inline(always)]
    fn from_bit_pairs(pairs: u64) -> f32 {
        (pairs & 3) as f32
    }

    #[inline(always)]
    fn from_levels(levels: &[i8; 16], codes: &[u8]) -> f32 {
        f32::from(levels[usize::from(codes[0] & 15)])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::{Isa, Kernel, Lanes, MAX_WIDTH, Pair, dispatch};

    #[test]
    fn every_half_widens_to_its_number() {
        struct Halves;
        impl Kernel for Halves {
            fn run<L: Lanes>(self) {
                for bits in 0..=u16::MAX {
                    let half = F16::from_bits(bits);
                    let mut lanes = [0.0; MAX_WIDTH];
                    L::splat_half(half).store(&mut lanes);
                    let expected = half.to_f32().to_bits();
                    assert!(lanes[..L::WIDTH].iter().all(|lane| lane.to_bits() == expected), "{bits:#x}");
                }
            }
        }
        Isa::available().into_iter().for_each(|isa| dispatch(isa, Halves));
    }

    /// Packed codes, and what each lane should hold, for twice as many lanes as any register has.
    #[derive(Clone, Copy)]
    struct Codes {
        bytes: [u8; 32],
        pairs: u64,
        signs: u32,
        levels: [i8; 16],
    }

    impl Kernel for Codes {
        fn run<L: Lanes>(self) {
            self.check::<L>();
            self.check::<Pair<L>>();
        }
    }

    impl Codes {
        fn check<L: Lanes>(self) {
            let signed = self.bytes.map(|byte| byte as i8);
            let nibbles = self.bytes.map(|byte| byte & 15);
            let turned = L::select(L::mask(self.signs), L::splat(-1.0), L::splat(1.0));
            let found = [
                L::from_bytes(&self.bytes),
                L::from_signed_bytes(&signed),
                L::from_bit_pairs(self.pairs),
                L::from_levels(&self.levels, &nibbles),
                turned,
            ];
            for i in 0..L::WIDTH {
                let expected = [
                    f32::from(self.bytes[i]),
                    f32::from(signed[i]),
                    (self.pairs >> (2 * i) & 3) as f32,
                    f32::from(self.levels[usize::from(nibbles[i])]),
                    if self.signs >> i & 1 == 1 { -1.0 } else { 1.0 },
                ];
                for (found, expected) in found.iter().zip(expected) {
                    let mut lanes = [0.0; 2 * MAX_WIDTH];
                    found.store(&mut lanes);
                    assert_eq!(lanes[i].to_bits(), expected.to_bits(), "lane {i} of {}", L::WIDTH);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_lane_holds_what_its_code_says(
            bytes in any::<[u8; 32]>(), pairs in any::<u64>(), signs in any::<u32>(), levels in any::<[i8; 16]>(),
        ) {
            Isa::available().into_iter().for_each(|isa| dispatch(isa, Codes { bytes, pairs, signs, levels }));
        }
    }
}
