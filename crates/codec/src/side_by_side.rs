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
        let (mut x, mut importance) = (Tile::new(), Tile::new());
        for (batch, blocks) in blocks.chunks_mut(L::WIDTH).enumerate() {
            let starts = (batch * L::WIDTH..batch * L::WIDTH + blocks.len()).map(|block| block * N);
            x.fill::<L>(rows.weights, starts.clone());
            if let Some(row) = rows.importance {
                importance.fill::<L>(row, starts.map(|start| start % rows.row_elements));
            }
            B::encode_lanes::<L>(&x, rows.importance.map(|_| &importance), blocks);
        }
    }
}
