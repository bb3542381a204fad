//! Rows times many vectors, where the processor multiplies small matrices.

use super::places::Places;
use super::product::columns;
use crate::activations::Activations;
use crate::dot::batch::{GROUPS, ROWS, RowSums, Sums, VECTORS};
use crate::dot::{Dot, Element};
use crate::simd::matrices::ROWS as GROUP;
use crate::simd::{Amx, Simd, Work};

/// Fewer vectors are multiplied faster, or as fast, a few at a time.
pub(super) const FEWEST: usize = GROUP;

/// The sums of a row to begin with.
const NOTHING: RowSums = [[[0.0; 8]; 2]; GROUPS];

/// Some rows, and what they are multiplied with.
pub(super) struct Many<'a, W> {
    pub(super) amx: Amx,
    pub(super) blocks: &'a [W],
    /// Blocks of a row.
    pub(super) row_blocks: usize,
    pub(super) batch: &'a [Activations],
    pub(super) out: Places<'a>,
}

impl<W: Dot> Work for Many<'_, W> {
    type Output = ();

    fn scalar(self) {
        // Never called: a processor with AMX has vectors.
        for (row, blocks) in self.blocks.chunks_exact(self.row_blocks).enumerate() {
            for (vector, x) in self.batch.iter().enumerate() {
                self.out.put(vector, row, W::scalar(blocks, W::Element::of(x)));
            }
        }
    }

    #[inline(always)]
    fn vector<S: Simd>(self, simd: S) {
        let mut sums: Sums = [NOTHING; ROWS];
        for (piece, blocks) in self.blocks.chunks(ROWS * self.row_blocks).enumerate() {
            for (part, batch) in self.batch.chunks(VECTORS).enumerate() {
                let columns = columns::<W, VECTORS>(batch);
                sums.fill(NOTHING);
                let groups = batch.len().div_ceil(GROUP);
                W::batch(simd, self.amx, blocks, self.row_blocks, &columns, groups, &mut sums);
                for c in 0..batch.len() {
                    for r in 0..blocks.len() / self.row_blocks {
                        self.out.put(
                            part * VECTORS + c,
                            piece * ROWS + r,
                            sums[r][c / GROUP][c % GROUP / 8][c % 8],
                        );
                    }
                }
            }
        }
    }
}
