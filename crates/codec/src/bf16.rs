//! BF16: the upper half of an F32.

use briq_format::block::BF16;

use crate::decoder::DecodeLanes;
use crate::lanes::Lanes;
use crate::row::Encode;

impl DecodeLanes for BF16 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weight) in blocks.iter().zip(weights) {
            *weight = block.to_f32();
        }
    }
}

impl Encode for BF16 {
    fn encode_row(weights: &[f32], _: Option<&[f32]>, blocks: &mut [Self]) {
        for (block, weight) in blocks.iter_mut().zip(weights) {
            *block = Self::from_f32(*weight);
        }
    }
}
