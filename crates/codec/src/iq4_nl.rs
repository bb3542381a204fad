//! IQ4_NL: 32 weights, each one of 16 levels that lie closer near zero, and one scale.

use briq_format::block::IQ4_NL;

use crate::placement::unpack_halves;
use crate::row::{Decode, Quants};
use crate::tables::IQ4_LEVELS;

impl Quants<32> for IQ4_NL {
    fn quants(&self) -> [i8; 32] {
        unpack_halves(&self.quants).map(|code| IQ4_LEVELS[usize::from(code)])
    }
}

impl Decode for IQ4_NL {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            let scale = block.scale.to_f32();
            *weights = block.quants().map(|quant| scale * f32::from(quant));
        }
    }
}
