//! Q3_K: 256 weights of 3 bits; a 6-bit scale per 16. Code 4 stands for zero, and so does scale 32.

use briq_format::block::Q3_K;

use crate::placement::unpack_planes;
use crate::row::{Decode, Quants};

impl Quants<256> for Q3_K {
    fn quants(&self) -> [i8; 256] {
        let (low, high) = (unpack_planes(&self.low_bits), unpack_planes(&self.high_bits));
        std::array::from_fn(|i| (low[i] | high[i] << 2) as i8 - 4)
    }
}

impl Decode for Q3_K {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let (scale, quants) = (block.scale.to_f32(), block.quants());
            let groups = weights.as_chunks_mut::<16>().0.iter_mut().zip(quants.as_chunks::<16>().0);
            for ((weights, quants), group_scale) in groups.zip(unpack_scales(&block.scales)) {
                let step = scale * f32::from(group_scale as i8 - 32);
                *weights = quants.map(|quant| step * f32::from(quant));
            }
        }
    }
}

/// The sixteen scales of 6 bits, 32 added.
fn unpack_scales(packed: &[u8; 12]) -> [u8; 16] {
    std::array::from_fn(|i| {
        let low = packed[i % 8] >> (i / 8 * 4) & 15;
        let high = packed[8 + i % 4] >> (i / 4 * 2) & 3;
        low | high << 4
    })
}
