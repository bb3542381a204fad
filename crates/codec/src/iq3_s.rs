//! IQ3_S: 256 weights, a point of 512 per 4; a 4-bit scale per 32. Every sign is stored.

use briq_format::block::IQ3_S;

use crate::grid::{pair, points, signed};
use crate::placement::nibble;
use crate::row::Decode;
use crate::tables;

static MAGNITUDES: [[u8; 4]; 512] = points(&tables::IQ3_S, &[1, 3, 5, 7, 9, 11, 13, 15]);

impl Decode for IQ3_S {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = block.scale.to_f32();
            for (k, weights) in weights.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let step = scale * f32::from(1 + 2 * nibble(&block.scales, k / 4));
                let magnitudes = pair([2 * k, 2 * k + 1].map(|j| {
                    let high = block.grid_indices_high[j / 8] >> (j % 8) & 1;
                    MAGNITUDES[usize::from(block.grid_indices_low[j]) | usize::from(high) << 8]
                }));
                *weights = signed(step, &magnitudes, block.signs[k]);
            }
        }
    }
}
