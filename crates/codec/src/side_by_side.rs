//! Blocks that are encoded side by side, a lane each.

use briq_format::block::Block;

use crate::lanes::{Isa, Kernel, Lanes, Tile, dispatch};
use crate::row::Rows;

/// A type whose blocks of `N` weights are encoded without regard to their rows.
pub(crate) trait EncodeLanes<const N: usize>: Block {
    /// Encodes as many blocks as there are `blocks`, from the lanes of the tiles. Mark it, and all it calls,
    /// `#[inline(always)]`.
    fn encode_lanes<L: Lanes>(x: &Tile<N>, importance: Option<&Tile<N>>, blocks: &mut [Self]);
}

/// Encodes the blocks of rows, as many at once as there are lanes.
pub(crate) fn encode_rows<B: EncodeLanes<N>, const N: usize>(rows: &Rows<'_>, blocks: &mut [B]) {
    dispatch(Isa::best(), EncodeRows { rows, blocks });
}

struct EncodeRows<'a, B, const N: usize> {
    rows: &'a Rows<'a>,
    blocks: &'a mut [B],
}

impl<B: EncodeLanes<N>, const N: usize> Kernel for EncodeRows<'_, B, N> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { rows, blocks } = self;
        for (batch, blocks) in blocks.chunks_mut(L::WIDTH).enumerate() {
            let starts = (batch * L::WIDTH..batch * L::WIDTH + blocks.len()).map(|block| block * N);
            let x = Tile::gather(rows.weights, starts.clone());
            let importance = rows
                .importance
                .map(|importance| Tile::gather(importance, starts.map(|start| start % rows.row_elements)));
            B::encode_lanes::<L>(&x, importance.as_ref(), blocks);
        }
    }
}
