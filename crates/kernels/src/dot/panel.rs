//! Types of 32 weights per block times sixteen columns at once, for batches.
//!
//! A lane is a column. Four codes of a row, in all lanes, meet four activations of each column, so that nothing is ever
//! summed across lanes, and four rows share what is loaded of the columns. That asks for activations in another order,
//! which is made here tile by tile, on the stack, and pays where many rows are multiplied with it.

use super::eight::{Eighth, take_apart};
use crate::activations::Tile;
use crate::simd::Simd;

/// Columns of a panel.
pub(crate) const COLUMNS: usize = 16;

/// The most rows that share a panel.
pub(crate) const ROWS: usize = 128;

/// Rows that are multiplied at once.
const QUAD: usize = 4;

/// The products of some rows with the columns of a panel.
pub(crate) type Sums = [[[f32; 8]; 2]; ROWS];

/// 256 activations of each of sixteen columns, eight columns on a side.
#[repr(align(64))]
struct Panel {
    /// Four quants of each column, 64 times.
    quants: [[[i8; 32]; 2]; 64],
    /// Of each 32 activations the scales, what the zero point of the weights adds, and the sums that are stated.
    scales: [[[f32; 8]; 2]; 8],
    zero_points: [[[i32; 8]; 2]; 8],
    stated_sums: [[[f32; 8]; 2]; 8],
}

/// Eight blocks of each of four rows, unpacked.
#[repr(align(64))]
struct Unpacked {
    codes: [[[u8; 32]; 8]; QUAD],
    scales: [[f32; 8]; QUAD],
    minimums: [[f32; 8]; QUAD],
}

/// Sums to begin with.
pub(crate) const NO_SUMS: Sums = [[[0.0; 8]; 2]; ROWS];

/// Multiplies at most [`ROWS`] rows of `row_blocks` blocks with sixteen columns.
#[inline(always)]
pub(super) fn multiply<B: Eighth, S: Simd>(
    simd: S,
    rows: &[B],
    row_blocks: usize,
    columns: [&[Tile]; COLUMNS],
    sums: &mut Sums,
) {
    let count = (rows.len() / row_blocks).min(ROWS);
    let shared = B::shared(simd);
    let mut panel = Panel {
        quants: [[[0; 32]; 2]; 64],
        scales: ZEROS,
        zero_points: [[[0; 8]; 2]; 8],
        stated_sums: ZEROS,
    };
    let mut unpacked =
        Unpacked { codes: [[[0; 32]; 8]; QUAD], scales: [[0.0; 8]; QUAD], minimums: [[0.0; 8]; QUAD] };
    for place in 0..row_blocks.div_ceil(8) {
        let (start, blocks) = (8 * place, (row_blocks - 8 * place).min(8));
        panel.fill::<B, S>(simd, columns, place);
        for first in (0..count).step_by(QUAD) {
            for r in 0..QUAD {
                // Behind the last row it is taken again, and the products are not looked at.
                let row = (first + r).min(count - 1) * row_blocks + start;
                unpacked.take::<B, S>(simd, shared, r, &rows[row..][..blocks]);
            }
            if let Some(sums) = sums[first..].first_chunk_mut() {
                add::<B, S>(simd, &unpacked, &panel, blocks, sums);
            }
        }
    }
}

const ZEROS: [[[f32; 8]; 2]; 8] = [[[0.0; 8]; 2]; 8];

impl Panel {
    /// Takes the tile at a place of each column.
    #[inline(always)]
    fn fill<B: Eighth, S: Simd>(&mut self, simd: S, columns: [&[Tile]; COLUMNS], place: usize) {
        for side in 0..2 {
            let mut tiles = [&Tile::ZERO; 8];
            for c in 0..8 {
                tiles[c] = &columns[8 * side + c][place];
            }
            let mut lanes = [simd.zero(); 8];
            for run in 0..8 {
                for c in 0..8 {
                    lanes[c] = simd.load_signed(&tiles[c].quants_32()[run]);
                }
                let fours = simd.transpose(lanes);
                for i in 0..8 {
                    simd.store_signed(fours[i], &mut self.quants[8 * run + i][side]);
                }
            }
            for c in 0..8 {
                lanes[c] = simd.load_ints(&tiles[c].negative_sums);
            }
            let negative_sums = simd.transpose(lanes);
            for c in 0..8 {
                lanes[c] = simd.float_bits(simd.load_floats(&tiles[c].scales));
            }
            let scales = simd.transpose(lanes);
            for c in 0..8 {
                lanes[c] = simd.float_bits(simd.load_floats(&tiles[c].stated_sums));
            }
            let stated_sums = simd.transpose(lanes);
            for k in 0..8 {
                let zero_point = B::zero_point(simd, simd.zero(), negative_sums[k]);
                simd.store_ints(zero_point, &mut self.zero_points[k][side]);
                simd.store_floats(simd.reinterpret(scales[k]), &mut self.scales[k][side]);
                simd.store_floats(simd.reinterpret(stated_sums[k]), &mut self.stated_sums[k][side]);
            }
        }
    }
}

impl Unpacked {
    /// Takes at most eight blocks of a row.
    #[inline(always)]
    fn take<B: Eighth, S: Simd>(&mut self, simd: S, shared: B::Shared<S>, r: usize, blocks: &[B]) {
        take_apart(simd, shared, blocks, &mut self.codes[r], [&mut self.scales[r], &mut self.minimums[r]]);
    }
}

/// Adds the products of `blocks` blocks of four rows.
#[inline(always)]
fn add<B: Eighth, S: Simd>(
    simd: S,
    rows: &Unpacked,
    panel: &Panel,
    blocks: usize,
    sums: &mut [[[f32; 8]; 2]; QUAD],
) {
    let mut totals = [[simd.zeros(); 2]; QUAD];
    for r in 0..QUAD {
        totals[r] = [simd.load_floats(&sums[r][0]), simd.load_floats(&sums[r][1])];
    }
    for k in 0..blocks {
        let zero_points =
            [simd.load_ints(&panel.zero_points[k][0]), simd.load_ints(&panel.zero_points[k][1])];
        let mut products = [zero_points; QUAD];
        unrolled!(i in 0 1 2 3 4 5 6 7 => {
            let [first, second] = &panel.quants[8 * k + i];
            let quants = [simd.load_signed(first), simd.load_signed(second)];
            for r in 0..QUAD {
                let codes = &rows.codes[r][k];
                let four = [codes[4 * i], codes[4 * i + 1], codes[4 * i + 2], codes[4 * i + 3]];
                let codes = simd.splat_int(i32::from_le_bytes(four));
                products[r][0] = B::add_dot(simd, products[r][0], codes, quants[0]);
                products[r][1] = B::add_dot(simd, products[r][1], codes, quants[1]);
            }
        });
        for side in 0..2 {
            let column_scales = simd.load_floats(&panel.scales[k][side]);
            for r in 0..QUAD {
                let scales = simd.multiply(column_scales, simd.splat_float(rows.scales[r][k]));
                totals[r][side] =
                    simd.multiply_add(simd.to_floats(products[r][side]), scales, totals[r][side]);
            }
            if B::HAS_MINIMUM {
                let stated_sums = simd.load_floats(&panel.stated_sums[k][side]);
                for r in 0..QUAD {
                    let minimum = simd.splat_float(rows.minimums[r][k]);
                    totals[r][side] = simd.multiply_add(stated_sums, minimum, totals[r][side]);
                }
            }
        }
    }
    for r in 0..QUAD {
        simd.store_floats(totals[r][0], &mut sums[r][0]);
        simd.store_floats(totals[r][1], &mut sums[r][1]);
    }
}
