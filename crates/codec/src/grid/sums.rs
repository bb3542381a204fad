//! What cuts of sorted weights score, for the two ways in which levels are shifted.

use super::cut::Cuts;
use super::split::Sorted;
use super::ternary::levels;
use crate::lanes::Lanes;

/// The sums of the sorted weights before each place.
pub(crate) struct Sums<L, const PLACES: usize> {
    /// Of the weights times their importance.
    pub(super) products: [L; PLACES],
    /// Of the importance.
    pub(super) squares: [L; PLACES],
}

impl<L: Lanes, const PLACES: usize> Sums<L, PLACES> {
    #[inline(always)]
    fn new<const SUB: usize, const PARTS: usize>(sorted: &Sorted<SUB, PARTS>, part: usize) -> Self {
        let mut sums = Self { products: [L::zero(); PLACES], squares: [L::zero(); PLACES] };
        for i in 0..SUB {
            sums.products[i + 1] = sums.products[i] + L::load(&sorted.products[part][i]);
            sums.squares[i + 1] = sums.squares[i] + L::load(&sorted.importance[part][i]);
        }
        sums
    }
}

/// Cuts of weights whose levels are all shifted up (combination 0) or all down (1).
pub(crate) struct Together<L, const PLACES: usize> {
    sums: [Sums<L, PLACES>; 1],
    /// By place, what the weights with digit 0 add if it is the first with digit 1, by combination.
    low: [[(L, L); 2]; PLACES],
    /// What the weights with digit 2 add if it is the first of them.
    high: [[(L, L); 2]; PLACES],
}

impl<L: Lanes, const PLACES: usize> Together<L, PLACES> {
    #[inline(always)]
    pub(crate) fn new<const SUB: usize>(sorted: &Sorted<SUB, 1>) -> Self {
        let sums = Sums::<L, PLACES>::new(sorted, 0);
        let none = [[(L::zero(), L::zero()); 2]; PLACES];
        let (mut low, mut high) = (none, none);
        for combination in 0..2 {
            let [low_level, _, high_level] = levels(combination == 1);
            let (low_level, high_level) = (L::splat(low_level), L::splat(high_level));
            for place in 0..PLACES {
                let (product, square) = (sums.products[place], sums.squares[place]);
                low[place][combination] = (product * low_level, square * low_level * low_level);
                let (product, square) = (sums.products[SUB] - product, sums.squares[SUB] - square);
                high[place][combination] = (product * high_level, square * high_level * high_level);
            }
        }
        Self { sums: [sums], low, high }
    }
}

impl<L: Lanes, const PLACES: usize> Cuts<L, PLACES, 2> for Together<L, PLACES> {
    #[inline(always)]
    fn sums(&self, [first, second]: [usize; 2]) -> [(L, L); 2] {
        let [sums] = &self.sums;
        // The levels in the middle are opposite, so the squares are the same.
        let level = L::splat(levels(false)[1]);
        let product = (sums.products[second] - sums.products[first]) * level;
        let square = (sums.squares[second] - sums.squares[first]) * level * level;
        let ([low_up, low_down], [high_up, high_down]) = (self.low[first], self.high[second]);
        [
            (low_up.0 + product + high_up.0, low_up.1 + square + high_up.1),
            (low_down.0 - product + high_down.0, low_down.1 + square + high_down.1),
        ]
    }

    #[inline(always)]
    fn parts(&self) -> &[Sums<L, PLACES>] {
        &self.sums
    }
}

/// Cuts of 16 weights, where the levels of each half are shifted on their own: combination 2 if those of the first half
/// are shifted down, plus 1 if those of the second are.
///
/// Neighbouring levels differ by 1, and their squares by fixed numbers. So the sums are those for all digits 2, less
/// what each place takes off.
pub(crate) struct Halves<L> {
    sums: [Sums<L, 17>; 2],
    /// By half, then by shift: the products if all digits are 2.
    products: [[L; 2]; 2],
    /// The squares, by the first weight with digit 1.
    first_squares: [[[L; 17]; 2]; 2],
    /// What is to be added to them, by the first weight with digit 2.
    second_squares: [[[L; 17]; 2]; 2],
}

impl<L: Lanes> Halves<L> {
    #[inline(always)]
    pub(crate) fn new(sorted: &Sorted<16, 2>) -> Self {
        let sums = [Sums::new(sorted, 0), Sums::new(sorted, 1)];
        let none = [[[L::zero(); 17]; 2]; 2];
        let (mut products, mut first_squares, mut second_squares) = ([[L::zero(); 2]; 2], none, none);
        for (half, sums) in sums.iter().enumerate() {
            for shift in 0..2 {
                let [low, middle, high] = levels(shift == 1);
                products[half][shift] = sums.products[16] * L::splat(high);
                let square = sums.squares[16] * L::splat(high) * L::splat(high);
                for place in 0..17 {
                    first_squares[half][shift][place] =
                        square + sums.squares[place] * L::splat(low * low - middle * middle);
                    second_squares[half][shift][place] =
                        sums.squares[place] * L::splat(middle * middle - high * high);
                }
            }
        }
        Self { sums, products, first_squares, second_squares }
    }
}

impl<L: Lanes> Cuts<L, 17, 4> for Halves<L> {
    #[inline(always)]
    fn sums(&self, [first, second]: [usize; 2]) -> [(L, L); 4] {
        let mut halves = [[(L::zero(), L::zero()); 2]; 2];
        for (half, halves) in halves.iter_mut().enumerate() {
            let below = self.sums[half].products[first] + self.sums[half].products[second];
            for (shift, sums) in halves.iter_mut().enumerate() {
                let square =
                    self.first_squares[half][shift][first] + self.second_squares[half][shift][second];
                *sums = (self.products[half][shift] - below, square);
            }
        }
        let mut sums = [(L::zero(), L::zero()); 4];
        for (combination, sums) in sums.iter_mut().enumerate() {
            let (first_half, second_half) = (halves[0][combination / 2], halves[1][combination % 2]);
            *sums = (first_half.0 + second_half.0, first_half.1 + second_half.1);
        }
        sums
    }

    #[inline(always)]
    fn parts(&self) -> &[Sums<L, 17>] {
        &self.sums
    }
}
