//! Q4_K: 256 weights of 4 bits; a scale and a minimum per 32.

use briq_format::block::Q4_K;

use crate::decoder::DecodeLanes;
use crate::fit::Trials;
use crate::k_affine::{AffineBlock, Model, Steps, decode_blocks, encode_rows};
use crate::lanes::Lanes;
use crate::placement::{centred, pack_planes, unpack_planes};
use crate::row::{Encode, Quants, Rows};

const MODEL: Model = Model {
    largest_code: 15.0,
    trials_without_importance: Trials { first: -1.0, step: 0.1, last: 20 },
    // The reference does not cap these; a search over values that are not negative never passes 63.
    largest_searched_scale: 255.0,
};

impl Quants<256> for Q4_K {
    #[inline(always)]
    fn quants(&self) -> [i8; 256] {
        centred(&unpack_planes(&self.quants), 0)
    }
}

impl DecodeLanes for Q4_K {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        decode_blocks::<L, Self>(blocks, weights);
    }
}

impl AffineBlock for Q4_K {
    #[inline(always)]
    fn steps<L: Lanes>(&self) -> Steps {
        Steps::new::<L>(self.scale, self.minimum, &self.scales_and_minimums)
    }

    #[inline(always)]
    fn decode_with<L: Lanes>(&self, steps: &Steps, weights: &mut [f32; 256]) {
        // Where a register holds the weights that all codes of a sub-block stand for, they are looked up.
        if L::WIDTH >= 16 {
            steps.decode_nibbles::<L>(&self.quants, weights);
        } else {
            steps.decode::<L>(&self.quants(), weights);
        }
    }
}

impl Encode for Q4_K {
    const USES_IMPORTANCE: bool = true;

    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(&MODEL, rows, blocks, |fit| Self {
            scale: fit.scale,
            minimum: fit.minimum,
            scales_and_minimums: fit.scales_and_minimums,
            quants: pack_planes(&fit.codes, 0),
        });
    }
}
