//! Q8_1: the form of activations that the types with a minimum per block are multiplied with. Q8_0 and a sum.

use briq_format::block::Q8_1;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, scaled};
use crate::lanes::{Lanes, MAX_WIDTH};
use crate::q8_0::{self, Steps};
use crate::row::{Encode, Quants, Rows};

impl Quants<32> for Q8_1 {
    fn quants(&self) -> [i8; 32] {
        self.quants
    }
}

impl DecodeLanes for Q8_1 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            scaled(&block.quants, L::splat_half(block.scale), weights);
        }
    }
}

impl Encode for Q8_1 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        q8_0::encode_rows(rows, blocks);
    }
}

impl Steps for Q8_1 {
    #[inline(always)]
    fn set_scale(&mut self, scale: F16) {
        self.scale = scale;
    }
    #[inline(always)]
    fn quants_mut(&mut self) -> &mut [i8; 32] {
        &mut self.quants
    }
    #[inline(always)]
    fn complete<L: Lanes>(blocks: &mut [Self], scale: L) {
        let (mut sums, mut scaled_sums) = ([0.0; MAX_WIDTH], [0; MAX_WIDTH]);
        for (sum, block) in sums.iter_mut().zip(&*blocks) {
            let mut quants = 0;
            for quant in block.quants {
                quants += i32::from(quant);
            }
            *sum = quants as f32;
        }
        (L::load(&sums) * scale).store_halves(&mut scaled_sums);
        for (block, scaled_sum) in blocks.iter_mut().zip(scaled_sums) {
            block.scaled_sum = F16::from_bits(scaled_sum);
        }
    }
}
