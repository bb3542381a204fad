//! NVFP4: 64 weights, 4-bit floats, and an 8-bit float per 16.

use briq_format::block::NVFP4;

use crate::decoder::{DecodeLanes, levelled};
use crate::fp4::{DOUBLED, nearest};
use crate::lanes::{Isa, Kernel, Lanes, dispatch};
use crate::primitives::magnitude;
use crate::row::{Encode, Quants, Rows};

impl Quants<64> for NVFP4 {
    fn quants(&self) -> [i8; 64] {
        let groups = self.quants.as_chunks::<8>().0;
        std::array::from_fn(|i| DOUBLED[usize::from(groups[i / 16][i % 8] >> (i % 16 / 8 * 4) & 15)])
    }
}

impl DecodeLanes for NVFP4 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<64>().0) {
            let groups = weights.as_chunks_mut::<16>().0.iter_mut().zip(block.quants.as_chunks::<8>().0);
            for ((weights, quants), scale) in groups.zip(&block.scales) {
                let scale = L::splat(HALF_SCALES[usize::from(*scale)]);
                levelled(&DOUBLED, &unpack(quants), scale, weights);
            }
        }
    }
}

impl Encode for NVFP4 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        dispatch(Isa::best(), EncodeRows { weights: rows.weights, blocks });
    }
}

struct EncodeRows<'a> {
    weights: &'a [f32],
    blocks: &'a mut [NVFP4],
}

impl Kernel for EncodeRows<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (block, weights) in self.blocks.iter_mut().zip(self.weights.as_chunks::<64>().0) {
            let groups = weights.as_chunks::<16>().0.iter().zip(block.quants.as_chunks_mut::<8>().0);
            for ((weights, quants), scale) in groups.zip(&mut block.scales) {
                // The largest weight becomes 6, the largest level.
                *scale = round_to_scale(magnitude(weights) / 6.0);
                let codes = nearest::<L, 16>(weights, half_scale(*scale));
                *quants = std::array::from_fn(|i| codes[i] | codes[i + 8] << 4);
            }
        }
    }
}

/// The codes of 16 weights.
#[inline(always)]
fn unpack(bytes: &[u8; 8]) -> [u8; 16] {
    let mut codes = [0; 16];
    for (i, byte) in bytes.iter().enumerate() {
        (codes[i], codes[i + 8]) = (byte & 15, byte >> 4);
    }
    codes
}

/// [`half_scale`] of every code.
static HALF_SCALES: [f32; 256] = {
    let (mut scales, mut code) = ([0.0; 256], 0);
    while code < 256 {
        scales[code] = half_scale(code as u8);
        code += 1;
    }
    scales
};

/// Half the value of an 8-bit float: 4 bits of exponent, bias 7, and 3 of fraction. Bit 7 says nothing, but makes
/// an exception of the two codes for zero and for no number, which both stand for zero.
#[inline(always)]
pub const fn half_scale(code: u8) -> f32 {
    if matches!(code, 0 | 0x7F) {
        return 0.0;
    }
    let (exponent, fraction) = ((code >> 3 & 15) as u32, (code & 7) as u32);
    match exponent {
        // 2^-9, the smallest number, halved.
        0 => fraction as f32 * f32::from_bits((127 - 10) << 23),
        _ => f32::from_bits((exponent + 127 - 8) << 23 | fraction << 20),
    }
}

/// The code of a number that is not negative: rounded half up, and from 248 on the largest code, 448.
#[inline(always)]
fn round_to_scale(value: f32) -> u8 {
    let bits = value.to_bits();
    if bits < SMALLEST_NORMAL.to_bits() {
        // Cut off at the largest subnormal number, where rounding would give the smallest normal one.
        return ((value * 512.0 + 0.5) as u8).min(7);
    }
    let rounded = ((bits + (1 << 19)) >> 20) - ((127 - 7) << 3);
    if rounded < 0x78 { rounded as u8 } else { 0x7E }
}

/// 2^-6, the least float of 8 bits with an exponent of its own.
const SMALLEST_NORMAL: f32 = f32::from_bits((127 - 6) << 23);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By the definition of the float, in double precision.
    fn value(code: u8) -> f64 {
        let (exponent, fraction) = (i32::from(code >> 3), f64::from(code & 7) / 8.0);
        if exponent == 0 { fraction / 64.0 } else { (1.0 + fraction) * 2_f64.powi(exponent - 7) }
    }

    #[test]
    fn a_scale_has_the_value_of_its_float() {
        for code in 0..0x7F {
            assert_eq!(f64::from(half_scale(code)) * 2.0, value(code), "{code}");
            let set = code | 0x80;
            assert_eq!(half_scale(set), if code == 0 { 0.0 } else { half_scale(code) }, "{set}");
        }
        assert_eq!((half_scale(0x7F), half_scale(0x80), half_scale(0xFF)), (0.0, 0.0, 240.0));
    }

    proptest! {
        #[test]
        fn a_scale_is_the_nearest_of_ties_the_higher(
            bits in 0_u32..0x4378_0000, code in 0_u8..0x77, step in -2_i32..3,
        ) {
            let tie = ((value(code) + value(code + 1)) / 2.0) as f32;
            for number in [f32::from_bits(bits), tie, f32::from_bits(tie.to_bits().saturating_add_signed(step))] {
                let distance = |code| (value(code) - f64::from(number)).abs();
                let nearest = (0..0x78).rev().min_by(|&a, &b| distance(a).total_cmp(&distance(b))).unwrap();
                let found = round_to_scale(number);
                // Among subnormal scales a number right below a tie is rounded on the way, and counts as the tie.
                let as_near = found == nearest + 1 && distance(found) < 1.000_001 * distance(nearest);
                let cut = number < SMALLEST_NORMAL && nearest == 8 && found == 7;
                prop_assert!(found == nearest || number < SMALLEST_NORMAL && as_near || cut, "{number} became {found}");
            }
        }
    }

    #[test]
    fn a_number_too_large_takes_the_largest_scale() {
        for (number, expected) in
            [(247.9, 0x77), (248.0, 0x7E), (300.0, 0x7E), (448.0, 0x7E), (1e30, 0x7E), (f32::INFINITY, 0x7E)]
        {
            assert_eq!(round_to_scale(number), expected, "{number}");
        }
    }
}
