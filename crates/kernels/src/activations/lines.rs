//! Numbers that begin at a cache line, so that no load of some of them touches two.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// As many bytes as today's processors fetch at once.
#[derive(Clone, Copy, Debug, FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Numbers of one type, which whoever asks for them knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines(Vec<Line>);

impl Lines {
    /// Puts numbers in the place of what was there.
    pub(super) fn set<T: FromBytes + IntoBytes>(&mut self, numbers: impl ExactSizeIterator<Item = T>) {
        let bytes = numbers.len() * size_of::<T>();
        self.0.resize(bytes.div_ceil(size_of::<Line>()), Line::new_zeroed());
        // A line is aligned for every number: the fallback is never taken.
        let places = <[T]>::mut_from_bytes(&mut self.0.as_mut_bytes()[..bytes]).unwrap_or_default();
        for (place, number) in places.iter_mut().zip(numbers) {
            *place = number;
        }
    }

    /// The first numbers.
    #[inline(always)]
    pub(super) fn first<T: FromBytes + Immutable>(&self, count: usize) -> &[T] {
        <[T]>::ref_from_bytes(&self.0.as_bytes()[..count * size_of::<T>()]).unwrap_or_default()
    }
}
