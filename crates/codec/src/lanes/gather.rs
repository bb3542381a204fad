//! Elements of blocks that lie apart, brought side by side.

/// Lanes that take an element from a block each.
pub(crate) trait Gather: Sized {
    /// The elements from `start` to `start + 3`: of each, lane `i` holds that of `blocks[i]`; there are at least
    /// as many blocks as lanes.
    fn gather<const N: usize>(blocks: &[&[f32; N]], start: usize) -> [Self; 4];
}

impl Gather for f32 {
    #[inline(always)]
    fn gather<const N: usize>(blocks: &[&[f32; N]], start: usize) -> [Self; 4] {
        let block = blocks[0];
        [block[start], block[start + 1], block[start + 2], block[start + 3]]
    }
}
