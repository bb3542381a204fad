//! TQ2_0: 256 ternary weights of 2 bits and one scale; code 1 stands for zero.

use briq_format::block::TQ2_0;
use briq_format::scalar::F16;

use crate::block_by_block::{self, EncodeBlock};
use crate::decoder::{DecodeLanes, scaled};
use crate::lanes::Lanes;
use crate::placement::{centred, pack_planes, unpack_planes};
use crate::primitives::{inverse_or_zero, magnitude_since_nan, round_away};
use crate::row::{Encode, Quants, Rows};

impl Quants<256> for TQ2_0 {
    #[inline(always)]
    fn quants(&self) -> [i8; 256] {
        centred(&unpack_planes(&self.quants), 1)
    }
}

impl DecodeLanes for TQ2_0 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            scaled(&block.quants(), L::splat_half(block.scale), weights);
        }
    }
}

impl Encode for TQ2_0 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        block_by_block::encode_rows::<Self, 256>(rows, blocks);
    }
}

impl EncodeBlock<256> for TQ2_0 {
    #[inline(always)]
    fn encode_block(weights: &[f32; 256]) -> Self {
        let (scale, codes) = quantize(weights);
        Self { scale: F16::from_f32(scale), quants: pack_planes(&codes, 0) }
    }
}

/// The largest magnitude, and the weights over it, plus 1. Codes above 2 come from weights before a NaN, which
/// hides them from the maximum.
#[inline(always)]
pub(crate) fn quantize(weights: &[f32; 256]) -> (f32, [u8; 256]) {
    let scale = magnitude_since_nan(weights);
    let per_scale = inverse_or_zero(scale);
    let mut steps = *weights;
    for step in &mut steps {
        *step *= per_scale;
    }
    let mut codes = [0; 256];
    for (code, quant) in codes.iter_mut().zip(round_away(&steps)) {
        *code = (quant as u8).wrapping_add(1);
    }
    (scale, codes)
}
