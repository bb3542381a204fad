//! Q8_K: the form of activations that super-blocks are multiplied with.

use briq_format::block::Q8_K;
use zerocopy::FromZeros;
use zerocopy::little_endian::{F32, I16};

use crate::decoder::{DecodeLanes, scaled};
use crate::lanes::Lanes;
use crate::primitives::{extreme, round_even};
use crate::row::{Encode, Quants};

impl Quants<256> for Q8_K {
    fn quants(&self) -> [i8; 256] {
        self.quants
    }
}

impl DecodeLanes for Q8_K {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            scaled(&block.quants, L::splat(block.scale.get()), weights);
        }
    }
}

impl Encode for Q8_K {
    fn encode_row(weights: &[f32], _: Option<&[f32]>, blocks: &mut [Self]) {
        for (block, weights) in blocks.iter_mut().zip(weights.as_chunks::<256>().0) {
            *block = encode(weights);
        }
    }
}

/// Gives the value of largest magnitude the quant -127, so that the scale has the opposite of its sign.
fn encode(weights: &[f32; 256]) -> Q8_K {
    let extreme = extreme(weights);
    if extreme == 0.0 {
        // The reference leaves the sums of such a block as they were. They are multiplied by zero.
        return Q8_K::new_zeroed();
    }
    let quants_per_weight = -127.0 / extreme;
    let quants = weights.map(|weight| round_even(quants_per_weight * weight).min(127) as i8);
    let sums = quants.as_chunks::<16>().0;
    let sums = std::array::from_fn(|i| I16::new(sums[i].iter().map(|&quant| i16::from(quant)).sum()));
    Q8_K { scale: F32::new(1.0 / quants_per_weight), quants, sums }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_positive_extreme_gives_a_negative_scale_and_sums_that_match() {
        let mut weights = [0.25; 256];
        weights[20] = 1.0;
        let mut blocks = [Q8_K::new_zeroed()];
        Q8_K::encode_row(&weights, None, &mut blocks);
        let [block] = blocks;
        assert_eq!(block.quants[20], -127);
        assert!(block.scale.get() < 0.0);
        assert_eq!(block.sums[0].get(), 16 * -32);
        assert_eq!(block.sums[1].get(), 15 * -32 - 127);
        Q8_K::encode_row(&[-0.0; 256], None, &mut blocks);
        assert_eq!(blocks, [Q8_K::new_zeroed()]);
    }
}
