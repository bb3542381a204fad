//! Types of 32 weights per block: a sum of products for each block, which its scale is multiplied with.

use super::vectors::{groups, take_floats, take_quants};
use super::{GROUPS, ROWS, Sums, VECTORS};
use crate::activations::Tile;
use crate::dot::eight::Eighth;
use crate::simd::matrices::{self, Bytes, Ints};
use crate::simd::{Amx, Simd};

/// 256 activations of sixteen vectors.
#[repr(align(64))]
struct Vectors {
    quants: Bytes,
    /// Of each 32 activations the scales, what the zero point of the weights adds, and the sums that are stated.
    scales: [[[f32; 8]; 2]; 8],
    zero_points: [[i32; 16]; 8],
    stated_sums: [[[f32; 8]; 2]; 8],
}

/// Eight blocks of each of sixteen rows, unpacked.
#[repr(align(64))]
struct Weights {
    codes: [[u8; 256]; matrices::ROWS],
    scales: [[f32; 8]; matrices::ROWS],
    minimums: [[f32; 8]; matrices::ROWS],
}

/// Multiplies at most [`ROWS`] rows of `row_blocks` blocks with the vectors of the first `count` groups.
#[inline(always)]
pub(in crate::dot) fn multiply<B: Eighth, S: Simd>(
    simd: S,
    amx: Amx,
    rows: &[B],
    row_blocks: usize,
    columns: &[&[Tile]; VECTORS],
    count: usize,
    sums: &mut Sums,
) {
    let row_count = (rows.len() / row_blocks).min(ROWS);
    let shared = B::shared(simd);
    let mut vectors = [const { Vectors::ZERO }; GROUPS];
    let mut weights = Weights::ZERO;
    let mut products = [const { [Ints([[[0; 8]; 2]; matrices::ROWS]); 8] }; 2];
    let registers = amx.of_32();
    for place in 0..row_blocks.div_ceil(8) {
        let (start, blocks) = (8 * place, (row_blocks - 8 * place).min(8));
        for (vectors, tiles) in vectors.iter_mut().zip(&groups(columns, place)).take(count) {
            vectors.take::<B, S>(simd, tiles);
        }
        for first in (0..row_count).step_by(matrices::ROWS) {
            for r in 0..matrices::ROWS {
                // Behind the last row it is taken again, and the products are not looked at.
                let row = (first + r).min(row_count - 1) * row_blocks + start;
                weights.take::<B, S>(simd, shared, r, &rows[row..][..blocks]);
            }
            for pair in 0..count.div_ceil(2) {
                let (a, b) = (2 * pair, 2 * pair + 1);
                registers.of_runs(
                    &weights.codes,
                    [&vectors[a].quants, &vectors[b].quants],
                    [&vectors[a].zero_points, &vectors[b].zero_points],
                    &mut products,
                );
                for (i, products) in products.iter().enumerate() {
                    weights.add::<B, S>(simd, products, &vectors[2 * pair + i], blocks, &mut sums[first..], 2 * pair + i);
                }
            }
        }
    }
    drop(registers);
}

const ZEROS: [[[f32; 8]; 2]; 8] = [[[0.0; 8]; 2]; 8];

impl Vectors {
    const ZERO: Self = Self {
        quants: Bytes([[[0; 32]; 2]; 64]),
        scales: ZEROS,
        zero_points: [[0; 16]; 8],
        stated_sums: ZEROS,
    };

    #[inline(always)]
    fn take<B: Eighth, S: Simd>(&mut self, simd: S, tiles: &[&Tile; matrices::ROWS]) {
        take_quants(simd, tiles, |tile, run| &tile.quants_32()[run], |run, four| 8 * run + four, &mut self.quants);
        take_floats(simd, tiles, |tile| &tile.scales, &mut self.scales);
        if B::HAS_MINIMUM {
            take_floats(simd, tiles, |tile| &tile.stated_sums, &mut self.stated_sums);
        }
        for side in 0..2 {
            let mut lanes = [simd.zero(); 8];
            for lane in 0..8 {
                lanes[lane] = simd.load_ints(&tiles[8 * side + lane].negative_sums);
            }
            let negative_sums = simd.transpose(lanes);
            for k in 0..8 {
                let zero_point = B::zero_point(simd, simd.zero(), negative_sums[k]);
                let sides = self.zero_points[k].as_chunks_mut::<8>().0;
                simd.store_ints(zero_point, &mut sides[side]);
            }
        }
    }
}

impl Weights {
    const ZERO: Self = Self {
        codes: [[0; 256]; matrices::ROWS],
        scales: [[0.0; 8]; matrices::ROWS],
        minimums: [[0.0; 8]; matrices::ROWS],
    };

    /// Takes at most eight blocks of a row.
    #[inline(always)]
    fn take<B: Eighth, S: Simd>(&mut self, simd: S, shared: B::Shared<S>, r: usize, blocks: &[B]) {
        let mut headers = [0; 8];
        let runs = self.codes[r].as_chunks_mut::<32>().0;
        for (k, block) in blocks.iter().enumerate() {
            headers[k] = block.header();
            simd.store(block.plain_codes(simd, shared), &mut runs[k]);
        }
        let headers = simd.gather(headers);
        simd.store_floats(B::scales(simd, headers), &mut self.scales[r]);
        if let Some(minimums) = B::minimums(simd, headers) {
            simd.store_floats(minimums, &mut self.minimums[r]);
        }
    }

    /// Adds products of `blocks` blocks, scaled, to the sums of the rows with a group of vectors.
    #[inline(always)]
    fn add<B: Eighth, S: Simd>(
        &self,
        simd: S,
        products: &[Ints; 8],
        vectors: &Vectors,
        blocks: usize,
        sums: &mut [[[[f32; 8]; 2]; GROUPS]],
        group: usize,
    ) {
        for (r, sums) in sums.iter_mut().take(matrices::ROWS).enumerate() {
            for side in 0..2 {
                let mut sum = simd.load_floats(&sums[group][side]);
                for k in 0..blocks {
                    let scale = simd.multiply(
                        simd.load_floats(&vectors.scales[k][side]),
                        simd.splat_float(self.scales[r][k]),
                    );
                    let products = simd.to_floats(simd.load_ints(&products[k].0[r][side]));
                    sum = simd.multiply_add(products, scale, sum);
                    if B::HAS_MINIMUM {
                        let minimum = simd.splat_float(self.minimums[r][k]);
                        sum = simd.multiply_add(simd.load_floats(&vectors.stated_sums[k][side]), minimum, sum);
                    }
                }
                simd.store_floats(sum, &mut sums[group][side]);
            }
        }
    }
}
