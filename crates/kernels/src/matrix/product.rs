//! Rows times vectors on one thread, in an order in which what is read again is still near.

use super::places::Places;
use crate::activations::Activations;
use crate::dot::{Dot, Element, panel};
use crate::simd::{Simd, Work};

/// Bytes of weights that are multiplied with all vectors before the next ones are: they stay in the second cache.
const BLOCK: usize = 256 << 10;

/// Rows of so many bytes: in fours, which are multiplied at once.
pub(super) fn block_rows(row_bytes: usize) -> usize {
    (BLOCK / row_bytes).max(1).next_multiple_of(4)
}

/// Vectors that a row is multiplied with at once, where there is no panel.
const COLUMNS: usize = 4;

/// The most rows that are read side by side.
pub(super) const ROWS: usize = 8;

/// Rows, and what they are multiplied with.
pub(super) struct Product<'a, W> {
    pub(super) blocks: &'a [W],
    /// Blocks of a row.
    pub(super) row_blocks: usize,
    pub(super) batch: &'a [Activations],
    pub(super) out: Places<'a>,
}

impl<W: Dot> Work for Product<'_, W> {
    type Output = ();

    fn scalar(self) {
        let Self { blocks, row_blocks, batch, out } = self;
        for (vector, x) in batch.iter().enumerate() {
            for (row, blocks) in blocks.chunks_exact(row_blocks).enumerate() {
                out.put(vector, row, W::scalar(blocks, W::Element::of(x)));
            }
        }
    }

    #[inline(always)]
    fn vector<S: Simd>(self, simd: S) {
        let Self { blocks, row_blocks, batch, out } = self;
        if batch.len() > 1 {
            let wide = if W::HAS_PANEL { wide(batch.len()) } else { 0 };
            let limit = if W::HAS_PANEL { panel::ROWS } else { usize::MAX };
            let block_rows = block_rows(row_blocks * size_of::<W>()).min(limit);
            for (place, some) in blocks.chunks(block_rows * row_blocks).enumerate() {
                let (out, mut start) = (out.skip_rows(place * block_rows), 0);
                while start < batch.len() {
                    let out = out.skip_vectors(start);
                    start += match start < wide {
                        true => wide_group(simd, some, row_blocks, &batch[start..wide], out),
                        false => match (W::GROUP, S::IS_WIDE) {
                            (1, _) => group::<W, S, 1>(simd, some, row_blocks, &batch[start..], out),
                            (_, true) => group::<W, S, 4>(simd, some, row_blocks, &batch[start..], out),
                            (_, false) => group::<W, S, 2>(simd, some, row_blocks, &batch[start..], out),
                        },
                    };
                }
            }
        }
        for (vector, x) in batch.iter().enumerate() {
            if batch.len() == 1 || W::Element::apart(x).is_some() {
                one_column(simd, blocks, row_blocks, x, out.skip_vectors(vector));
            }
        }
    }
}

/// How many of the vectors are multiplied in panels. A panel that is more than half empty is no gain.
fn wide(vectors: usize) -> usize {
    match vectors % panel::COLUMNS {
        rest if rest <= panel::COLUMNS / 2 => vectors - rest,
        _ => vectors,
    }
}

/// As many vectors from the first on as multiply a row at once. One that is missing is replaced by the last one, which
/// costs no allocation and no code: its products are not looked at.
#[inline(always)]
pub(super) fn columns<W: Dot, const C: usize>(batch: &[Activations]) -> [&[W::Element]; C] {
    let mut columns = [W::Element::of(&batch[0]); C];
    for c in 0..C {
        columns[c] = W::Element::of(&batch[c.min(batch.len() - 1)]);
    }
    columns
}

/// Multiplies some rows with a panel of vectors; how many these were.
#[inline(always)]
fn wide_group<W: Dot, S: Simd>(
    simd: S,
    blocks: &[W],
    row_blocks: usize,
    batch: &[Activations],
    out: Places<'_>,
) -> usize {
    let mut sums = panel::NO_SUMS;
    W::panel(simd, blocks, row_blocks, columns::<W, { panel::COLUMNS }>(batch), &mut sums);
    let count = batch.len().min(panel::COLUMNS);
    for c in 0..count {
        for (row, sums) in sums.iter().take(blocks.len() / row_blocks).enumerate() {
            out.put(c, row, sums[c / 8][c % 8]);
        }
    }
    count
}

/// Multiplies some rows with a few vectors, `R` rows at a time.
#[inline(always)]
fn group<W: Dot, S: Simd, const R: usize>(
    simd: S,
    blocks: &[W],
    row_blocks: usize,
    batch: &[Activations],
    out: Places<'_>,
) -> usize {
    let columns = columns::<W, COLUMNS>(batch);
    let count = batch.len().min(COLUMNS);
    for (place, some) in blocks.chunks(R * row_blocks).enumerate() {
        let given = some.len() / row_blocks;
        let mut rows = [&blocks[..0]; R];
        for r in 0..R {
            // Behind the last row it is taken again, so that no product depends on how rows are shared out.
            rows[r] = &some[r.min(given - 1) * row_blocks..][..row_blocks];
        }
        let products = W::products(simd, rows, columns);
        for r in 0..given {
            for c in 0..count {
                out.put(c, place * R + r, products[r][c]);
            }
        }
    }
    count
}

/// The products of all rows with one vector.
#[inline(always)]
fn one_column<W: Dot, S: Simd>(simd: S, blocks: &[W], row_blocks: usize, x: &Activations, out: Places<'_>) {
    if let Some(apart) = W::Element::apart(x) {
        for (row, blocks) in blocks.chunks_exact(row_blocks).enumerate() {
            let [[most, rest]] = W::products(simd, [blocks], apart);
            out.put(0, row, most + rest);
        }
        return;
    }
    let x = W::Element::of(x);
    match W::ROWS {
        4 => side_by_side::<W, S, 4>(simd, blocks, row_blocks, x, out),
        _ => side_by_side::<W, S, ROWS>(simd, blocks, row_blocks, x, out),
    }
}

/// The products of all rows with one vector, `R` rows at a time.
///
/// A single row is read by so few instructions that the processor asks for bytes before it has begun to fetch ahead,
/// and then waits for each. Of rows side by side it fetches ahead in time, and activations are read once for all. Each
/// row is to end where the next that takes its place begins: the processor then goes on fetching.
#[inline(always)]
fn side_by_side<W: Dot, S: Simd, const R: usize>(
    simd: S,
    blocks: &[W],
    row_blocks: usize,
    x: &[W::Element],
    out: Places<'_>,
) {
    let count = blocks.len() / row_blocks;
    // Each of the rows that are read side by side is followed by the next one in memory.
    let runs = count.div_ceil(R);
    for place in 0..runs {
        let mut rows = [&blocks[..0]; R];
        for r in 0..R {
            // Behind the last row it is taken again, so that no product depends on how rows are shared out.
            let first = (r * runs + place).min(count - 1) * row_blocks;
            rows[r] = &blocks[first..first + row_blocks];
        }
        let products = W::products(simd, rows, [x]);
        for r in 0..R {
            if r * runs + place < count {
                out.put(0, r * runs + place, products[r][0]);
            }
        }
    }
}
