//! F16. Rows are encoded by the slice conversions of `half`, which use the processor's instruction where there is
//! one.

use briq_format::block::F16;
use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::decoder::DecodeLanes;
use crate::lanes::{Lanes, MAX_WIDTH, Unpack};
use crate::row::{Encode, Rows};

/// Numbers converted at a time; they pass through a buffer because blocks are bytes of any alignment.
const BATCH: usize = 64;

impl DecodeLanes for F16 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        let whole = blocks.len().min(weights.len()) / L::WIDTH * L::WIDTH;
        let mut halves = [0; MAX_WIDTH];
        for (blocks, weights) in blocks.chunks_exact(L::WIDTH).zip(weights.chunks_exact_mut(L::WIDTH)) {
            for (half, block) in halves.iter_mut().zip(blocks) {
                *half = block.to_bits();
            }
            L::load_halves(&halves).store(weights);
        }
        for (block, weight) in blocks.iter().zip(weights).skip(whole) {
            *weight = f32::splat_half(*block);
        }
    }
}

impl Encode for F16 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        for (blocks, weights) in blocks.chunks_mut(BATCH).zip(rows.weights.chunks(BATCH)) {
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
