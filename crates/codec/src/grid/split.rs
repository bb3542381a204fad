//! Cuts sorted weights in three: the lowest get digit 0, the highest digit 2. Source: ggml's search for IQ1_S and
//! IQ1_M.
//!
//! For given scale and levels some such cut is the best choice of digits without a grid. Trying every cut with its
//! best scale finds it; sums up to each place make that cheap.

use super::ternary::levels;
use crate::lanes::{CodeTile, LANE_NUMBERS, Lanes, Tile, numbers};

/// The most lanes there are.
const LANES: usize = LANE_NUMBERS.len();

/// The cut of a sub-block.
pub(crate) struct Split<const SUB: usize> {
    /// The best scale for these digits, not below zero.
    pub(crate) scale: f32,
    /// Which levels are shifted down, as the type numbers its combinations.
    pub(crate) combination: u8,
    pub(crate) digits: [u8; SUB],
}

/// Sub-blocks side by side with their weights in ascending order; equal ones stay in their order.
pub(crate) struct Sorted<const SUB: usize> {
    /// The index of each weight.
    order: [[f32; LANES]; SUB],
    /// The weights times their importance.
    products: [[f32; LANES]; SUB],
    /// The importance.
    importance: [[f32; LANES]; SUB],
}

impl<const SUB: usize> Sorted<SUB> {
    /// Sorts the sub-blocks that start at `starts`.
    #[inline(always)]
    pub(crate) fn new<L: Lanes>(x: &[f32], w: &[f32], starts: impl Iterator<Item = usize> + Clone) -> Self {
        let ranks = ranks(Tile::<SUB>::gather(x, starts.clone()).load::<L, SUB>(0));
        let mut sorted = Self {
            order: [[0.0; LANES]; SUB],
            products: [[0.0; LANES]; SUB],
            importance: [[0.0; LANES]; SUB],
        };
        for (lane, start) in starts.enumerate() {
            let (x, w) = (&x[start..][..SUB], &w[start..][..SUB]);
            for (i, rank) in ranks.block(lane).into_iter().enumerate() {
                let rank = usize::from(rank);
                sorted.order[rank][lane] = i as f32;
                sorted.products[rank][lane] = w[i] * x[i];
                sorted.importance[rank][lane] = w[i];
            }
        }
        sorted
    }
}

/// How many weights come before each. NaN come last: where one is, no cut is better than nothing.
#[inline(always)]
fn ranks<L: Lanes, const SUB: usize>(mut x: [L; SUB]) -> CodeTile<SUB> {
    for x in &mut x {
        *x = L::select(x.eq(*x), *x, L::splat(f32::INFINITY));
    }
    let mut ranks = [L::zero(); SUB];
    for later in 1..SUB {
        let mut before = L::zero();
        for earlier in 0..later {
            let passes = x[later].lt(x[earlier]);
            ranks[earlier] = L::select(passes, ranks[earlier] + L::splat(1.0), ranks[earlier]);
            before = L::select(passes, before, before + L::splat(1.0));
        }
        ranks[later] = before;
    }
    let mut tile = CodeTile::new();
    tile.store(0, &ranks);
    tile
}

/// The best cut so far.
pub(crate) struct Best<L> {
    scale: L,
    score: L,
    /// Of sorted weights the first with digit 1 and the first with digit 2.
    cut: [L; 2],
    /// Below zero: none.
    combination: L,
}

impl<L: Lanes> Best<L> {
    #[inline(always)]
    fn new() -> Self {
        let none = L::splat(-1.0);
        Self { scale: L::zero(), score: L::splat(-f32::MAX), cut: [none; 2], combination: none }
    }

    /// Takes the cut where it is better, with the best of its combinations: `sums` holds for each the weighted sums of
    /// levels times weights, and of levels squared.
    #[inline(always)]
    fn consider<const COMBINATIONS: usize>(&mut self, sums: &[(L, L); COMBINATIONS], cut: [usize; 2]) {
        let mut improves = self.is_better(sums[0]);
        for &sums in &sums[1..] {
            improves = improves | self.is_better(sums);
        }
        // Seldom after the first few cuts.
        if !L::any(improves) {
            return;
        }
        for (combination, &(product, square)) in sums.iter().enumerate() {
            let better = self.is_better((product, square));
            self.scale = L::select(better, product / square, self.scale);
            self.score = L::select(better, self.scale * product, self.score);
            for (best, cut) in self.cut.iter_mut().zip(cut) {
                *best = L::select(better, L::splat(cut as f32), *best);
            }
            self.combination = L::select(better, L::splat(combination as f32), self.combination);
        }
    }

    #[inline(always)]
    fn is_better(&self, (product, square): (L, L)) -> L::Mask {
        square.gt(L::zero()) & (product * product).gt(self.score * square)
    }
}

impl<L: Lanes> Best<L> {
    /// The cuts of the sub-blocks in the first `lanes` lanes; `None` where no cut is better than nothing. `last` is
    /// the highest combination.
    #[inline(always)]
    pub(crate) fn splits<const SUB: usize>(
        &self,
        sorted: &Sorted<SUB>,
        lanes: usize,
        last: u8,
        splits: &mut Vec<Option<Split<SUB>>>,
    ) {
        let (scales, combinations) = (numbers(self.scale), numbers(self.combination));
        let [first, second] = [numbers(self.cut[0]), numbers(self.cut[1])];
        for lane in 0..lanes {
            if combinations[lane] < 0.0 {
                splits.push(None);
                continue;
            }
            let mut split =
                Split { scale: scales[lane], combination: combinations[lane] as u8, digits: [0; SUB] };
            for (rank, order) in sorted.order.iter().enumerate() {
                let rank = rank as f32;
                let digit = u8::from(rank >= first[lane]) + u8::from(rank >= second[lane]);
                split.digits[order[lane] as usize] = digit;
            }
            if split.scale < 0.0 {
                split.scale = -split.scale;
                split.combination = last - split.combination;
                split.digits = split.digits.map(|digit| 2 - digit);
            }
            splits.push(Some(split));
        }
    }
}

impl<const SUB: usize> Sorted<SUB> {
    /// The best cut when all levels are shifted up (combination 0) or all down (1).
    #[inline(always)]
    pub(crate) fn cut_together<L: Lanes>(&self) -> Best<L> {
        const MAX: usize = 33;
        let (mut products, mut squares) = ([L::zero(); MAX], [L::zero(); MAX]);
        for i in 0..SUB {
            products[i + 1] = products[i] + L::load(&self.products[i]);
            squares[i + 1] = squares[i] + L::load(&self.importance[i]);
        }
        let mut high_sums = [[(L::zero(), L::zero()); MAX]; 2];
        for (sums, down) in high_sums.iter_mut().zip([false, true]) {
            let high = L::splat(levels(down)[2]);
            for (second, sums) in sums.iter_mut().enumerate().take(SUB + 1) {
                *sums = (
                    (products[SUB] - products[second]) * high,
                    (squares[SUB] - squares[second]) * high * high,
                );
            }
        }
        let mut best = Best::new();
        for first in 0..=SUB {
            for second in first..=SUB {
                let middle_product = products[second] - products[first];
                let middle_square = squares[second] - squares[first];
                let mut sums = [(L::zero(), L::zero()); 2];
                for (combination, sums) in sums.iter_mut().enumerate() {
                    let [low, middle, _] = levels(combination == 1);
                    let (low, middle) = (L::splat(low), L::splat(middle));
                    let (high_product, high_square) = high_sums[combination][second];
                    let product =
                        (products[first] - products[0]) * low + middle_product * middle + high_product;
                    let square = (squares[first] - squares[0]) * low * low
                        + middle_square * middle * middle
                        + high_square;
                    *sums = (product, square);
                }
                best.consider(&sums, [first, second]);
            }
        }
        best
    }

    /// The best cut when the levels of each half are shifted on their own: combination 2 if those of the first half
    /// are shifted down, plus 1 if those of the second are.
    #[inline(always)]
    pub(crate) fn cut_in_halves<L: Lanes>(&self) -> Best<L> {
        const MAX: usize = 17;
        let (mut products, mut squares) = ([[L::zero(); MAX]; 2], [[L::zero(); MAX]; 2]);
        for i in 0..SUB {
            let in_first = L::load(&self.order[i]).lt(L::splat((SUB / 2) as f32));
            for (half, here) in [in_first, !in_first].into_iter().enumerate() {
                // Adding zero leaves a sum as it is: none is -0.
                let product = L::select(here, L::load(&self.products[i]), L::zero());
                let square = L::select(here, L::load(&self.importance[i]), L::zero());
                products[half][i + 1] = products[half][i] + product;
                squares[half][i + 1] = squares[half][i] + square;
            }
        }
        let mut best = Best::new();
        for first in 0..=SUB {
            for second in first..=SUB {
                let mut halves = [[(L::zero(), L::zero()); 2]; 2];
                for half in 0..2 {
                    for (sums, down) in halves[half].iter_mut().zip([false, true]) {
                        *sums = half_sums(&products[half], &squares[half], [first, second, SUB], down);
                    }
                }
                let mut sums = [(L::zero(), L::zero()); 4];
                for (combination, sums) in sums.iter_mut().enumerate() {
                    let (first_half, second_half) = (halves[0][combination / 2], halves[1][combination % 2]);
                    *sums = (first_half.0 + second_half.0, first_half.1 + second_half.1);
                }
                best.consider(&sums, [first, second]);
            }
        }
        best
    }
}

/// The weighted sums of levels times weights and of levels squared. Neighbouring levels differ by 1, and their squares
/// by fixed numbers.
#[inline(always)]
fn half_sums<L: Lanes>(
    products: &[L],
    squares: &[L],
    [first, second, end]: [usize; 3],
    down: bool,
) -> (L, L) {
    let [low, middle, high] = levels(down);
    let (low_step, high_step) = (low * low - middle * middle, middle * middle - high * high);
    let product = products[end] * L::splat(high) - (products[first] + products[second]);
    let square = squares[end] * L::splat(high) * L::splat(high)
        + squares[first] * L::splat(low_step)
        + squares[second] * L::splat(high_step);
    (product, square)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How good digits are with their best scale, by definition: the larger, the smaller the error.
    fn score(x: &[f32; 16], w: &[f32; 16], digits: &[u8; 16], down: [bool; 2]) -> f64 {
        let (mut product, mut square) = (0.0, 0.0);
        for i in 0..16 {
            let level = f64::from(levels(down[i / 8])[usize::from(digits[i])]);
            product += f64::from(w[i]) * level * f64::from(x[i]);
            square += f64::from(w[i]) * level * level;
        }
        product * product / square
    }

    /// The best score of all cuts of the sorted weights, for shifts that `combinations` has.
    fn best_score(x: &[f32; 16], w: &[f32; 16], combinations: &[[bool; 2]]) -> f64 {
        let mut order: Vec<usize> = (0..16).collect();
        order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
        let mut best = 0.0_f64;
        for first in 0..=16 {
            for second in first..=16 {
                let mut digits = [0; 16];
                for (rank, &i) in order.iter().enumerate() {
                    digits[i] = u8::from(rank >= first) + u8::from(rank >= second);
                }
                best = combinations.iter().fold(best, |best, &down| best.max(score(x, w, &digits, down)));
            }
        }
        best
    }

    fn check(x: &[f32; 16], w: &[f32; 16], best: &Best<f32>, combinations: &[[bool; 2]]) {
        let sorted = Sorted::<16>::new::<f32>(x, w, std::iter::once(0));
        let mut splits = Vec::new();
        best.splits(&sorted, 1, combinations.len() as u8 - 1, &mut splits);
        let Some(Some(split)) = splits.pop() else { panic!("nothing found") };
        let found = score(x, w, &split.digits, combinations[usize::from(split.combination)]);
        let best = best_score(x, w, combinations);
        assert!((found - best).abs() <= 1e-4 * best, "{found} but {best} is possible");
    }

    proptest! {
        #[test]
        fn no_cut_is_better_than_the_one_found(x in proptest::array::uniform16(-1.0_f32..1.0), w in proptest::array::uniform16(0.1_f32..1.0)) {
            let sorted = Sorted::<16>::new::<f32>(&x, &w, std::iter::once(0));
            check(&x, &w, &sorted.cut_together(), &[[false; 2], [true; 2]]);
            let halves = [[false, false], [false, true], [true, false], [true, true]];
            check(&x, &w, &sorted.cut_in_halves(), &halves);
        }

        #[test]
        fn weights_are_sorted_and_equal_ones_keep_their_order(x in any::<[i8; 32]>()) {
            let x = x.map(|x| f32::from(x / 16));
            let sorted = Sorted::<32>::new::<f32>(&x, &[1.0; 32], std::iter::once(0));
            let mut expected: Vec<u8> = (0..32).collect();
            expected.sort_by_key(|&i| x[usize::from(i)] as i32);
            prop_assert_eq!(sorted.order.map(|order| order[0] as u8).to_vec(), expected);
        }
    }
}
