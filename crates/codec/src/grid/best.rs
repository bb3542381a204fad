//! The best cuts of sub-blocks side by side, and the search for them: each cut is compared in all lanes at once, and
//! taken where it is one of those to compare and better than what is there.

use super::lines::Row;
use crate::lanes::{Lanes, MAX_WIDTH, numbers};

/// The best cuts of sub-blocks side by side.
pub(crate) struct Best {
    /// The best scales for their digits.
    pub(crate) scales: Row,
    /// Of sorted weights the first with digit 1 and the first with digit 2.
    pub(crate) cuts: [[u8; 2]; MAX_WIDTH],
    /// [`Best::NONE`] where no cut is better than nothing.
    pub(crate) combinations: [u8; MAX_WIDTH],
}

impl Best {
    pub(crate) const NONE: u8 = u8::MAX;
}

/// A cut and a combination.
pub(crate) struct Choice {
    pub(super) cut: [usize; 2],
    pub(super) combination: usize,
}

impl Choice {
    /// As a number that lanes can hold.
    #[inline(always)]
    fn number(self) -> f32 {
        (self.combination << 16 | self.cut[0] << 8 | self.cut[1]) as f32
    }
}

/// The best cuts so far.
pub(crate) struct Search<L> {
    scales: L,
    scores: L,
    /// How many were compared.
    pub(super) compared: L,
    /// The numbers of choices; below zero where there is none.
    choices: L,
}

impl<L: Lanes> Search<L> {
    #[inline(always)]
    pub(super) fn above(score: L) -> Self {
        Self { scales: L::zero(), scores: score, compared: L::zero(), choices: L::splat(-1.0) }
    }

    /// Compares a cut in some lanes, and takes it where it is better.
    #[inline(always)]
    pub(super) fn take(&mut self, lanes: L::Mask, choice: Choice, (product, square): (L, L)) {
        let one = L::select(lanes, L::splat(1.0), L::zero());
        self.compared = self.compared + one;
        let better = lanes & square.gt(L::zero()) & (product * product).gt(self.scores * square);
        let scale = product / square;
        self.scales = L::select(better, scale, self.scales);
        self.scores = L::select(better, scale * product, self.scores);
        self.choices = L::select(better, L::splat(choice.number()), self.choices);
    }

    #[inline(always)]
    pub(super) fn end(self) -> Best {
        let mut best = Best {
            scales: numbers(self.scales),
            cuts: [[0; 2]; MAX_WIDTH],
            combinations: [Best::NONE; MAX_WIDTH],
        };
        for (lane, choice) in numbers(self.choices).into_iter().enumerate() {
            if choice >= 0.0 {
                let [second, first, combination, _] = (choice as u32).to_le_bytes();
                (best.cuts[lane], best.combinations[lane]) = ([first, second], combination);
            }
        }
        best
    }
}
