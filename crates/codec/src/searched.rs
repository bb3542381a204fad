//! What the types of 32 weights share when an importance matrix is given: a search per block, with weights that
//! depend on the mean square of the whole row.

use briq_format::block::Block;

use crate::fit::{Fitted, Scaled, Trials, affine, importance_weights, mean_square, symmetric};
use crate::lanes::{CodeTile, Isa, Kernel, Lanes, Tile, dispatch, numbers};
use crate::row::Rows;

/// The search of a type.
#[derive(Clone, Copy)]
pub(crate) enum Search {
    /// A scale; the code of zero is `half`.
    Symmetric { half: f32 },
    /// A scale and a minimum.
    Affine { largest_code: f32 },
}

/// Encodes the blocks of rows, as many at once as there are lanes; `place` makes a block of each.
pub(crate) fn encode_rows<B: Block>(
    search: Search,
    rows: &Rows<'_>,
    importance: &[f32],
    blocks: &mut [B],
    place: fn(&Fitted<32>) -> B,
) {
    dispatch(Isa::best(), EncodeRows { search, rows, importance, blocks, place });
}

struct EncodeRows<'a, B> {
    search: Search,
    rows: &'a Rows<'a>,
    importance: &'a [f32],
    blocks: &'a mut [B],
    place: fn(&Fitted<32>) -> B,
}

impl<B: Block> Kernel for EncodeRows<'_, B> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { search, rows, importance, blocks, place } = self;
        let variances: Vec<f32> = rows.weights.chunks_exact(rows.row_elements).map(mean_square).collect();
        let mut tile = Tile::<32>::new();
        for (batch, blocks) in blocks.chunks_mut(L::WIDTH).enumerate() {
            let starts = (batch * L::WIDTH..batch * L::WIDTH + blocks.len()).map(|block| block * 32);
            let mut variance = [0.0; 16];
            for (variance, start) in variance.iter_mut().zip(starts.clone()) {
                *variance = variances[start / rows.row_elements];
            }
            tile.fill::<L>(rows.weights, starts.clone());
            let x = tile.load::<L, 32>(0);
            tile.fill::<L>(importance, starts.map(|start| start % rows.row_elements));
            let w = importance_weights(&tile.load(0), L::load(&variance), &x);
            let (scale, minimum, codes) = match search {
                Search::Symmetric { half } => {
                    let Scaled { scale, codes } = symmetric(&x, &w, half);
                    (scale, L::zero(), codes)
                }
                Search::Affine { largest_code } => {
                    let fit = affine(&x, &w, largest_code, &Trials::WITH_IMPORTANCE);
                    let mut codes = x;
                    for code in &mut codes {
                        *code = fit.code(*code);
                    }
                    (fit.scale, fit.minimum, codes)
                }
            };
            let (scales, minimums) = (numbers(scale), numbers(minimum));
            let mut tile = CodeTile::<32>::new();
            tile.store(0, &codes);
            for (lane, block) in blocks.iter_mut().enumerate() {
                let fitted = Fitted { scale: scales[lane], minimum: minimums[lane], codes: tile.block(lane) };
                *block = place(&fitted);
            }
        }
    }
}
