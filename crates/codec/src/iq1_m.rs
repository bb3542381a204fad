//! IQ1_M: 256 weights, a ternary point of 2048 and a shift of its levels per 8; a 3-bit scale per 16.

use briq_format::block::IQ1_M;

use crate::grid::ternary::{DIGITS, levels};
use crate::placement::nibble;
use crate::row::Decode;

impl Decode for IQ1_M {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = block.scale().to_f32();
            for (k, weights) in weights.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let group_scale = block.scales[k / 8].get() >> (3 * (k / 2 % 4)) & 7;
                let step = scale * f32::from(2 * group_scale + 1);
                let high = nibble(&block.grid_indices_high_and_shifts, k);
                let index = usize::from(block.grid_indices_low[k]) | usize::from(high & 7) << 8;
                let levels = levels(high >> 3 == 1);
                *weights = DIGITS[index].map(|digit| step * levels[usize::from(digit)]);
            }
        }
    }
}
