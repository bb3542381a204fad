//! Q4_0: 32 weights of 4 bits and one scale; code 8 stands for zero.

use briq_format::block::Q4_0;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, scaled};
use crate::direct::{self, Range};
use crate::fit::FromFit;
use crate::lanes::{Blocks, Isa, Kernel, Lanes, MAX_WIDTH, dispatch, numbers};
use crate::placement::{centred, pack_halves, unpack_halves};
use crate::row::{Encode, Quants, Rows};
use crate::searched::{self, Search};

impl Quants<32> for Q4_0 {
    #[inline(always)]
    fn quants(&self) -> [i8; 32] {
        centred(&unpack_halves(&self.quants), 8)
    }
}

impl DecodeLanes for Q4_0 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            scaled(&block.quants(), L::splat_half(block.scale), weights);
        }
    }
}

impl Encode for Q4_0 {
    const USES_IMPORTANCE: bool = true;

    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        match rows.importance {
            None => dispatch(Isa::best(), EncodeRows { weights: rows.weights, blocks }),
            Some(importance) => {
                searched::encode_rows(Search::Symmetric { half: 8.0 }, rows, importance, blocks);
            }
        }
    }
}

struct EncodeRows<'a> {
    weights: &'a [f32],
    blocks: &'a mut [Q4_0],
}

impl Kernel for EncodeRows<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let batches = self.weights.chunks(L::WIDTH * 32).zip(self.blocks.chunks_mut(L::WIDTH));
        for (weights, blocks) in batches {
            if !encode_ordinary::<L>(weights, blocks) {
                direct::encode_batch::<L, Q4_0>(Range::Extreme { half: 8 }, weights, blocks);
            }
        }
    }
}

/// Encodes as many blocks as there are lanes, or fewer, and says whether it did: not where a number is not finite, or
/// a scale has no finite inverse, or the largest magnitude has both signs, so that it matters which came first.
#[inline(always)]
fn encode_ordinary<L: Lanes>(weights: &[f32], blocks: &mut [Q4_0]) -> bool {
    let weights = weights.as_chunks::<32>().0;
    let (above, below) = Blocks::<32>::of(weights.iter()).peaks::<L>();
    let (highest, lowest) = (above.at_least(L::zero()), (-below).at_least(L::zero()));
    let extreme = L::select(lowest.gt(highest), below, highest.abs());
    let scale = extreme / L::splat(-8.0);
    let per_scale = L::select(scale.eq(L::zero()), L::zero(), L::splat(1.0) / scale);
    let finite = (above.abs().lt(L::splat(f32::INFINITY)) & below.abs().lt(L::splat(f32::INFINITY)))
        & per_scale.abs().lt(L::splat(f32::INFINITY));
    if L::any(!finite | highest.eq(lowest) & highest.gt(L::zero())) {
        return false;
    }
    let mut scales = [0; MAX_WIDTH];
    scale.store_halves(&mut scales);
    let per_scales = numbers(per_scale);
    for (lane, (block, weights)) in blocks.iter_mut().zip(weights).enumerate() {
        block.scale = F16::from_bits(scales[lane]);
        let per_scale = L::splat(per_scales[lane]);
        let (low, high) = weights.split_at(16);
        let halves = low.chunks_exact(L::WIDTH).zip(high.chunks_exact(L::WIDTH));
        for (bytes, (low, high)) in block.quants.chunks_exact_mut(L::WIDTH).zip(halves) {
            // What is cut to 16 is the far end of the range, one step too far.
            let low = (L::load(low) * per_scale + L::splat(8.5)).at_most(L::splat(15.5));
            let high = (L::load(high) * per_scale + L::splat(8.5)).at_most(L::splat(15.5));
            L::store_nibbles(low, high, bytes);
        }
    }
    true
}

impl FromFit for Q4_0 {
    #[inline(always)]
    fn from_fit(scale: F16, _: F16, codes: &[u8; 32]) -> Self {
        Self { scale, quants: pack_halves(codes) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Plainly<'a>(&'a [f32], &'a mut [Q4_0]);

    impl Kernel for Plainly<'_> {
        fn run<L: Lanes>(self) {
            direct::encode_batch::<L, Q4_0>(Range::Extreme { half: 8 }, self.0, self.1);
        }
    }

    fn scalar() -> Isa {
        "scalar".parse().unwrap()
    }

    proptest! {
        /// Whole numbers of few sizes make peaks of both signs, and bits make everything else.
        #[test]
        fn packing_in_registers_changes_no_byte(
            levels in proptest::collection::vec(-4_i8..=4, 40 * 32),
            bits in proptest::collection::vec(any::<u32>(), 40 * 32),
            exponent in -149_i32..120,
        ) {
            let whole: Vec<f32> = levels.iter().map(|&level| f32::from(level) * 2_f32.powi(exponent)).collect();
            let apart: Vec<f32> =
                bits.iter().zip(&levels).map(|(&bits, &level)| (bits as f32 + 1.0) * f32::from(level)).collect();
            let any: Vec<f32> = bits.iter().map(|&bits| f32::from_bits(bits)).filter(|x| !x.is_nan()).collect();
            for weights in [&whole, &apart, &any] {
                let weights = weights.as_chunks::<32>().0;
                let empty = Q4_0 { scale: F16::from_bits(0), quants: [0; 16] };
                let mut expected = vec![empty; weights.len()];
                for (weights, block) in weights.iter().zip(expected.chunks_mut(1)) {
                    dispatch(scalar(), Plainly(weights, block));
                }
                for isa in Isa::available() {
                    let mut blocks = vec![empty; weights.len()];
                    dispatch(isa, EncodeRows { weights: weights.as_flattened(), blocks: &mut blocks });
                    prop_assert_eq!(&blocks, &expected, "{}", isa);
                }
            }
        }
    }
}
