//! Encoders that need no lanes of their own: plain loops over the weights of a block, compiled for each instruction
//! set.

use briq_format::block::Block;

use crate::lanes::{Isa, Kernel, Lanes, dispatch};
use crate::row::Rows;

/// A type whose blocks of `N` weights are made one at a time.
pub(crate) trait EncodeBlock<const N: usize>: Block {
    /// Makes a block. Mark it, and all it calls, `#[inline(always)]`.
    fn encode_block(weights: &[f32; N]) -> Self;
}

/// Encodes the blocks of rows.
pub(crate) fn encode_rows<B: EncodeBlock<N>, const N: usize>(rows: &Rows<'_>, blocks: &mut [B]) {
    encode_rows_with(Isa::best(), rows.weights, blocks);
}

/// The same with a given instruction set.
pub(crate) fn encode_rows_with<B: EncodeBlock<N>, const N: usize>(
    isa: Isa,
    weights: &[f32],
    blocks: &mut [B],
) {
    dispatch(isa, EncodeRows::<B, N> { weights, blocks });
}

struct EncodeRows<'a, B, const N: usize> {
    weights: &'a [f32],
    blocks: &'a mut [B],
}

impl<B: EncodeBlock<N>, const N: usize> Kernel for EncodeRows<'_, B, N> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (block, weights) in self.blocks.iter_mut().zip(self.weights.as_chunks::<N>().0) {
            *block = B::encode_block(weights);
        }
    }
}
