//! TQ1_0: 256 ternary weights, five to a byte, and one scale; digit 1 stands for zero.

use briq_format::block::TQ1_0;
use briq_format::scalar::F16;

use crate::row::{Decode, Encode, Quants};
use crate::tq2_0::quantize;

impl Quants<256> for TQ1_0 {
    fn quants(&self) -> [i8; 256] {
        let (first, second) = self.five_digits.split_at(32);
        let mut quants = [0; 256];
        let (first_quants, rest) = quants.split_at_mut(FIRST);
        let (second_quants, last_quants) = rest.split_at_mut(SECOND);
        for (quants, bytes) in
            [(first_quants, first), (second_quants, second), (last_quants, &self.four_digits)]
        {
            for (quants, power) in quants.chunks_exact_mut(bytes.len()).zip(POWERS) {
                for (quant, byte) in quants.iter_mut().zip(bytes) {
                    *quant = digit(byte.wrapping_mul(power)) as i8 - 1;
                }
            }
        }
        quants
    }
}

impl Decode for TQ1_0 {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = block.scale.to_f32();
            *weights = block.quants().map(|quant| f32::from(quant) * scale);
        }
    }
}

impl Encode for TQ1_0 {
    fn encode_row(weights: &[f32], _: Option<&[f32]>, blocks: &mut [Self]) {
        for (block, weights) in blocks.iter_mut().zip(weights.as_chunks::<256>().0) {
            let (scale, codes) = quantize(weights);
            let (first, rest) = codes.split_at(FIRST);
            let (second, last) = rest.split_at(SECOND);
            let mut five_digits = [0; 48];
            let (first_bytes, second_bytes) = five_digits.split_at_mut(32);
            pack(first, first_bytes);
            pack(second, second_bytes);
            let mut four_digits = [0; 4];
            pack(last, &mut four_digits);
            *block = Self { five_digits, four_digits, scale: F16::from_f32(scale) };
        }
    }
}

/// Elements in the first 32 bytes, five digits each.
const FIRST: usize = 5 * 32;
/// Elements in the next 16 bytes, five digits each. The rest are in the last 4 bytes, four digits each.
const SECOND: usize = 5 * 16;

/// What brings a digit to the front of the fraction that a byte holds.
const POWERS: [u8; 5] = [1, 3, 9, 27, 81];

/// Packs digits of base 3, a run of `bytes.len()` per place. Bytes with four get a fifth that is zero.
fn pack(codes: &[u8], bytes: &mut [u8]) {
    let runs = codes.len() / bytes.len();
    for (i, byte) in bytes.iter_mut().enumerate() {
        let digits = codes.iter().skip(i).step_by(bytes.len());
        let number = digits.fold(0_u8, |number, digit| number.wrapping_mul(3).wrapping_add(*digit));
        let number = number.wrapping_mul(POWERS[5 - runs]);
        // As a fraction of 256, rounded up, so that cutting gives the digits back.
        *byte = (u16::from(number) * 256).div_ceil(243) as u8;
    }
}

/// The first digit after the point of a fraction of 256.
fn digit(fraction: u8) -> u8 {
    ((u16::from(fraction) * 3) >> 8) as u8
}
