//! Super-blocks: a code times the scale of its sub-block is an integer of two bytes, and all of a super-block's products
//! with activations are summed before a float is touched.

use super::vectors::{Group, groups, take_quants, take_sums, twice};
use super::{GROUPS, ROWS, Sums, VECTORS};
use crate::activations::Tile;
use crate::simd::matrices::{self, Brains, Bytes, Floats, Ints, place};
use crate::simd::{Amx, Simd};

/// A super-block as integers.
pub(crate) struct Numbers<S: Simd> {
    /// Signed bytes, 32 weights each.
    pub(crate) codes: [S::Ints; 8],
    /// What each 16 codes are multiplied with, as words; the products are words as well.
    pub(crate) scales: S::Ints,
    /// What the sums of each 16 activations with the sign turned are multiplied with, at most 256: of the even sixteens,
    /// and of the odd ones.
    pub(crate) minimums: [S::Ints; 2],
    /// What the sum of products is multiplied with, and that of minimums.
    pub(crate) scale: f32,
    pub(crate) minimum: f32,
}

/// Super-blocks that are made of integers.
pub(crate) trait Integers: Sized {
    /// Whether there are minimums.
    const HAS_MINIMUMS: bool;

    fn numbers<S: Simd>(&self, simd: S) -> Numbers<S>;
}

/// 256 activations of sixteen vectors.
#[repr(align(64))]
struct Vectors {
    quants: Bytes,
    sums: Brains,
    scales: [[f32; 8]; 2],
}

/// A super-block of each of sixteen rows, unpacked.
#[repr(align(64))]
struct Weights {
    low: [[u8; 256]; matrices::ROWS],
    high: [[i8; 256]; matrices::ROWS],
    minimums: Brains,
    scales: [f32; matrices::ROWS],
    minimum_scales: [f32; matrices::ROWS],
}

/// Multiplies at most [`ROWS`] rows of `row_blocks` blocks with the vectors of the first `count` groups.
#[inline(always)]
pub(crate) fn multiply<B: Integers, S: Simd>(
    simd: S,
    amx: Amx,
    rows: &[B],
    row_blocks: usize,
    columns: &[&[Tile]; VECTORS],
    count: usize,
    sums: &mut Sums,
) {
    let row_count = (rows.len() / row_blocks).min(ROWS);
    let mut vectors = [const { Vectors::ZERO }; GROUPS];
    let mut weights = Weights::ZERO;
    let mut products = [[Ints([[[0; 8]; 2]; matrices::ROWS]); 2]; 2];
    let mut rises = [Floats([[[0.0; 8]; 2]; matrices::ROWS]); 2];
    let registers = amx.of_64();
    for place in 0..row_blocks {
        for (vectors, tiles) in vectors.iter_mut().zip(&groups(columns, place)).take(count) {
            vectors.take::<B, S>(simd, tiles);
        }
        for first in (0..row_count).step_by(matrices::ROWS) {
            for r in 0..matrices::ROWS {
                // Behind the last row it is taken again, and the products are not looked at.
                let row = (first + r).min(row_count - 1) * row_blocks + place;
                weights.take(simd, amx, r, &rows[row]);
            }
            for pair in 0..count.div_ceil(2) {
                let both = [&vectors[2 * pair], &vectors[2 * pair + 1]];
                registers.of_halves(&weights.low, &weights.high, both.map(|group| &group.quants), &mut products);
                if B::HAS_MINIMUMS {
                    registers.of_brains(&weights.minimums, both.map(|group| &group.sums), &mut rises);
                }
                for i in 0..2 {
                    let sums = &mut sums[first..];
                    weights.add::<B, S>(simd, &products[i], &rises[i], both[i], sums, 2 * pair + i);
                }
            }
        }
    }
    drop(registers);
}

impl Vectors {
    const ZERO: Self = Self {
        quants: Bytes([[[0; 32]; 2]; 64]),
        sums: Brains([[[0; 8]; 2]; matrices::ROWS]),
        scales: [[0.0; 8]; 2],
    };

    #[inline(always)]
    fn take<B: Integers, S: Simd>(&mut self, simd: S, tiles: &Group<'_>) {
        take_quants(simd, tiles, Tile::run, place, &mut self.quants);
        if B::HAS_MINIMUMS {
            take_sums(simd, tiles, &mut self.sums);
        }
        for (vector, tile) in tiles.iter().enumerate() {
            self.scales[vector / 8][vector % 8] = tile.scales[0];
        }
    }
}

impl Weights {
    const ZERO: Self = Self {
        low: [[0; 256]; matrices::ROWS],
        high: [[0; 256]; matrices::ROWS],
        minimums: Brains([[[0; 8]; 2]; matrices::ROWS]),
        scales: [0.0; matrices::ROWS],
        minimum_scales: [0.0; matrices::ROWS],
    };

    /// Takes the super-block of a row.
    #[inline(always)]
    fn take<B: Integers, S: Simd>(&mut self, simd: S, amx: Amx, r: usize, block: &B) {
        let numbers = block.numbers(simd);
        let (mut codes, mut scales) = ([[0; 32]; 8], [0; 16]);
        for run in 0..8 {
            simd.store_signed(numbers.codes[run], &mut codes[run]);
        }
        simd.store_words(numbers.scales, &mut scales);
        amx.spread(&codes, &scales, &mut self.low[r], &mut self.high[r]);
        self.scales[r] = numbers.scale;
        if B::HAS_MINIMUMS {
            simd.store_ints(twice(simd, numbers.minimums[0]), &mut self.minimums.0[r][0]);
            simd.store_ints(twice(simd, numbers.minimums[1]), &mut self.minimums.0[r][1]);
            self.minimum_scales[r] = numbers.minimum;
        }
    }

    /// Adds the products of a super-block, scaled, to the sums of the rows with a group of vectors.
    #[inline(always)]
    fn add<B: Integers, S: Simd>(
        &self,
        simd: S,
        [low, high]: &[Ints; 2],
        rises: &Floats,
        vectors: &Vectors,
        sums: &mut [[[[f32; 8]; 2]; GROUPS]],
        group: usize,
    ) {
        for side in 0..2 {
            let vector_scales = simd.load_floats(&vectors.scales[side]);
            for (r, sums) in sums.iter_mut().take(matrices::ROWS).enumerate() {
                let high = simd.shift_left_ints::<8>(simd.load_ints(&high.0[r][side]));
                let products = simd.to_floats(simd.add(simd.load_ints(&low.0[r][side]), high));
                let scale = simd.multiply(vector_scales, simd.splat_float(self.scales[r]));
                let mut sum = simd.multiply_add(products, scale, simd.load_floats(&sums[group][side]));
                if B::HAS_MINIMUMS {
                    let scale = simd.multiply(vector_scales, simd.splat_float(self.minimum_scales[r]));
                    sum = simd.multiply_add(simd.load_floats(&rises.0[r][side]), scale, sum);
                }
                simd.store_floats(sum, &mut sums[group][side]);
            }
        }
    }
}
