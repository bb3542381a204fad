//! IQ1_S: 256 weights, a ternary point of 2048 per 8; a 3-bit scale and a shift of all levels per 32.

use briq_format::block::IQ1_S;

use crate::grid::ternary::{DIGITS, levels};
use crate::row::Decode;

impl Decode for IQ1_S {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = block.scale.to_f32();
            let groups =
                block.grid_indices_low.as_chunks::<4>().0.iter().zip(weights.as_chunks_mut::<32>().0);
            for ((low, weights), high_and_scale) in groups.zip(block.grid_indices_high_and_scales) {
                let high = high_and_scale.get();
                let step = scale * f32::from(2 * (high >> 12 & 7) + 1);
                let levels = levels(high >> 15 == 1);
                for (l, (low, weights)) in low.iter().zip(weights.as_chunks_mut::<8>().0).enumerate() {
                    let index = usize::from(*low) | usize::from(high >> (3 * l) & 7) << 8;
                    *weights = DIGITS[index].map(|digit| step * levels[usize::from(digit)]);
                }
            }
        }
    }
}
