//! IQ4_XS: 256 weights, each one of the 16 levels of IQ4_NL; a 6-bit scale per 32. Scale 32 stands for zero.

use briq_format::block::IQ4_XS;

use crate::placement::{nibble, unpack_halves};
use crate::row::{Decode, Quants};
use crate::tables::IQ4_LEVELS;

impl Quants<256> for IQ4_XS {
    fn quants(&self) -> [i8; 256] {
        let mut quants = [0; 256];
        for (quants, bytes) in quants.as_chunks_mut::<32>().0.iter_mut().zip(self.quants.as_chunks::<16>().0)
        {
            *quants = unpack_halves(bytes).map(|code| IQ4_LEVELS[usize::from(code)]);
        }
        quants
    }
}

impl Decode for IQ4_XS {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let (scale, quants) = (block.scale.to_f32(), block.quants());
            let groups = weights.as_chunks_mut::<32>().0.iter_mut().zip(quants.as_chunks::<32>().0);
            for (b, (weights, quants)) in groups.enumerate() {
                let high = (block.scales_high.get() >> (2 * b) & 3) as u8;
                let group_scale = nibble(&block.scales_low, b) | high << 4;
                let step = scale * f32::from(group_scale as i8 - 32);
                *weights = quants.map(|quant| step * f32::from(quant));
            }
        }
    }
}
