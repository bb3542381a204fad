//! Q2_K: 256 weights of 2 bits; a 4-bit scale and a 4-bit minimum per 16.

use briq_format::block::Q2_K;

use crate::placement::unpack_planes;
use crate::row::{Decode, Quants};

impl Quants<256> for Q2_K {
    fn quants(&self) -> [i8; 256] {
        unpack_planes(&self.quants).map(|code| code as i8)
    }
}

impl Decode for Q2_K {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let quants = block.quants();
            let groups = weights.as_chunks_mut::<16>().0.iter_mut().zip(quants.as_chunks::<16>().0);
            for ((weights, quants), packed) in groups.zip(block.scales_and_minimums) {
                let step = block.scale.to_f32() * f32::from(packed & 15);
                let drop = block.minimum.to_f32() * f32::from(packed >> 4);
                *weights = quants.map(|quant| step * f32::from(quant) - drop);
            }
        }
    }
}
