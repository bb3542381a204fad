//! TQ1_0: 256 ternary weights, five to a byte, and one scale; digit 1 stands for zero.

use briq_format::block::TQ1_0;
use briq_format::scalar::F16;

use crate::block_by_block::{self, EncodeBlock};
use crate::decoder::{DecodeLanes, scaled};
use crate::lanes::Lanes;
use crate::row::{Encode, Quants, Rows};
use crate::tq2_0::quantize;

impl Quants<256> for TQ1_0 {
    #[inline(always)]
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

impl DecodeLanes for TQ1_0 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            scaled(&block.quants(), L::splat_half(block.scale), weights);
        }
    }
}

impl Encode for TQ1_0 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        block_by_block::encode_rows::<Self, 256>(rows, blocks);
    }
}

impl EncodeBlock<256> for TQ1_0 {
    #[inline(always)]
    fn encode_block(weights: &[f32; 256]) -> Self {
        let (scale, codes) = quantize(weights);
        let (first, rest) = codes.split_at(FIRST);
        let (second, last) = rest.split_at(SECOND);
        let mut five_digits = [0; 48];
        five_digits[..32].copy_from_slice(&pack::<32>(first));
        five_digits[32..].copy_from_slice(&pack::<16>(second));
        Self { five_digits, four_digits: pack(last), scale: F16::from_f32(scale) }
    }
}

/// Elements in the first 32 bytes, five digits each.
const FIRST: usize = 5 * 32;
/// Elements in the next 16 bytes, five digits each. The rest are in the last 4 bytes, four digits each.
const SECOND: usize = 5 * 16;

/// What brings a digit to the front of the fraction that a byte holds.
const POWERS: [u8; 5] = [1, 3, 9, 27, 81];

/// Packs digits of base 3, a run of `BYTES` per place. Bytes with four get a fifth that is zero.
#[inline(always)]
fn pack<const BYTES: usize>(codes: &[u8]) -> [u8; BYTES] {
    let fill = POWERS[5 - codes.len() / BYTES];
    let mut bytes = [0_u8; BYTES];
    for codes in codes.chunks_exact(BYTES) {
        for (number, digit) in bytes.iter_mut().zip(codes) {
            *number = number.wrapping_mul(3).wrapping_add(*digit);
        }
    }
    for byte in &mut bytes {
        // As a fraction of 256, rounded up, so that cutting gives the digits back.
        *byte = (u16::from(byte.wrapping_mul(fill)) * 256).div_ceil(243) as u8;
    }
    bytes
}

/// The first digit after the point of a fraction of 256.
#[inline(always)]
fn digit(fraction: u8) -> u8 {
    ((u16::from(fraction) * 3) >> 8) as u8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::row::Decode;

    proptest! {
        #[test]
        fn ternary_weights_come_back_as_they_were(digits in proptest::collection::vec(-1_i8..=1, 256)) {
            prop_assume!(digits.iter().any(|&digit| digit != 0));
            let weights: Vec<f32> = digits.iter().map(|&digit| f32::from(digit) * 0.75).collect();
            let mut blocks = [TQ1_0 { five_digits: [0; 48], four_digits: [0; 4], scale: F16::from_f32(0.0) }];
            TQ1_0::encode_rows(&Rows::one(&weights), &mut blocks);
            prop_assert_eq!(&blocks[0].quants()[..], &digits[..]);
            let mut decoded = [0.0; 256];
            TQ1_0::decode(&blocks, &mut decoded);
            prop_assert_eq!(&decoded[..], &weights[..]);
        }

        #[test]
        fn a_digit_lies_where_the_layout_says(bytes in any::<[[u8; 13]; 4]>()) {
            let bytes = bytes.concat();
            let block = TQ1_0 {
                five_digits: *bytes.first_chunk().unwrap(),
                four_digits: *bytes.last_chunk().unwrap(),
                scale: F16::from_f32(1.0),
            };
            for (e, quant) in block.quants().into_iter().enumerate() {
                let (byte, n) = match e {
                    0..160 => (e % 32, e / 32),
                    160..240 => (32 + (e - 160) % 16, (e - 160) / 16),
                    _ => (48 + (e - 240) % 4, (e - 240) / 4),
                };
                let fraction = u32::from(bytes[byte]) * 3_u32.pow(n as u32) % 256;
                prop_assert_eq!(u32::try_from(quant + 1).unwrap(), fraction * 3 / 256);
            }
        }
    }
}
