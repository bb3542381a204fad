//! The pieces that tensors are worked on in, numbered through all of them. None is stored, so that their number
//! costs no memory.

use std::ops::Range;

/// The pieces of some tensors.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    tensors: Vec<Cut>,
    count: usize,
}

/// A tensor of `len` units, cut into pieces of `step`.
#[derive(Debug)]
struct Cut {
    /// The number of its first piece.
    first: usize,
    step: u64,
    len: u64,
}

impl Pieces {
    /// Adds a tensor of `len` elements or bytes, to be cut into pieces of `step`; the last may be shorter. An empty
    /// tensor has no pieces.
    pub(crate) fn add(&mut self, len: u64, step: u64) {
        self.tensors.push(Cut { first: self.count, step, len });
        // A number of pieces past the address space is a file no disk holds.
        let pieces = usize::try_from(len.div_ceil(step)).unwrap_or(usize::MAX);
        self.count = self.count.saturating_add(pieces);
    }

    /// How many pieces there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The tensor that piece `number` belongs to, by its index, and the part of it.
    pub(crate) fn get(&self, number: usize) -> (usize, Range<u64>) {
        let tensor = self.tensors.partition_point(|cut| cut.first <= number).saturating_sub(1);
        let Cut { first, step, len } = self.tensors[tensor];
        let start = (number - first) as u64 * step;
        (tensor, start..start.saturating_add(step).min(len))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_of_every_tensor_is_in_exactly_one_piece() {
        let lens = [(10, 4), (0, 7), (0, 1), (8, 4), (1, 100), (0, 3)];
        let mut pieces = Pieces::default();
        lens.iter().for_each(|&(len, step)| pieces.add(len, step));
        let found: Vec<_> = (0..pieces.count()).map(|number| pieces.get(number)).collect();
        assert_eq!(found, [(0, 0..4), (0, 4..8), (0, 8..10), (3, 0..4), (3, 4..8), (4, 0..1)]);
    }

    #[test]
    fn more_pieces_than_can_be_counted_are_as_many_as_can() {
        let mut pieces = Pieces::default();
        [(1, 1), (u64::MAX, 1), (u64::MAX, 1)].iter().for_each(|&(len, step)| pieces.add(len, step));
        assert_eq!(pieces.count(), usize::MAX);
        assert_eq!(pieces.get(usize::MAX - 1), (1, u64::MAX - 2..u64::MAX - 1));
    }
}
