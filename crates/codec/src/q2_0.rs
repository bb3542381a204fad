//! Q2_0: 64 weights of 2 bits and one scale; code 1 stands for zero.

use briq_format::block::Q2_0;
use briq_format::scalar::F16;

use crate::decoder::DecodeLanes;
use crate::lanes::Lanes;
use crate::primitives::{inverse_or_zero, magnitude, round_away};
use crate::row::{Encode, Quants};

impl Quants<64> for Q2_0 {
    fn quants(&self) -> [i8; 64] {
        std::array::from_fn(|i| (self.quants[i / 4] >> (2 * (i % 4)) & 3) as i8 - 1)
    }
}

impl DecodeLanes for Q2_0 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<64>().0) {
            let scale = L::splat_half(block.scale);
            let groups = weights.as_chunks_mut::<32>().0.iter_mut().zip(block.quants.as_chunks::<8>().0);
            for (weights, quants) in groups {
                let codes = u64::from_le_bytes(*quants);
                for (run, weights) in weights.chunks_exact_mut(L::WIDTH).enumerate() {
                    let codes = L::from_bit_pairs(codes >> (2 * run * L::WIDTH));
                    ((codes - L::splat(1.0)) * scale).store(weights);
                }
            }
        }
    }
}

impl Encode for Q2_0 {
    fn encode_row(weights: &[f32], _: Option<&[f32]>, blocks: &mut [Self]) {
        for (block, weights) in blocks.iter_mut().zip(weights.as_chunks::<64>().0) {
            *block = encode(weights);
        }
    }
}

/// The largest magnitude is the scale, so that codes are 0, 1 and 2; 3 is never made.
fn encode(weights: &[f32; 64]) -> Q2_0 {
    let scale = magnitude(weights);
    let per_scale = inverse_or_zero(scale);
    let steps = weights.map(|weight| weight * per_scale);
    // In a block with an infinity, or so small that its inverse is one, quotients that are no numbers get code 0.
    let rounded = round_away(&steps);
    let codes: [u8; 64] =
        std::array::from_fn(|i| if steps[i].is_finite() { (rounded[i] + 1) as u8 } else { 0 });
    let groups = codes.as_chunks::<4>().0;
    let quants = std::array::from_fn(|i| groups[i].iter().rev().fold(0, |byte, code| byte << 2 | code));
    Q2_0 { scale: F16::from_f32(scale), quants }
}
