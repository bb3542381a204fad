//! Blocks that lie apart, seen side by side.

use super::{Lanes, MAX_WIDTH, Pair, prefetch};

/// The blocks of `N` elements for up to `LANES` lanes. Lanes without a block see zeros.
pub(crate) struct Blocks<'a, const N: usize, const LANES: usize = { 2 * MAX_WIDTH }>([&'a [f32; N]; LANES]);

impl<'a, const N: usize, const LANES: usize> Blocks<'a, N, LANES> {
    /// The blocks that start at `starts` in `numbers`, a lane each.
    #[inline(always)]
    pub(crate) fn new(numbers: &'a [f32], starts: impl Iterator<Item = usize>) -> Self {
        let mut blocks = [const { &[0.0; N] }; LANES];
        for (block, start) in blocks.iter_mut().zip(starts) {
            *block = numbers[start..].first_chunk().unwrap_or(block);
        }
        Self(blocks)
    }

    /// `blocks`, a lane each.
    #[inline(always)]
    pub(crate) fn of(blocks: impl Iterator<Item = &'a [f32; N]>) -> Self {
        let mut lanes = [const { &[0.0; N] }; LANES];
        for (lane, block) in lanes.iter_mut().zip(blocks) {
            *lane = block;
        }
        Self(lanes)
    }

    /// The block of a lane.
    #[inline(always)]
    pub(crate) fn block(&self, lane: usize) -> &'a [f32; N] {
        self.0[lane]
    }

    /// The elements from `start` to `start + 3` of every block, a lane per block.
    #[inline(always)]
    pub(crate) fn four<L: Lanes>(&self, start: usize) -> [L; 4] {
        L::gather(&self.0, start)
    }

    /// The four elements from `start` on, and the four from `start + distance` on, in the lanes of a pair.
    #[inline(always)]
    pub(crate) fn four_pairs<L: Lanes>(&self, start: usize, distance: usize) -> [Pair<L>; 4] {
        let [a, b, c, d] = self.four(start);
        let [e, f, g, h] = self.four(start + distance);
        [Pair(a, e), Pair(b, f), Pair(c, g), Pair(d, h)]
    }

    /// The elements from `start` on, as many as a multiple of four `elements` hold.
    #[inline(always)]
    pub(crate) fn load<L: Lanes, const M: usize>(&self, start: usize, elements: &mut [L; M]) {
        for (i, four) in elements.as_chunks_mut().0.iter_mut().enumerate() {
            *four = self.four(start + 4 * i);
        }
    }

    /// Two runs of `M` elements, the first from `start` on, in the lanes of a pair.
    #[inline(always)]
    pub(crate) fn load_pair<L: Lanes, const M: usize>(&self, start: usize, elements: &mut [Pair<L>; M]) {
        for (i, four) in elements.as_chunks_mut().0.iter_mut().enumerate() {
            *four = self.four_pairs(start + 4 * i, M);
        }
    }

    /// Hints that the elements from `start` to `start + 31` will be needed of the `L::WIDTH` blocks after these, as if
    /// these lay one after the other. The processor does not see by itself that many short runs make a long one.
    #[inline(always)]
    pub(crate) fn prefetch_next<L: Lanes>(&self, start: usize) {
        for block in &self.0[..L::WIDTH] {
            let next = block.as_ptr().wrapping_add(L::WIDTH * N + start);
            prefetch(next);
            prefetch(next.wrapping_add(16));
        }
    }

    /// The [`peaks`](super::Peaks::peaks) of the blocks.
    #[inline(always)]
    pub(crate) fn peaks<L: Lanes>(&self) -> (L, L) {
        L::peaks(&self.0)
    }

    /// The sum of the squares of all elements, in index order.
    #[inline(always)]
    pub(crate) fn sum_of_squares<L: Lanes>(&self) -> L {
        let mut sum = L::zero();
        for start in (0..N).step_by(4) {
            for x in self.four::<L>(start) {
                sum = sum + x * x;
            }
        }
        sum
    }
}
