//! Super-blocks of 256 weights that are encoded side by side, a lane each.

use briq_format::block::Block;

use crate::lanes::{Blocks, Isa, Kernel, Lanes, dispatch};
use crate::row::Rows;

/// A type whose super-blocks are encoded without regard to their rows.
pub(crate) trait EncodeSuperBlocks: Block {
    /// Encodes as many super-blocks as there are `blocks`, from the lanes of `x`. Mark it, and all it calls,
    /// `#[inline(always)]`.
    fn encode_super_blocks<L: Lanes>(
        x: &Blocks<'_, 256>,
        importance: Option<&Blocks<'_, 256>>,
        blocks: &mut [Self],
    );
}

/// Encodes the super-blocks of rows, as many at once as there are lanes.
pub(crate) fn encode_rows<B: EncodeSuperBlocks>(rows: &Rows<'_>, blocks: &mut [B]) {
    dispatch(Isa::best(), EncodeRows { rows, blocks });
}

struct EncodeRows<'a, B> {
    rows: &'a Rows<'a>,
    blocks: &'a mut [B],
}

impl<B: EncodeSuperBlocks> Kernel for EncodeRows<'_, B> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { rows, blocks } = self;
        for (batch, blocks) in blocks.chunks_mut(L::WIDTH).enumerate() {
            let starts = (batch * L::WIDTH..batch * L::WIDTH + blocks.len()).map(|block| block * 256);
            let x = Blocks::new(rows.weights, starts.clone());
            let importance = rows
                .importance
                .map(|importance| Blocks::new(importance, starts.map(|start| start % rows.row_elements)));
            B::encode_super_blocks::<L>(&x, importance.as_ref(), blocks);
        }
    }
}
