//! Q8_0: 32 weights of 8 bits, and the form of activations that the types with one scale are multiplied with.

use briq_format::block::{Block, Q8_0};
use briq_format::scalar::F16;
use zerocopy::IntoBytes;

use crate::decoder::{DecodeLanes, scaled};
use crate::lanes::{Blocks, Isa, Kernel, Lanes, MAX_WIDTH, dispatch, numbers};
use crate::row::{Encode, Quants, Rows};

impl Quants<32> for Q8_0 {
    fn quants(&self) -> [i8; 32] {
        self.quants
    }
}

impl DecodeLanes for Q8_0 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            scaled(&block.quants, L::splat_half(block.scale), weights);
        }
    }
}

impl Encode for Q8_0 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(rows, blocks);
    }
}

impl Steps for Q8_0 {
    #[inline(always)]
    fn set_scale(&mut self, scale: F16) {
        self.scale = scale;
    }
    #[inline(always)]
    fn quants_mut(&mut self) -> &mut [i8; 32] {
        &mut self.quants
    }
    #[inline(always)]
    fn complete<L: Lanes>(_: &mut [Self], _: L) {}
}

/// A block of 32 numbers in steps of which 127 are the largest magnitude: Q8_0, and Q8_1, which adds a sum.
pub(crate) trait Steps: Block {
    fn set_scale(&mut self, scale: F16);
    fn quants_mut(&mut self) -> &mut [i8; 32];
    /// Writes what else is in as many blocks as there are lanes, or fewer, from their scales before these are rounded
    /// to 16 bits.
    fn complete<L: Lanes>(blocks: &mut [Self], scale: L);
}

/// Encodes the blocks of rows, which need not know of each other.
pub(crate) fn encode_rows<B: Steps>(rows: &Rows<'_>, blocks: &mut [B]) {
    dispatch(Isa::best(), EncodeRows { weights: rows.weights, blocks });
}

struct EncodeRows<'a, B> {
    weights: &'a [f32],
    blocks: &'a mut [B],
}

impl<B: Steps> Kernel for EncodeRows<'_, B> {
    /// Scales are computed for as many blocks as there are lanes at once, the rest block by block.
    #[inline(always)]
    fn run<L: Lanes>(self) {
        // Adding the float just below one half and cutting rounds half away from zero.
        let half = L::splat(0.499_999_97);
        let batches = self.weights.chunks(L::WIDTH * 32).zip(self.blocks.chunks_mut(L::WIDTH));
        for (weights, blocks) in batches {
            let weights = weights.as_chunks::<32>().0;
            let scale = magnitudes::<L>(&Blocks::of(weights.iter())) / L::splat(127.0);
            let per_scale = L::select(scale.eq(L::zero()), L::zero(), L::splat(1.0) / scale);
            let mut scales = [0; MAX_WIDTH];
            scale.store_halves(&mut scales);
            let per_scales = numbers(per_scale);
            for (lane, (block, weights)) in blocks.iter_mut().zip(weights).enumerate() {
                block.set_scale(F16::from_bits(scales[lane]));
                let per_scale = L::splat(per_scales[lane]);
                let quants = block.quants_mut().as_mut_bytes().chunks_exact_mut(L::WIDTH);
                for (quants, weights) in quants.zip(weights.chunks_exact(L::WIDTH)) {
                    let steps = L::load(weights) * per_scale;
                    (steps + half.copy_sign(steps)).store_truncated(quants);
                }
            }
            B::complete(blocks, scale);
        }
    }
}

/// The largest magnitudes of the blocks, except that a NaN takes the place of what came before it and gives way to
/// what comes after it.
#[inline(always)]
fn magnitudes<L: Lanes>(blocks: &Blocks<'_, 32>) -> L {
    let (above, below) = blocks.peaks::<L>();
    if L::any(!(above.eq(above) & below.eq(below))) {
        let mut x = [L::zero(); 32];
        blocks.load(0, &mut x);
        let mut magnitude = L::zero();
        for x in x {
            magnitude = magnitude.if_greater(x.abs());
        }
        return magnitude;
    }
    above.at_least(L::zero()).if_greater((-below).at_least(L::zero())).abs()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use briq_format::block::Q8_1;
    use zerocopy::FromZeros;

    use super::*;
    use crate::primitives::{inverse_or_zero, largest_since_nan, truncate};

    /// The scale before it is rounded to 16 bits, and the quants, as the reference finds them.
    fn slowly(weights: &[f32; 32]) -> (f32, [i8; 32]) {
        let scale = largest_since_nan(weights.iter().map(|weight| weight.abs())) / 127.0;
        let per_scale = inverse_or_zero(scale);
        (scale, weights.map(|weight| truncate((weight * per_scale).round()) as i8))
    }

    fn q8_0(weights: &[f32; 32]) -> Q8_0 {
        let (scale, quants) = slowly(weights);
        Q8_0 { scale: F16::from_f32(scale), quants }
    }

    fn q8_1(weights: &[f32; 32]) -> Q8_1 {
        let (scale, quants) = slowly(weights);
        let sum: i32 = quants.iter().map(|&quant| i32::from(quant)).sum();
        Q8_1 { scale: F16::from_f32(scale), scaled_sum: F16::from_f32(sum as f32 * scale), quants }
    }

    fn check<B: Steps + FromZeros + PartialEq + std::fmt::Debug>(
        weights: &[[f32; 32]],
        slowly: impl Fn(&[f32; 32]) -> B,
    ) {
        let expected: Vec<B> = weights.iter().map(slowly).collect();
        for isa in Isa::available() {
            let mut blocks = vec![B::new_zeroed(); weights.len()];
            dispatch(isa, EncodeRows { weights: weights.as_flattened(), blocks: &mut blocks });
            assert_eq!(blocks, expected, "{isa}");
        }
    }

    proptest! {
        #[test]
        fn the_vectorised_encoders_are_the_reference(
            bits in proptest::collection::vec(any::<[u32; 32]>(), 1..if cfg!(miri) { 3 } else { 20 }),
            top in 0_u32..0x7FFF_FFFF,
            spread in 0_u32..1 << 28,
        ) {
            // Arbitrary floats differ too much in magnitude to give quants; floats near one another do not.
            for near in [u32::MAX, spread] {
                let float = |bits: u32| {
                    let magnitude = if near == u32::MAX { bits } else { top.saturating_sub(bits % (near + 1)) };
                    f32::from_bits(magnitude & 0x7FFF_FFFF | bits & 0x8000_0000)
                };
                let weights: Vec<_> = bits.iter().map(|bits| bits.map(float)).collect();
                check(&weights, q8_0);
                check(&weights, q8_1);
            }
        }
    }
}
