//! Sub-blocks sorted for the search for a cut, and its result taken apart, for the IQ1 types.

use super::best::Best;
use crate::lanes::{Blocks, CodeTile, LANE_NUMBERS, Lanes};

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

/// Sub-blocks side by side with their weights in ascending order; equal ones stay in their order. Those of a part of a
/// sub-block are zero in the other parts.
pub(crate) struct Sorted<const SUB: usize, const PARTS: usize> {
    /// By lane, how many weights come before each.
    ranks: [[u8; SUB]; LANES],
    /// The weights times their importance.
    pub(crate) products: [[[f32; LANES]; SUB]; PARTS],
    /// The importance.
    pub(crate) importance: [[[f32; LANES]; SUB]; PARTS],
}

impl<const SUB: usize, const PARTS: usize> Sorted<SUB, PARTS> {
    /// Sorts the sub-blocks that start at `starts`.
    #[inline(always)]
    pub(crate) fn new<L: Lanes>(x: &[f32], w: &[f32], starts: impl Iterator<Item = usize> + Clone) -> Self {
        let mut lanes = [L::zero(); SUB];
        Blocks::<SUB>::new(x, starts.clone()).load(0, &mut lanes);
        let none = [[[0.0; LANES]; SUB]; PARTS];
        let mut sorted = Self { ranks: ranks(lanes).blocks(), products: none, importance: none };
        for (lane, (start, ranks)) in starts.zip(&sorted.ranks).enumerate() {
            let (x, w) = (&x[start..][..SUB], &w[start..][..SUB]);
            for (i, rank) in ranks.iter().enumerate() {
                let (part, rank) = (i / (SUB / PARTS), usize::from(*rank) % SUB);
                sorted.products[part][rank][lane] = w[i] * x[i];
                sorted.importance[part][rank][lane] = w[i];
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

impl Best {
    /// The cuts of the sub-blocks in the first `lanes` lanes; `None` where no cut is better than nothing. `last` is
    /// the highest combination.
    #[inline(always)]
    pub(crate) fn splits<const SUB: usize, const PARTS: usize>(
        &self,
        sorted: &Sorted<SUB, PARTS>,
        lanes: usize,
        last: u8,
        splits: &mut Vec<Option<Split<SUB>>>,
    ) {
        for lane in 0..lanes {
            if self.combinations[lane] == Self::NONE {
                splits.push(None);
                continue;
            }
            let mut split =
                Split { scale: self.scales[lane], combination: self.combinations[lane], digits: [0; SUB] };
            let [first, second] = self.cuts[lane];
            for (digit, &rank) in split.digits.iter_mut().zip(&sorted.ranks[lane]) {
                *digit = u8::from(rank >= first) + u8::from(rank >= second);
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::cut::Cuts;
    use super::super::sums::{Halves, Together};
    use super::super::ternary::levels;
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

    fn check<const PARTS: usize>(
        x: &[f32; 16],
        w: &[f32; 16],
        find: impl Fn(&Sorted<16, PARTS>) -> Best,
        combinations: &[[bool; 2]],
    ) {
        let sorted = Sorted::new::<f32>(x, w, std::iter::once(0));
        let best = find(&sorted);
        let mut splits = Vec::new();
        best.splits(&sorted, 1, combinations.len() as u8 - 1, &mut splits);
        let Some(Some(split)) = splits.pop() else { panic!("nothing found") };
        let found = score(x, w, &split.digits, combinations[usize::from(split.combination)]);
        let best = best_score(x, w, combinations);
        assert!((found - best).abs() <= 1e-4 * best, "{found} but {best} is possible");
    }

    proptest! {
        #[test]
        fn no_cut_is_better_than_the_one_found(
            x in proptest::array::uniform16(-1.0_f32..1.0), w in proptest::array::uniform16(0.1_f32..1.0),
        ) {
            check(&x, &w, |sorted| Together::<17>::new::<f32, 16>(sorted).best::<f32>(), &[[false; 2], [true; 2]]);
            let halves = [[false, false], [false, true], [true, false], [true, true]];
            check(&x, &w, |sorted| Halves::new::<f32>(sorted).best::<f32>(), &halves);
        }

        #[test]
        fn weights_are_sorted_and_equal_ones_keep_their_order(x in any::<[i8; 32]>()) {
            let x = x.map(|x| f32::from(x / 16));
            let sorted = Sorted::<32, 1>::new::<f32>(&x, &[1.0; 32], std::iter::once(0));
            let mut expected: Vec<usize> = (0..32).collect();
            expected.sort_by_key(|&i| x[i] as i32);
            for (rank, i) in expected.into_iter().enumerate() {
                prop_assert_eq!(usize::from(sorted.ranks[0][i]), rank);
                prop_assert_eq!(sorted.products[0][rank][0], x[i]);
            }
        }
    }
}
