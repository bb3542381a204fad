//! The best cut of sorted weights in three: the lowest get digit 0, the highest digit 2. Source: ggml's search for
//! IQ1_S and IQ1_M.
//!
//! For given scale and levels some such cut is the best choice of digits without a grid. Trying every cut with its
//! best scale finds it; sums up to each place make that cheap.
//!
//! A cut scores the squared sum of products over the sum of squares. The reference starts from a score below all and
//! takes, in turn, each cut that is better than what it has. Here an [outline](super::outline) tells which cuts come
//! near the best score, and these alone are compared, in the same order, from a start below them. The result is the
//! same. For a comparison errs only between scores that differ by less than 8 * 2^-24 of themselves. Of the start and
//! scores above it, unless there are more than [`MOST_COMPARED`], some neighbours are twice as far apart. Any cut above
//! that gap is taken where the best so far is below it, and none below where the best is above. So the cuts above the
//! gap alone decide, by comparisons between them, which is taken last.

use super::best::{Best, Choice, Search};
use super::outline::{Above, MARGIN, Outline};
use super::sums::Sums;
use super::ternary::levels;
use crate::lanes::{Lanes, MAX_WIDTH};

/// The bits of a combination in what is above a unit.
const LANES: u64 = (1 << MAX_WIDTH) - 1;

/// Within these limits of the sum of squares and of the score to start below, no number that decides is subnormal or
/// infinite: no square is less than a 65th of their sum, and products are limited too.
const LIMITS: [[f32; 2]; 2] = [[1e-12, 1e12], [1e-20, 1e20]];

/// By how much the start is below a score that is reached, of that.
const WINDOW: f32 = 1.0 / 4096.0;

/// This many scores leave a gap of 16 * 2^-24 in the window.
const MOST_COMPARED: f32 = 255.0;

/// What cuts of sub-blocks side by side are scored by. `PLACES` is one more than there are weights. A combination says
/// which parts of a sub-block have their levels shifted down.
pub(crate) trait Cuts<const PLACES: usize, const PARTS: usize, const COMBINATIONS: usize> {
    /// Whether a combination shifts the levels of a part down.
    fn is_down(combination: usize, part: usize) -> bool;

    /// The sums that the others are made of, part by part.
    fn parts(&self) -> &[Sums<PLACES>; PARTS];

    /// The weighted sums of levels times weights, and of levels squared.
    fn sums<L: Lanes>(&self, cut: [usize; 2], combination: usize) -> (L, L);

    /// The best cuts, as the reference finds them.
    #[inline(always)]
    fn best<L: Lanes>(&self) -> Best {
        let mut each = [[[0.0; 3]; PARTS]; COMBINATIONS];
        for (combination, each) in each.iter_mut().enumerate() {
            for (part, each) in each.iter_mut().enumerate() {
                *each = levels(Self::is_down(combination, part));
            }
        }
        let mut outline = Outline::<L, PLACES, COMBINATIONS>::new(self.parts(), &each);
        let (start, is_known) = self.start(&outline);
        if L::any(!is_known) {
            return self.best_above(L::select(is_known, start, L::splat(-f32::MAX)));
        }
        let mut best = Search::above(start);
        outline.measure_by(start);
        let (mut found, mut count) = ([[Above::NOTHING; PLACES]; 2], 0);
        let found = found.as_flattened_mut();
        for first in 0..PLACES {
            outline.above_unit(first, found, &mut count);
            // Not after each: to find how many there are takes as long as some of them.
            if count > PLACES || first == PLACES - 1 {
                self.compare(&found[..count], &mut best);
                count = 0;
            }
        }
        if L::any(best.compared.gt(L::splat(MOST_COMPARED))) {
            return self.best_above(L::splat(-f32::MAX));
        }
        best.end()
    }

    /// Takes the cuts that are better.
    #[inline(always)]
    fn compare<L: Lanes>(&self, found: &[Above], best: &mut Search<L>) {
        for above in found {
            let (cut, mut lanes) = (above.cut.map(usize::from), above.lanes);
            while lanes != 0 {
                let combination = lanes.trailing_zeros() as usize / MAX_WIDTH;
                let here = lanes >> (combination * MAX_WIDTH) & LANES;
                lanes ^= here << (combination * MAX_WIDTH);
                best.take(L::mask(here as u32), Choice { cut, combination }, self.sums(cut, combination));
            }
        }
    }

    /// The last cuts that are better than those before them and than `score`.
    #[inline(always)]
    fn best_above<L: Lanes>(&self, score: L) -> Best {
        let mut best = Search::above(score);
        for first in 0..PLACES {
            for second in first..PLACES {
                for combination in 0..COMBINATIONS {
                    let cut = [first, second];
                    best.take(L::mask(u32::MAX), Choice { cut, combination }, self.sums(cut, combination));
                }
            }
        }
        best.end()
    }

    /// A score to start from, below that of a likely cut, and whether that is known: where numbers are ordinary, or all
    /// are zero and no cut scores at all.
    #[inline(always)]
    fn start<L: Lanes>(&self, outline: &Outline<L, PLACES, COMBINATIONS>) -> (L, L::Mask) {
        let (mut square, mut magnitude, mut descends) = (L::zero(), L::zero(), L::zero().lt(L::zero()));
        for part in self.parts() {
            square = square + L::load(&part.squares[PLACES - 1]);
            magnitude = magnitude + L::load(&part.magnitude);
            for i in 1..PLACES {
                descends = descends | L::load(&part.squares[i]).lt(L::load(&part.squares[i - 1]));
            }
        }
        // Best scales are a little above the mean of magnitudes. One for levels that are not shifted is near them; from
        // it the next is nearer, where importance differs from weight to weight.
        let plain = Outline::<L, PLACES, 1>::new(self.parts(), &[[[-1.0, 0.0, 1.0]; PARTS]]);
        let (product, plain_square) = plain.best_for(magnitude / square * L::splat(1.125));
        let (product, plain_square) = plain.best_for(product / plain_square);
        let scale = product / plain_square;
        let (product, likely_square) = outline.best_for(scale);
        let score = product / likely_square * product;
        let ordinary = is_within(square, LIMITS[0])
            & magnitude.lt(L::splat(1e11))
            & is_within(score, LIMITS[1])
            & scale.gt(L::zero())
            & (magnitude * magnitude).lt(score * square * L::splat(4.0));
        let start = score * L::splat(1.0 - WINDOW - MARGIN);
        (start, !descends & (ordinary | square.eq(L::zero())))
    }
}

#[inline(always)]
fn is_within<L: Lanes>(number: L, [low, high]: [f32; 2]) -> L::Mask {
    number.gt(L::splat(low)) & number.lt(L::splat(high))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::split::Sorted;
    use super::super::sums::{Halves, Together};
    use super::*;
    use crate::lanes::{Isa, Kernel, dispatch};

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
            *self.started += compare::<L, _, 33, 1, 2>(&Together::<33>::new::<L, 32>(&whole));
            let halves = Sorted::<16, 2>::new::<L>(self.x, self.w, (0..L::WIDTH).map(|lane| lane * 16));
            *self.started += compare::<L, _, 17, 2, 4>(&Halves::new::<L>(&halves));
        }
    }

    /// Returns in how many lanes a start is known.
    #[inline(always)]
    fn compare<L: Lanes, C, const PLACES: usize, const PARTS: usize, const COMBINATIONS: usize>(
        cuts: &C,
    ) -> u32
    where
        C: Cuts<PLACES, PARTS, COMBINATIONS>,
    {
        let found = cuts.best::<L>();
        let expected = cuts.best_above(L::splat(-f32::MAX));
        for lane in 0..L::WIDTH {
            assert_eq!(found.combinations[lane], expected.combinations[lane]);
            if found.combinations[lane] != Best::NONE {
                assert_eq!(found.cuts[lane], expected.cuts[lane]);
                assert_eq!(found.scales[lane].to_bits(), expected.scales[lane].to_bits());
            }
        }
        let levels_of = std::array::from_fn(|combination| {
            std::array::from_fn(|part| levels(C::is_down(combination, part)))
        });
        let outline = Outline::new(cuts.parts(), &levels_of);
        L::bits(cuts.start::<L>(&outline).1).count_ones()
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
            bits in proptest::collection::vec(any::<[u32; 2]>(), 32 * MAX_WIDTH),
            kinds in [0_usize..6, 0_usize..6],
            magnitude in -20_i32..20,
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
