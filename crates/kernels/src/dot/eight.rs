//! Types of 32 weights per block, eight blocks at a time: as many as a tile of activations holds.
//!
//! Each block gives eight partial sums. Those of eight blocks are summed across, into one register with a sum per
//! block; zero points, scales and the conversion to floats then cost one operation for all eight. Measured on Zen 4,
//! that takes 0.6 of the time of scaling every block on its own. Registers of 64 bytes hold half of eight blocks of
//! nibbles: there the sums of a block stay in four places, and only those of a row are summed across. That takes 0.7 of
//! the time of eight sums at once (Granite Rapids; 0.8 of MXFP4); of Q8_0, whose registers would hold two blocks, it
//! takes more.

use briq_codec::Quants;
use briq_format::TensorType;
use briq_format::block::Block;

use super::tiles::{Blocks, ByTile, WideSums, batched, wide};
use super::{header, integer_dot, panel, quants};
use crate::activations::Tile;
use crate::simd::Simd;

/// Blocks of 32 weights: a scale times integers, and in some types a minimum.
pub(crate) trait Eighth: Block + Sync + Quants<32> {
    /// The type of the activations.
    const PARTNER: TensorType;

    /// What is the same for all blocks, such as a table.
    type Shared<S: Simd>: Copy;

    /// Whether [`Eighth::codes`] gives the second 16 codes as [`Simd::load_raised_nibbles`] does.
    const RAISED: bool = false;

    /// Whether [`Eighth::scales_and_minimums`] gives minimums.
    const HAS_MINIMUM: bool = false;

    /// What a block adds to a row's product: `products` are those of its quants, the rest is of the activations.
    fn term(&self, products: f32, scale: f32, stated_sum: f32) -> f32;

    fn shared<S: Simd>(simd: S) -> Self::Shared<S>;

    /// The scales of eight blocks, and their minimums in the types that have them: half-precision numbers that the
    /// blocks begin with, and none, where a type says nothing else.
    #[inline(always)]
    fn scales_and_minimums<S: Simd>(simd: S, blocks: &[Self; 8]) -> (S::Floats, Option<S::Floats>) {
        (simd.leading_halves(blocks), None)
    }

    /// The codes of a block.
    fn codes<S: Simd>(&self, simd: S, shared: Self::Shared<S>) -> S::Ints;

    /// The codes of a block, none of them raised.
    #[inline(always)]
    fn plain_codes<S: Simd>(&self, simd: S, shared: Self::Shared<S>) -> S::Ints {
        self.codes(simd, shared)
    }

    /// Adds the sums of four neighbouring products of codes with quants to the ints.
    #[inline(always)]
    fn add_dot<S: Simd>(simd: S, ints: S::Ints, codes: S::Ints, quants: S::Ints) -> S::Ints {
        simd.add_dot(ints, codes, quants)
    }

    /// Whether [`Eighth::add_wide`] does something.
    const HAS_WIDE: bool = false;

    /// Adds the products of eight blocks in registers of 64 bytes.
    #[inline(always)]
    fn add_wide<S: Simd>(
        _: S,
        _shared: Self::Shared<S>,
        _blocks: &[Self; 8],
        _tile: &Tile,
        _sum: &mut S::Wide,
    ) {
    }

    /// What is added because codes are not centred, from the sums of quants with the sign turned.
    fn zero_point<S: Simd>(simd: S, products: S::Ints, negative_sums: S::Ints) -> S::Ints;
}

/// The first four bytes of each block, in which more than a scale is.
#[inline(always)]
pub(super) fn headers<B: Eighth, S: Simd>(simd: S, blocks: &[B; 8]) -> S::Ints {
    let mut headers = [0; 8];
    unrolled!(k in 0 1 2 3 4 5 6 7 => {
        headers[k] = u32::from_le_bytes(*header(&blocks[k]));
    });
    simd.gather(headers)
}

/// Takes at most eight blocks of a row apart: the codes of each, none of them raised, the scales, and the minimums of
/// types that have them. What is not there has a scale of zero or next to it, and codes as they were.
#[inline(always)]
pub(super) fn take_apart<B: Eighth, S: Simd>(
    simd: S,
    shared: B::Shared<S>,
    blocks: &[B],
    codes: &mut [[u8; 32]],
    [to_scales, to_minimums]: [&mut [f32; 8]; 2],
) {
    for (block, codes) in blocks.iter().zip(codes) {
        simd.store(block.plain_codes(simd, shared), codes);
    }
    let filled_up;
    let eight = match blocks.first_chunk() {
        Some(eight) => eight,
        None => {
            filled_up = <[B; 8]>::filled_up(blocks);
            &filled_up
        }
    };
    let (scales, minimums) = B::scales_and_minimums(simd, eight);
    simd.store_floats(scales, to_scales);
    if let Some(minimums) = minimums {
        simd.store_floats(minimums, to_minimums);
    }
}

impl<B: Eighth> ByTile for B {
    const PARTNER: TensorType = B::PARTNER;
    const TERMS: usize = if B::HAS_MINIMUM { 2 } else { 1 };
    type Blocks = [Self; 8];
    type Beside<S: Simd> = B::Shared<S>;
    type Sums<S: Simd, const C: usize> = WideSums<S, C, 1>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let tiles = column
            .iter()
            .flat_map(|tile| tile.quants_32().iter().zip(tile.scales.iter().zip(&tile.stated_sums)));
        let terms = row.iter().zip(tiles).map(|(block, (quants, (&scale, &stated_sum)))| {
            block.term(integer_dot(&block.quants(), quants) as f32, scale, stated_sum)
        });
        terms.fold(0.0, |sum, term| sum + term)
    }

    #[inline(always)]
    fn beside<S: Simd>(simd: S, _: &[[Self; 8]]) -> B::Shared<S> {
        B::shared(simd)
    }

    #[inline(always)]
    fn add<S: Simd, const C: usize>(
        simd: S,
        shared: &mut B::Shared<S>,
        row: &[[Self; 8]],
        place: usize,
        tiles: [&Tile; C],
        sums: &mut WideSums<S, C, 1>,
    ) {
        let blocks = &row[place];
        if B::HAS_WIDE && wide::<S, C>() {
            return B::add_wide(simd, *shared, blocks, tiles[0], &mut sums.wide);
        }
        let sums = &mut sums.narrow;
        let mut codes = [simd.zero(); 8];
        unrolled!(k in 0 1 2 3 4 5 6 7 => {
            codes[k] = blocks[k].codes(simd, *shared);
        });
        let (scales, minimums) = B::scales_and_minimums(simd, blocks);
        for c in 0..C {
            let tile = tiles[c];
            let mut products = [simd.zero(); 8];
            unrolled!(k in 0 1 2 3 4 5 6 7 => {
                products[k] = B::add_dot(simd, simd.zero(), codes[k], quants(simd, tile, k));
            });
            let products = match B::RAISED {
                true => simd.sum_raised(products),
                false => simd.sum_eight(products),
            };
            let products = B::zero_point(simd, products, simd.load_ints(&tile.negative_sums));
            let scales = simd.multiply(scales, simd.load_floats(&tile.scales));
            sums.0[c][0] = simd.multiply_add(simd.to_floats(products), scales, sums.0[c][0]);
            if let Some(minimums) = minimums {
                sums.0[c][0] = simd.multiply_add(minimums, simd.load_floats(&tile.stated_sums), sums.0[c][0]);
            }
        }
    }

    batched!(Runs);

    const HAS_PANEL: bool = true;

    #[inline(always)]
    fn panel<S: Simd>(
        simd: S,
        rows: &[Self],
        row_blocks: usize,
        columns: [&[Tile]; panel::COLUMNS],
        sums: &mut panel::Sums,
    ) {
        panel::multiply(simd, rows, row_blocks, columns, sums);
    }
}
