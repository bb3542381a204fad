//! Blocks that lie apart, seen side by side.

use super::{Lanes, MAX_WIDTH, Pair};

/// The blocks of `N` elements for up to [`MAX_WIDTH`] lanes, or for pairs of them. Lanes without a block see zeros.
pub(crate) struct Blocks<'a, const N: usize>([&'a [f32; N]; 2 * MAX_WIDTH]);

impl<'a, const N: usize> Blocks<'a, N> {
    /// The blocks that start at `starts` in `numbers`, a lane each.
    #[inline(always)]
    pub(crate) fn new(numbers: &'a [f32], starts: impl Iterator<Item = usize>) -> Self {
        let mut blocks = [const { &[0.0; N] }; 2 * MAX_WIDTH];
        for (block, start) in blocks.iter_mut().zip(starts) {
            *block = numbers[start..].first_chunk().unwrap_or(block);
        }
        Self(blocks)
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
}
