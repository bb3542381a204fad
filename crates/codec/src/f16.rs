//! F16. Rows go through the slice conversions of `half`, which use the processor's instruction where it has one.

use briq_format::block::F16;
use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::row::{Decode, Encode};

/// Numbers converted at a time; they pass through a buffer because blocks are bytes of any alignment.
const BATCH: usize = 64;

impl Decode for F16 {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (blocks, weights) in blocks.chunks(BATCH).zip(weights.chunks_mut(BATCH)) {
            let count = blocks.len().min(weights.len());
            let mut batch = [f16::ZERO; BATCH];
            for (half, block) in batch.iter_mut().zip(blocks) {
                *half = f16::from_bits(block.to_bits());
            }
            batch[..count].convert_to_f32_slice(&mut weights[..count]);
        }
    }
}

impl Encode for F16 {
    fn encode_row(weights: &[f32], _: Option<&[f32]>, blocks: &mut [Self]) {
        for (blocks, weights) in blocks.chunks_mut(BATCH).zip(weights.chunks(BATCH)) {
            let mut batch = [f16::ZERO; BATCH];
            batch[..weights.len()].convert_from_f32_slice(weights);
            for ((block, half), weight) in blocks.iter_mut().zip(batch).zip(weights) {
                // The conversion keeps a NaN's payload; stored is the one quiet NaN of its sign.
                let bits = half.to_bits();
                *block = Self::from_bits(if weight.is_nan() { bits & 0x8000 | 0x7E00 } else { bits });
            }
        }
    }
}
