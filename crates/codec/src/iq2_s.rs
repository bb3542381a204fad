//! IQ2_S: 256 weights, a point of 1024 per 8; a 4-bit scale per 16. Every sign is stored.

use briq_format::block::IQ2_S;

use crate::grid::{EIGHTHS, points, signed};
use crate::placement::nibble;
use crate::row::Decode;
use crate::tables;

static MAGNITUDES: [[u8; 8]; 1024] = points(&tables::IQ2_S, &EIGHTHS);

impl Decode for IQ2_S {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = block.scale.to_f32();
            for (k, weights) in weights.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let step = scale * (0.5 + f32::from(nibble(&block.scales, k / 2))) * 0.25;
                let high = block.grid_indices_high[k / 4] >> (2 * (k % 4)) & 3;
                let index = usize::from(block.grid_indices_low[k]) | usize::from(high) << 8;
                *weights = signed(step, &MAGNITUDES[index], block.signs[k]);
            }
        }
    }
}
