//! The IQ2 and IQ3 types: points of a grid with signs, and a scale per 16 or 32.
//!
//! All of a super-block is summed as integers: magnitudes times quants whose signs were turned, times odd numbers that
//! are the sub-blocks' scales.

mod eights;
mod fours;
mod scales;
mod signs;

use briq_format::block::{IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS};
use briq_format::scalar::F16;

use super::batch::{Integers, Numbers};
use super::super_block::super_blocks;
use super::tiles::Parts;
use super::{add_scaled, quants};
use crate::activations::Tile;
use crate::simd::Simd;

/// A super-block of magnitudes and signs, each 32 weights in turn.
trait Signed: Copy {
    /// What a unit of the integer sums is worth, beside the block's scale.
    const UNIT: f32;

    fn scale(&self) -> F16;

    /// The scale of each 16 weights, twice of what is stored and one more.
    fn scales(&self) -> [i8; 16];

    /// The same, as words.
    fn scale_words<S: Simd>(&self, simd: S) -> S::Ints;

    /// The magnitudes of a run of 32 weights.
    fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints;

    /// A bit per weight of the run, set where it is negative.
    fn signs(&self, run: usize) -> u32;

    /// The same of all runs, one after the other.
    fn all_signs<S: Simd>(&self, simd: S) -> S::Ints;

    /// The same, where the block stores them so.
    #[inline(always)]
    fn stored_signs(&self) -> Option<&[u8; 32]> {
        None
    }

    /// The magnitudes, as bytes.
    fn magnitude_bytes(&self, run: usize) -> [u8; 32];
}

/// The sum over a super-block of scale times magnitude times sign times quant.
fn integers<B: Signed>(block: &B, tile: &Tile) -> i32 {
    let scales = block.scales();
    let mut sum = 0;
    for (run, quants) in tile.quants.as_chunks::<32>().0.iter().enumerate() {
        let (magnitudes, signs) = (block.magnitude_bytes(run), block.signs(run));
        for (i, (magnitude, quant)) in magnitudes.iter().zip(quants).enumerate() {
            let product = i32::from(scales[2 * run + i / 16]) * i32::from(*magnitude) * i32::from(*quant);
            sum += if signs >> i & 1 == 1 { -product } else { product };
        }
    }
    sum
}

fn scalar<B: Signed>(row: &[B], column: &[Tile]) -> f32 {
    let terms = row
        .iter()
        .zip(column)
        .map(|(block, tile)| block.scale().to_f32() * tile.scales[0] * integers(block, tile) as f32);
    B::UNIT * terms.fold(0.0, |sum, term| sum + term)
}

/// The signs of a super-block, and of those after it, in turn. They are computed for all runs at once and needed run by
/// run, so they go through memory. A load has to wait for the store before it, and all that waits for the load fills up
/// the processor: signs are stored [`EARLY`] blocks ahead. Where a block stores them as they are needed, none are.
type Ahead = [[u8; 32]; 4];

/// How many blocks before they are needed signs are stored.
const EARLY: usize = 2;

#[inline(always)]
fn ahead<B: Signed, S: Simd>(simd: S, row: &[[B; 1]]) -> Ahead {
    let mut ahead = [[0; 32]; 4];
    for (ahead, [block]) in ahead.iter_mut().zip(row).take(EARLY) {
        simd.store(block.all_signs(simd), ahead);
    }
    ahead
}

#[inline(always)]
fn add<B: Signed, S: Simd, const C: usize>(
    simd: S,
    ahead: &mut Ahead,
    row: &[[B; 1]],
    place: usize,
    tiles: [&Tile; C],
    sums: &mut Parts<S, C, 1>,
) {
    let [block] = &row[place];
    // Read where they are needed: a copy of them would cost more.
    let signs = block.stored_signs().unwrap_or(&ahead[place % ahead.len()]);
    let scales = simd.scales_by_16(block.scale_words(simd));
    let scale = simd.half(block.scale().to_bits()) * B::UNIT;
    let mut products = [simd.zero(); C];
    unrolled!(pair in 0 1 2 3 => {
        let (a, b) = (2 * pair, 2 * pair + 1);
        let magnitudes = [block.magnitudes(simd, a), block.magnitudes(simd, b)];
        for c in 0..C {
            let quants = [
                simd.negate_where(quants(simd, tiles[c], a), signs, a),
                simd.negate_where(quants(simd, tiles[c], b), signs, b),
            ];
            products[c] = simd.add_pair(products[c], magnitudes, quants, &scales, pair);
        }
    });
    // At the end: the compiler would move all loads of this block to before it, and keep what they give on the stack.
    let next = place + EARLY;
    let [later] = &row[next.min(row.len() - 1)];
    if later.stored_signs().is_none() {
        simd.store(later.all_signs(simd), &mut ahead[next % ahead.len()]);
    }
    for c in 0..C {
        sums.0[c][0] = add_scaled(simd, sums.0[c][0], products[c], scale * tiles[c].scales[0]);
    }
}

const HAS_MINIMUMS: bool = false;

#[inline(always)]
fn numbers<B: Signed, S: Simd>(simd: S, block: &B) -> Numbers<S> {
    let mut signs = [0; 32];
    simd.store(block.all_signs(simd), &mut signs);
    let mut codes = [simd.zero(); 8];
    unrolled!(run in 0 1 2 3 4 5 6 7 => {
        codes[run] = simd.negate_where(block.magnitudes(simd, run), &signs, run);
    });
    let scale = simd.half(block.scale().to_bits()) * B::UNIT;
    Numbers { codes, scales: block.scale_words(simd), minimums: [simd.zero(); 2], scale, minimum: 0.0 }
}

super_blocks!(ahead IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S);
