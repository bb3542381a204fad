//! The best cut of sorted weights in three: the lowest get digit 0, the highest digit 2. Source: ggml's search for
//! IQ1_S and IQ1_M.
//!
//! For given scale and levels some such cut is the best choice of digits without a grid. Trying every cut with its
//! best scale finds it; sums up to each place make that cheap.
//!
//! A cut scores the squared sum of products over the sum of squares. The reference starts from a score below all and
//! takes, in turn, each cut that is better than what it has. Here the start is the score of some likely cut, less
//! [`WINDOW`] of it, and the result is the same. For a comparison errs only between scores that differ by less than
//! 8 * 2^-24 of themselves. Of at most 1122 scores and the start, all within the window below the highest score, some
//! neighbours are twice as far apart: WINDOW / 1123 is 29 * 2^-24. Any cut above that gap is taken where the best so far
//! is below it, and none below where the best is above. So the cuts above the gap alone decide, by comparisons
//! between them, which is taken last.

use super::sums::Sums;
use crate::lanes::Lanes;

/// By how much the start is below the score of a cut, of that.
const WINDOW: f32 = 1.0 / 512.0;

/// Within these limits of the sum of squares and of the score to start below, no number that decides is subnormal or
/// infinite: no square is less than a 65th of their sum, and products are limited too.
const LIMITS: [[f32; 2]; 2] = [[1e-12, 1e12], [1e-20, 1e20]];

/// The best cut.
pub(crate) struct Best<L> {
    /// The best scale for its digits.
    pub(crate) scale: L,
    score: L,
    /// Of sorted weights the first with digit 1 and the first with digit 2.
    pub(crate) cut: [L; 2],
    /// Below zero: none.
    pub(crate) combination: L,
}

/// What cuts of sub-blocks side by side are scored by. `PLACES` is one more than there are weights.
pub(crate) trait Cuts<L: Lanes, const PLACES: usize, const COMBINATIONS: usize> {
    /// For each combination of levels the weighted sums of levels times weights, and of levels squared.
    fn sums(&self, cut: [usize; 2]) -> [(L, L); COMBINATIONS];

    /// The sums that the others are made of, part by part.
    fn parts(&self) -> &[Sums<L, PLACES>];

    /// The best cut, as the reference finds it.
    #[inline(always)]
    fn best(&self) -> Best<L> {
        self.best_above(self.start())
    }

    /// The last cut that is better than those before it and than `score`.
    #[inline(always)]
    fn best_above(&self, score: L) -> Best<L> {
        let none = L::splat(-1.0);
        let mut best = Best { scale: L::zero(), score, cut: [none; 2], combination: none };
        for first in 0..PLACES {
            for second in first..PLACES {
                let sums = self.sums([first, second]);
                let mut better = is_above(sums[0], best.score);
                for &sums in &sums[1..] {
                    better = better | is_above(sums, best.score);
                }
                // Seldom.
                if L::any(better) {
                    best.take(&sums, [first, second]);
                }
            }
        }
        best
    }

    /// A score to start from: below that of a likely cut, or of all where numbers are not [ordinary](Self::is_ordinary).
    #[inline(always)]
    fn start(&self) -> L {
        let (mut product, mut square) = (L::zero(), L::splat(1.0));
        // A normal distribution has its best cut about a quarter from either end.
        for first in (PLACES / 8..=PLACES / 2).step_by(2) {
            for second in (PLACES / 2..PLACES - PLACES / 8).step_by(2) {
                for (product_here, square_here) in self.sums([first, second]) {
                    let better = (product_here * product_here * square).gt(product * product * square_here);
                    product = L::select(better, product_here, product);
                    square = L::select(better, square_here, square);
                }
            }
        }
        let score = product / square * product;
        let ordinary = self.is_ordinary() & is_within(score, LIMITS[1]);
        L::select(ordinary, score * L::splat(1.0 - WINDOW), L::splat(-f32::MAX))
    }

    /// Whether the sums are within limits, and importance is not below zero.
    #[inline(always)]
    fn is_ordinary(&self) -> L::Mask {
        let (mut square, mut magnitude, mut descends) = (L::zero(), L::zero(), L::zero().lt(L::zero()));
        for part in self.parts() {
            square = square + part.squares[PLACES - 1];
            for i in 1..PLACES {
                magnitude = magnitude + part.products[i].abs();
                descends = descends | part.squares[i].lt(part.squares[i - 1]);
            }
        }
        !descends & is_within(square, LIMITS[0]) & magnitude.lt(L::splat(1e11))
    }
}

/// Whether the score is above `score`.
#[inline(always)]
fn is_above<L: Lanes>((product, square): (L, L), score: L) -> L::Mask {
    (product * product).gt(score * square)
}

#[inline(always)]
fn is_within<L: Lanes>(number: L, [low, high]: [f32; 2]) -> L::Mask {
    number.gt(L::splat(low)) & number.lt(L::splat(high))
}

impl<L: Lanes> Best<L> {
    /// Takes the cut where it is better, with the best of its combinations.
    #[inline(always)]
    fn take<const COMBINATIONS: usize>(&mut self, sums: &[(L, L); COMBINATIONS], cut: [usize; 2]) {
        for (combination, &(product, square)) in sums.iter().enumerate() {
            let better = square.gt(L::zero()) & is_above((product, square), self.score);
            self.scale = L::select(better, product / square, self.scale);
            self.score = L::select(better, self.scale * product, self.score);
            for (best, cut) in self.cut.iter_mut().zip(cut) {
                *best = L::select(better, L::splat(cut as f32), *best);
            }
            self.combination = L::select(better, L::splat(combination as f32), self.combination);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::split::Sorted;
    use super::super::sums::{Halves, Together};
    use super::*;
    use crate::lanes::{Isa, Kernel, MAX_WIDTH, dispatch, numbers};

    /// Compares the best from a likely start with the best of all.
    struct Compare<'a> {
        x: &'a [f32],
        w: &'a [f32],
        started: &'a mut u32,
    }

    impl Kernel for Compare<'_> {
        #[inline(always)]
        fn run<L: Lanes>(self) {
            let whole = Sorted::<32, 1>::new::<L>(self.x, self.w, (0..L::WIDTH).map(|lane| lane * 32));
            *self.started += compare(&Together::<L, 33>::new(&whole));
            let halves = Sorted::<16, 2>::new::<L>(self.x, self.w, (0..L::WIDTH).map(|lane| lane * 16));
            *self.started += compare(&Halves::<L>::new(&halves));
        }
    }

    /// Returns in how many lanes scores above the start are all that is looked at.
    fn compare<L: Lanes, const PLACES: usize, const COMBINATIONS: usize>(
        cuts: &impl Cuts<L, PLACES, COMBINATIONS>,
    ) -> u32 {
        let start = cuts.start();
        let [found, expected] = [start, L::splat(-f32::MAX)].map(|start| {
            let best = cuts.best_above(start);
            [best.scale, best.combination, best.cut[0], best.cut[1]]
                .map(|lanes| numbers(lanes).map(f32::to_bits))
        });
        assert_eq!(found, expected);
        L::bits(start.gt(L::zero())).count_ones()
    }

    /// A number from bits: ragged, or one of few so that many cuts are as good, or nearly.
    fn number(bits: u32, kind: usize) -> f32 {
        let few = (bits >> 8 & 7) as f32 - 3.0;
        match kind {
            0 => (bits as f32 * 0.37).sin(),
            1 => few,
            2 => f32::from_bits(few.to_bits() + (bits & 3)),
            3 => f32::from_bits(bits & 0x80FF_FFFF),
            4 => few * 1e30,
            _ => f32::from_bits(bits),
        }
    }

    proptest! {
        #[test]
        fn a_likely_start_does_not_change_which_cut_is_the_best(
            bits in proptest::collection::vec(any::<[u32; 2]>(), 32 * MAX_WIDTH), kinds in [0_usize..6, 0_usize..6], magnitude in -20_i32..20,
        ) {
            let x: Vec<f32> = bits.iter().map(|bits| number(bits[0], kinds[0])).collect();
            let unit = 10.0_f32.powi(magnitude);
            let w: Vec<f32> = bits.iter().map(|bits| number(bits[1], kinds[1]).abs() * unit).collect();
            for isa in Isa::available() {
                let mut started = 0;
                dispatch(isa, Compare { x: &x, w: &w, started: &mut started });
                prop_assert!(kinds != [0, 0] || magnitude.abs() > 9 || started > 0, "{}", isa);
            }
        }
    }
}
