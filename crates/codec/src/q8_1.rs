//! Q8_1: the form of activations that the types with a minimum per block are multiplied with. Q8_0 and a sum.

use briq_format::block::Q8_1;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, scaled};
use crate::lanes::Lanes;
use crate::q8_0::quantize;
use crate::row::{Encode, Quants};

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
    fn encode_row(weights: &[f32], _: Option<&[f32]>, blocks: &mut [Self]) {
        for (block, weights) in blocks.iter_mut().zip(weights.as_chunks::<32>().0) {
            let (scale, quants) = quantize(weights);
            let sum: i32 = quants.iter().map(|&quant| i32::from(quant)).sum();
            *block =
                Self { scale: F16::from_f32(scale), scaled_sum: F16::from_f32(sum as f32 * scale), quants };
        }
    }
}
