//! Blocks side by side: element by element, a lane per block.

use super::bytes::transposed;
use super::{Lanes, MAX_WIDTH, Pair};

/// The elements of up to [`Lanes::WIDTH`] blocks, transposed: all first elements, all second ones, and so on.
/// Lanes without a block hold zeros.
pub(crate) struct Tile<const N: usize>([[f32; MAX_WIDTH]; N]);

impl<const N: usize> Tile<N> {
    /// Zeros.
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self([[0.0; MAX_WIDTH]; N])
    }

    /// Takes the blocks that start at `starts` in `numbers`, a lane each, for `N` that is a multiple of four. Lanes
    /// without a block hold zeros.
    #[inline(always)]
    pub(crate) fn fill<L: Lanes>(&mut self, numbers: &[f32], starts: impl Iterator<Item = usize>) {
        let mut blocks = [&[0.0; N]; MAX_WIDTH];
        for (block, start) in blocks.iter_mut().zip(starts) {
            *block = numbers[start..].first_chunk().unwrap_or(block);
        }
        for (four, rows) in self.0.chunks_exact_mut(4).enumerate() {
            for (row, elements) in rows.iter_mut().zip(L::gather(&blocks, 4 * four)) {
                elements.store(row);
            }
        }
    }

    /// `M` elements from `start` on.
    #[inline(always)]
    pub(crate) fn load<L: Lanes, const M: usize>(&self, start: usize) -> [L; M] {
        let mut elements = [L::zero(); M];
        for (element, row) in elements.iter_mut().zip(&self.0[start..start + M]) {
            *element = L::load(row);
        }
        elements
    }
}

impl<const N: usize> Tile<N> {
    /// Two runs of `M` elements, the first from `start` on.
    #[inline(always)]
    pub(crate) fn load_pair<L: Lanes, const M: usize>(&self, start: usize) -> [Pair<L>; M] {
        let mut elements = [Pair::<L>::zero(); M];
        let (first, second) = self.0[start..start + 2 * M].split_at(M);
        for ((element, first), second) in elements.iter_mut().zip(first).zip(second) {
            *element = Pair(L::load(first), L::load(second));
        }
        elements
    }
}

/// The codes of blocks side by side, a row of lanes per element.
pub(crate) struct CodeTile<const N: usize>(pub(crate) [[u8; MAX_WIDTH]; N]);

impl<const N: usize> CodeTile<N> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self([[0; MAX_WIDTH]; N])
    }

    /// Puts `codes` at the elements from `start` on.
    #[inline(always)]
    pub(crate) fn store<L: Lanes>(&mut self, start: usize, codes: &[L]) {
        for (row, code) in self.0[start..].iter_mut().zip(codes) {
            code.store_codes(row);
        }
    }

    /// The codes block by block.
    #[inline(always)]
    pub(crate) fn blocks(&self) -> [[u8; N]; MAX_WIDTH] {
        let mut blocks = [[0; N]; MAX_WIDTH];
        for (i, rows) in self.0.as_chunks::<MAX_WIDTH>().0.iter().enumerate() {
            for (block, codes) in blocks.iter_mut().zip(transposed(rows)) {
                block[i * MAX_WIDTH..][..MAX_WIDTH].copy_from_slice(&codes);
            }
        }
        blocks
    }

    /// The codes of the block in `lane`.
    #[inline(always)]
    pub(crate) fn block(&self, lane: usize) -> [u8; N] {
        let mut codes = [0; N];
        for (code, row) in codes.iter_mut().zip(&self.0) {
            *code = row[lane];
        }
        codes
    }
}

/// What lane each lane is.
pub(crate) const LANE_NUMBERS: [f32; MAX_WIDTH] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];

/// The number in each lane.
#[inline(always)]
pub(crate) fn numbers<L: Lanes>(lanes: L) -> [f32; MAX_WIDTH] {
    let mut numbers = [0.0; MAX_WIDTH];
    lanes.store(&mut numbers);
    numbers
}
