//! Scales taken from the range of the block, without a search. Source: ggml's row quantizers of the 32-element
//! types.
//!
//! The range is found block by block, the scales of as many blocks as there are lanes at once, and the codes again
//! block by block, a lane per weight.

use briq_format::scalar::F16;

use crate::fit::{FromFit, extreme};
use crate::lanes::{Blocks, Isa, Kernel, Lanes, MAX_WIDTH, dispatch, numbers};
use crate::row::Rows;

/// What stands for the range of a block.
#[derive(Clone, Copy)]
pub(crate) enum Range {
    /// The weight of largest magnitude gets the code 0, on the side that has one step more:
    /// weight = scale * (code - half), codes 0 to 2 half - 1.
    Extreme { half: i8 },
    /// The codes 0 to `largest_code` are spread from the smallest weight to the largest.
    Ends { largest_code: i8 },
}

/// Encodes the blocks of rows.
pub(crate) fn encode_rows<B: FromFit>(range: Range, rows: &Rows<'_>, blocks: &mut [B]) {
    dispatch(Isa::best(), EncodeRows { range, rows, blocks });
}

struct EncodeRows<'a, B> {
    range: Range,
    rows: &'a Rows<'a>,
    blocks: &'a mut [B],
}

impl<B: FromFit> Kernel for EncodeRows<'_, B> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let weights = self.rows.weights.chunks(L::WIDTH * 32);
        for (weights, blocks) in weights.zip(self.blocks.chunks_mut(L::WIDTH)) {
            encode_batch::<L, B>(self.range, weights, blocks);
        }
    }
}

/// Encodes as many blocks as there are lanes, or fewer.
#[inline(always)]
pub(crate) fn encode_batch<L: Lanes, B: FromFit>(range: Range, weights: &[f32], blocks: &mut [B]) {
    let (steps, centre, largest_code) = match range {
        Range::Extreme { half } => (-f32::from(half), f32::from(half) + 0.5, 2 * half - 1),
        Range::Ends { largest_code } => (f32::from(largest_code), 0.5, largest_code),
    };
    let mut x = [L::zero(); 32];
    Blocks::<32>::of(weights.as_chunks().0.iter()).load(0, &mut x);
    let (range, minimum) = match range {
        Range::Extreme { .. } => (extreme(&x), L::zero()),
        Range::Ends { .. } => ends(&x),
    };
    let scale = range / L::splat(steps);
    let per_scale = L::select(scale.eq(L::zero()), L::zero(), L::splat(1.0) / scale);
    let (mut scales, mut stored_minimums) = ([0; MAX_WIDTH], [0; MAX_WIDTH]);
    scale.store_halves(&mut scales);
    minimum.store_halves(&mut stored_minimums);
    let minimums = numbers(minimum);
    let per_scales = numbers(per_scale);
    for (lane, (block, weights)) in blocks.iter_mut().zip(weights.as_chunks::<32>().0).enumerate() {
        let mut codes = [0; 32];
        for (codes, x) in codes.chunks_exact_mut(L::WIDTH).zip(weights.chunks_exact(L::WIDTH)) {
            let steps = (L::load(x) - L::splat(minimums[lane])) * L::splat(per_scales[lane]);
            (steps + L::splat(centre)).store_truncated(codes);
        }
        for code in &mut codes {
            *code = (*code as i8).min(largest_code) as u8;
        }
        *block = B::from_fit(F16::from_bits(scales[lane]), F16::from_bits(stored_minimums[lane]), &codes);
    }
}

/// The range from the smallest weight to the largest, and the smallest. NaN are passed over.
#[inline(always)]
fn ends<L: Lanes>(x: &[L; 32]) -> (L, L) {
    let (mut lowest, mut highest) = (L::splat(f32::MAX), L::splat(-f32::MAX));
    for &x in x {
        lowest = x.if_less(lowest);
        highest = x.if_greater(highest);
    }
    (highest - lowest, lowest)
}
