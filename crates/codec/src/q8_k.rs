//! Q8_K: the form of activations that super-blocks are multiplied with.

use briq_format::block::Q8_K;
use zerocopy::FromZeros;
use zerocopy::little_endian::{F32, I16};

use crate::block_by_block::{self, EncodeBlock};
use crate::decoder::{DecodeLanes, scaled_by_lines};
use crate::lanes::{Lanes, Peaks};
use crate::primitives::{extreme, round_even};
use crate::row::{Encode, Quants, Rows};

impl Quants<256> for Q8_K {
    fn quants(&self) -> [i8; 256] {
        self.quants
    }
}

impl DecodeLanes for Q8_K {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            scaled_by_lines(&block.quants, L::splat(block.scale.get()), weights);
        }
    }
}

impl Encode for Q8_K {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        block_by_block::encode_rows(rows, blocks);
    }
}

impl EncodeBlock<256> for Q8_K {
    /// Gives the value of largest magnitude the quant -127, so that the scale has the opposite of its sign.
    #[inline(always)]
    fn encode_block(weights: &[f32; 256]) -> Self {
        let extreme = first_extreme(weights);
        if extreme == 0.0 {
            // The reference leaves the sums of such a block as they were. They are multiplied by zero.
            return Self::new_zeroed();
        }
        let quants_per_weight = -127.0 / extreme;
        let mut quants = [0; 256];
        for (quant, weight) in quants.iter_mut().zip(weights) {
            *quant = round_even(quants_per_weight * weight).min(127) as i8;
        }
        let mut sums = [I16::ZERO; 16];
        for (sum, quants) in sums.iter_mut().zip(quants.as_chunks::<16>().0) {
            let mut sixteen = 0;
            for quant in quants {
                sixteen += i16::from(*quant);
            }
            *sum = I16::new(sixteen);
        }
        Self { scale: F32::new(1.0 / quants_per_weight), quants, sums }
    }
}

/// The [`extreme`], without a branch for each weight where no NaN and no tie asks for it.
#[inline(always)]
fn first_extreme(weights: &[f32; 256]) -> f32 {
    let (above, below) = f32::peaks(&[weights]);
    let (highest, lowest) = (above.max(0.0), (-below).max(0.0));
    if above.is_nan() || below.is_nan() || highest == lowest {
        return extreme(weights);
    }
    if highest > lowest { highest } else { below }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::Isa;

    /// The encoder of the reference, word for word.
    fn slowly(weights: &[f32; 256]) -> Q8_K {
        let extreme = extreme(weights);
        if extreme == 0.0 {
            return Q8_K::new_zeroed();
        }
        let quants_per_weight = -127.0 / extreme;
        let quants = weights.map(|weight| round_even(quants_per_weight * weight).min(127) as i8);
        let sixteens = quants.as_chunks::<16>().0;
        let sums = std::array::from_fn(|i| I16::new(sixteens[i].iter().map(|&quant| i16::from(quant)).sum()));
        Q8_K { scale: F32::new(1.0 / quants_per_weight), quants, sums }
    }

    proptest! {
        /// Whole numbers of few sizes make extremes of both signs, and bits make everything else.
        #[test]
        fn the_vectorised_encoder_is_the_reference(
            levels in proptest::collection::vec(-4_i8..=4, 256),
            bits in proptest::collection::vec(any::<u32>(), 256),
            exponent in -149_i32..120,
        ) {
            let whole = |i: usize| f32::from(levels[i]) * 2_f32.powi(exponent);
            let ordinary = |i: usize| (bits[i] as f32 + 1.0) * f32::from(levels[i]);
            let any = |i: usize| f32::from_bits(bits[i]);
            for weights in [std::array::from_fn(whole), std::array::from_fn(ordinary), std::array::from_fn(any)] {
                let expected = slowly(&weights);
                for isa in Isa::available() {
                    let mut blocks = [Q8_K::new_zeroed()];
                    block_by_block::encode_rows_with(isa, &weights, &mut blocks);
                    prop_assert_eq!(blocks[0], expected, "{}", isa);
                }
            }
        }
    }

    #[test]
    fn a_positive_extreme_gives_a_negative_scale_and_sums_that_match() {
        let mut weights = [0.25; 256];
        weights[20] = 1.0;
        let mut blocks = [Q8_K::new_zeroed()];
        Q8_K::encode_rows(&Rows::one(&weights), &mut blocks);
        let [block] = blocks;
        assert_eq!(block.quants[20], -127);
        assert!(block.scale.get() < 0.0);
        assert_eq!(block.sums[0].get(), 16 * -32);
        assert_eq!(block.sums[1].get(), 15 * -32 - 127);
        Q8_K::encode_rows(&Rows::one(&[-0.0; 256]), &mut blocks);
        assert_eq!(blocks, [Q8_K::new_zeroed()]);
    }
}
