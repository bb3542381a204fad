//! Q5_K: 256 weights of 5 bits; a scale and a minimum per 32.

use briq_format::block::Q5_K;

use crate::fit::Trials;
use crate::k_affine::{Model, decode, encode_rows};
use crate::placement::{pack_planes, unpack_planes};
use crate::row::{Decode, Encode, Quants, Rows};

const MODEL: Model = Model {
    largest_code: 31.0,
    trials_without_importance: Trials { first: -0.5, step: 0.1, last: 15 },
    largest_searched_scale: 63.0,
};

impl Quants<256> for Q5_K {
    fn quants(&self) -> [i8; 256] {
        let (low, high) = (unpack_planes(&self.low_bits), unpack_planes(&self.high_bits));
        std::array::from_fn(|i| (low[i] | high[i] << 4) as i8)
    }
}

impl Decode for Q5_K {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut().0) {
            *weights = decode(block.scale, block.minimum, &block.scales_and_minimums, &block.quants());
        }
    }
}

impl Encode for Q5_K {
    fn encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(&MODEL, rows, blocks, |fit| Self {
            scale: fit.scale,
            minimum: fit.minimum,
            scales_and_minimums: fit.scales_and_minimums,
            high_bits: pack_planes(&fit.codes, 4),
            low_bits: pack_planes(&fit.codes, 0),
        });
    }
}
