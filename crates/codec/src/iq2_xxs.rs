//! IQ2_XXS: 256 weights, a point of 256 per 8; a 4-bit scale per 32. Of 8 signs the last follows from parity.

use briq_format::block::IQ2_XXS;

use crate::grid::{EIGHTHS, points, signed, with_parity};
use crate::row::Decode;
use crate::tables;

static MAGNITUDES: [[u8; 8]; 256] = points(&tables::IQ2_XXS, &EIGHTHS);

impl Decode for IQ2_XXS {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = block.scale.to_f32();
            for (record, weights) in block.records.iter().zip(weights.as_chunks_mut::<32>().0) {
                let mut signs = record.signs_and_scale.get();
                let step = scale * (0.5 + (signs >> 28) as f32) * 0.25;
                for (index, weights) in record.grid_indices.iter().zip(weights.as_chunks_mut::<8>().0) {
                    *weights = signed(step, &MAGNITUDES[usize::from(*index)], with_parity(signs));
                    signs >>= 7;
                }
            }
        }
    }
}
