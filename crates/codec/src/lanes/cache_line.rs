//! Lines of the cache, which are what a processor reads and writes at a time.

/// Numbers in a line.
pub(crate) const LINE: usize = 16;

/// Numbers that begin where a line of the cache does.
#[repr(align(64))]
pub(crate) struct Lines<const N: usize>(pub(crate) [f32; N]);

/// How many of the numbers lie before the first line of the cache that begins among them.
pub(crate) fn before_lines(numbers: &[f32]) -> usize {
    numbers.as_ptr().align_offset(align_of::<Lines<LINE>>()).min(numbers.len())
}
