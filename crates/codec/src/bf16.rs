//! BF16: the upper half of an F32.

use briq_format::block::BF16;

use crate::block_by_block::{self, EncodeBlock};
use crate::decoder::DecodeLanes;
use crate::lanes::Lanes;
use crate::row::{Encode, Rows};

impl DecodeLanes for BF16 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weight) in blocks.iter().zip(weights) {
            *weight = block.to_f32();
        }
    }
}

impl Encode for BF16 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        block_by_block::encode_rows::<Self, 1>(rows, blocks);
    }
}

impl EncodeBlock<1> for BF16 {
    #[inline(always)]
    fn encode_block(weights: &[f32; 1]) -> Self {
        Self::from_f32(weights[0])
    }
}
