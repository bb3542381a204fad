//! Q5_K: 256 weights of 5 bits; a scale and a minimum per 32.

use briq_format::block::Q5_K;

use crate::decoder::DecodeLanes;
use crate::fit::Trials;
use crate::k_affine::{AffineBlock, Model, Steps, decode_blocks, encode_rows};
use crate::lanes::Lanes;
use crate::placement::{centred, joined, pack_planes, unpack_planes};
use crate::row::{Encode, Quants, Rows};

const MODEL: Model = Model {
    largest_code: 31.0,
    trials_without_importance: Trials { first: -0.5, step: 0.1, last: 15 },
    largest_searched_scale: 63.0,
};

impl Quants<256> for Q5_K {
    #[inline(always)]
    fn quants(&self) -> [i8; 256] {
        centred(&joined(&unpack_planes(&self.low_bits), &unpack_planes(&self.high_bits), 4), 0)
    }
}

impl DecodeLanes for Q5_K {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        decode_blocks::<L, Self>(blocks, weights);
    }
}

impl AffineBlock for Q5_K {
    #[inline(always)]
    fn steps<L: Lanes>(&self) -> Steps {
        Steps::new::<L>(self.scale, self.minimum, &self.scales_and_minimums)
    }

    #[inline(always)]
    fn decode_with<L: Lanes>(&self, steps: &Steps, weights: &mut [f32; 256]) {
        steps.decode::<L>(&self.quants(), weights);
    }
}

impl Encode for Q5_K {
    const USES_IMPORTANCE: bool = true;

    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(&MODEL, rows, blocks, |fit| Self {
            scale: fit.scale,
            minimum: fit.minimum,
            scales_and_minimums: fit.scales_and_minimums,
            high_bits: pack_planes(&fit.codes, 4),
            low_bits: pack_planes(&fit.codes, 0),
        });
    }
}
