//! Q5_1: 32 weights of 5 bits, a scale and a minimum.

use briq_format::block::Q5_1;
use briq_format::scalar::F16;

use crate::fit::{Affine, Trials, affine, direct_affine, importance_weights, mean_square};
use crate::placement::{pack_fifth_bits, unpack_fifth_bits};
use crate::row::{Decode, Encode, Quants};

/// The code of the largest weight.
const LARGEST_CODE: i8 = 31;

impl Quants<32> for Q5_1 {
    fn quants(&self) -> [i8; 32] {
        unpack_fifth_bits(self.high_bits.get(), &self.low_bits).map(|code| code as i8)
    }
}

impl Decode for Q5_1 {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            let (scale, minimum) = (block.scale.to_f32(), block.minimum.to_f32());
            *weights = block.quants().map(|quant| f32::from(quant) * scale + minimum);
        }
    }
}

impl Encode for Q5_1 {
    fn encode_row(weights: &[f32], importance: Option<&[f32]>, blocks: &mut [Self]) {
        let blocks = blocks.iter_mut().zip(weights.as_chunks::<32>().0);
        let Some(importance) = importance else {
            return blocks.for_each(|(block, x)| *block = pack(&direct_affine(x, LARGEST_CODE)));
        };
        let variance = mean_square(weights);
        for ((block, x), importance) in blocks.zip(importance.as_chunks::<32>().0) {
            let w = importance_weights(importance, variance, x);
            *block = pack(&affine(x, &w, LARGEST_CODE.into(), &Trials::WITH_IMPORTANCE));
        }
    }
}

fn pack(fit: &Affine<32>) -> Q5_1 {
    let (high_bits, low_bits) = pack_fifth_bits(&fit.codes);
    let (scale, minimum) = (F16::from_f32(fit.scale), F16::from_f32(fit.minimum));
    Q5_1 { scale, minimum, high_bits: high_bits.into(), low_bits }
}
