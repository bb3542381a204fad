//! Q2_0: 64 weights of 2 bits and one scale; code 1 stands for zero.

use briq_format::block::Q2_0;
use briq_format::scalar::F16;

use crate::block_by_block::{self, EncodeBlock};
use crate::decoder::DecodeLanes;
use crate::lanes::Lanes;
use crate::primitives::{inverse_or_zero, magnitude};
use crate::row::{Encode, Quants, Rows};

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
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        block_by_block::encode_rows::<Self, 64>(rows, blocks);
    }
}

impl EncodeBlock<64> for Q2_0 {
    /// The largest magnitude is the scale, so that codes are 0, 1 and 2; 3 is never made.
    #[inline(always)]
    fn encode_block(weights: &[f32; 64]) -> Self {
        let scale = magnitude(weights);
        let per_scale = inverse_or_zero(scale);
        let mut codes = [0_u8; 64];
        for (code, weight) in codes.iter_mut().zip(weights) {
            let step = weight * per_scale;
            // No step is above 1. In a block with an infinity, or so small that its inverse is one, quotients that are
            // no numbers, or infinite, get code 0.
            let odd = !step.is_finite();
            *code = 1 + u8::from((step >= 0.5) & !odd) - u8::from((step <= -0.5) | odd);
        }
        let mut quants = [0; 16];
        for (byte, codes) in quants.iter_mut().zip(codes.as_chunks::<4>().0) {
            *byte = codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6;
        }
        Self { scale: F16::from_f32(scale), quants }
    }
}
