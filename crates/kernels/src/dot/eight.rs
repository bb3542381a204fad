//! Types of 32 weights per block, eight blocks at a time: as many as a tile of activations holds.
//!
//! A processor widens and multiplies eight scales at once. What remains per block is a sum of products, a conversion,
//! and a multiplication and addition.

use std::hint::black_box;

use briq_codec::Quants;
use briq_format::block::Block;
use zerocopy::FromZeros;

use super::{integer_dot, tiles_at};
use crate::activations::Tile;
use crate::simd::Simd;

/// Blocks of 32 weights: a scale times integers, and in some types a minimum.
pub(super) trait Eighth: Block + FromZeros + Quants<32> {
    /// What a block adds to a row's product: `products` are those of its quants, the rest is of the activations.
    fn term(&self, products: f32, scale: f32, stated_sum: f32) -> f32;

    /// What is the same for all blocks, such as a table.
    type Shared<S: Simd>: Copy;

    fn shared<S: Simd>(simd: S) -> Self::Shared<S>;

    /// The scales of eight blocks.
    fn scales<S: Simd>(simd: S, blocks: &[Self; 8]) -> S::Floats;

    /// The minimums of eight blocks, in the types that have them.
    #[inline(always)]
    fn minimums<S: Simd>(_: S, _: &[Self; 8]) -> Option<S::Floats> {
        None
    }

    /// What is done once per block for all columns.
    fn codes<S: Simd>(&self, simd: S, shared: Self::Shared<S>) -> S::Ints;

    /// Ints that sum to the product of the block's weights over its scale with 32 quants.
    fn dot<S: Simd>(simd: S, codes: S::Ints, quants: S::Ints, negative_sum: i32) -> S::Ints;
}

/// The product of a row, block by block.
pub(super) fn scalar<B: Eighth>(row: &[B], column: &[Tile]) -> f32 {
    let tiles =
        column.iter().flat_map(|tile| tile.quants_32().iter().zip(tile.scales.iter().zip(&tile.stated_sums)));
    let terms = row.iter().zip(tiles).map(|(block, (quants, (&scale, &stated_sum)))| {
        block.term(integer_dot(&block.quants(), quants) as f32, scale, stated_sum)
    });
    terms.fold(0.0, |sum, term| sum + term)
}

/// The products of a row with `C` columns.
#[inline(always)]
pub(super) fn dot<B: Eighth, S: Simd, const C: usize>(simd: S, row: &[B], columns: [&[Tile]; C]) -> [f32; C] {
    let shared = B::shared(simd);
    let mut sums = [[simd.zeros(); CHAINS]; C];
    let (eights, rest) = row.as_chunks::<8>();
    for (place, blocks) in eights.iter().enumerate() {
        add(simd, shared, blocks, tiles_at(columns, place), &mut sums);
    }
    if !rest.is_empty() {
        // Blocks of zeros have a scale of zero, and so have the tile's activations there.
        let mut blocks = [B::new_zeroed(); 8];
        for (block, rest) in blocks.iter_mut().zip(rest) {
            *block = *rest;
        }
        add(simd, shared, &blocks, tiles_at(columns, eights.len()), &mut sums);
    }
    let mut products = [0.0; C];
    for c in 0..C {
        let [p, q, r, s] = sums[c];
        products[c] = simd.sum(simd.add_floats(simd.add_floats(p, q), simd.add_floats(r, s)));
    }
    products
}

/// Sums that are carried on independently of each other: an addition takes as long as four can be begun.
const CHAINS: usize = 4;

#[inline(always)]
fn add<B: Eighth, S: Simd, const C: usize>(
    simd: S,
    shared: B::Shared<S>,
    blocks: &[B; 8],
    tiles: [&Tile; C],
    sums: &mut [[S::Floats; CHAINS]; C],
) {
    let scales = B::scales(simd, blocks);
    let minimums = B::minimums(simd, blocks);
    let mut factors = [[0.0; 8]; C];
    for c in 0..C {
        let scales = simd.multiply(scales, simd.load_floats(&tiles[c].scales));
        simd.store_floats(scales, &mut factors[c]);
        if let Some(minimums) = minimums {
            let stated = simd.load_floats(&tiles[c].stated_sums);
            sums[c][0] = simd.multiply_add(minimums, stated, sums[c][0]);
        }
    }
    // Read back from memory, a factor is spread over a register on its way; kept in a register, it takes a shuffle.
    let factors = black_box(&factors);
    for k in 0..8 {
        let codes = blocks[k].codes(simd, shared);
        for c in 0..C {
            let quants = simd.load_signed(&tiles[c].quants_32()[k]);
            let products = B::dot(simd, codes, quants, tiles[c].negative_sums[k]);
            let factor = simd.splat_float(factors[c][k]);
            let chain = if C == 1 { k % CHAINS } else { 0 };
            sums[c][chain] = simd.multiply_add(simd.to_floats(products), factor, sums[c][chain]);
        }
    }
}
