//! IQ2_XS: 256 weights, a point of 512 per 8; a 4-bit scale per 16. Of 8 signs the last follows from parity.

use briq_format::block::IQ2_XS;

use crate::grid::{EIGHTHS, points, signed, with_parity};
use crate::placement::nibble;
use crate::row::Decode;
use crate::tables;

static MAGNITUDES: [[u8; 8]; 512] = points(&tables::IQ2_XS, &EIGHTHS);

impl Decode for IQ2_XS {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = block.scale.to_f32();
            for (k, weights) in weights.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let step = scale * (0.5 + f32::from(nibble(&block.scales, k / 2))) * 0.25;
                let index_and_signs = block.grid_indices_and_signs[k].get();
                let magnitudes = &MAGNITUDES[usize::from(index_and_signs & 511)];
                *weights = signed(step, magnitudes, with_parity(u32::from(index_and_signs >> 9)));
            }
        }
    }
}
