//! What cuts of sorted weights score, for the two ways in which levels are shifted.

use super::cut::Cuts;
use super::lines::Row;
use super::split::Sorted;
use super::ternary::levels;
use crate::lanes::{Lanes, MAX_WIDTH};

/// The sums of the sorted weights before each place.
pub(crate) struct Sums<const PLACES: usize> {
    /// Of the weights times their importance.
    pub(super) products: [Row; PLACES],
    /// Of the importance.
    pub(super) squares: [Row; PLACES],
    /// Of the magnitudes of the weights times their importance, of all of them.
    pub(super) magnitude: Row,
}

impl<const PLACES: usize> Sums<PLACES> {
    #[inline(always)]
    fn new<L: Lanes, const SUB: usize, const PARTS: usize>(sorted: &Sorted<SUB, PARTS>, part: usize) -> Self {
        let zeros = [[0.0; MAX_WIDTH]; PLACES];
        let mut sums = Self { products: zeros, squares: zeros, magnitude: [0.0; MAX_WIDTH] };
        let (mut products, mut squares, mut magnitude) = (L::zero(), L::zero(), L::zero());
        for i in 0..SUB {
            let product = L::load(&sorted.products[part][i]);
            products = products + product;
            squares = squares + L::load(&sorted.importance[part][i]);
            magnitude = magnitude + product.abs();
            products.store(&mut sums.products[i + 1]);
            squares.store(&mut sums.squares[i + 1]);
        }
        magnitude.store(&mut sums.magnitude);
        sums
    }
}

/// Cuts of weights whose levels are all shifted up (combination 0) or all down (1).
pub(crate) struct Together<const PLACES: usize>([Sums<PLACES>; 1]);

impl<const PLACES: usize> Together<PLACES> {
    #[inline(always)]
    pub(crate) fn new<L: Lanes, const SUB: usize>(sorted: &Sorted<SUB, 1>) -> Self {
        Self([Sums::new::<L, SUB, 1>(sorted, 0)])
    }
}

/// Levels that are shifted up, and down.
const LEVELS: [[f32; 3]; 2] = [levels(false), levels(true)];

impl<const PLACES: usize> Cuts<PLACES, 1, 2> for Together<PLACES> {
    #[inline(always)]
    fn is_down(combination: usize, _: usize) -> bool {
        combination == 1
    }

    #[inline(always)]
    fn parts(&self) -> &[Sums<PLACES>; 1] {
        &self.0
    }

    #[inline(always)]
    fn sums<L: Lanes>(&self, cut: [usize; 2], combination: usize) -> (L, L) {
        let [Sums { products, squares, .. }] = &self.0;
        let (mut product, mut square) = (L::zero(), L::zero());
        let places = [0, cut[0], cut[1], PLACES - 1];
        for (digit, level) in LEVELS[combination].iter().enumerate() {
            let (level, [from, to]) = (L::splat(*level), [places[digit], places[digit + 1]]);
            let product_here = (L::load(&products[to]) - L::load(&products[from])) * level;
            let square_here = (L::load(&squares[to]) - L::load(&squares[from])) * level * level;
            product = if digit == 0 { product_here } else { product + product_here };
            square = if digit == 0 { square_here } else { square + square_here };
        }
        (product, square)
    }
}

/// Cuts of 16 weights, where the levels of each half are shifted on their own: combination 2 if those of the first half
/// are shifted down, plus 1 if those of the second are.
///
/// Neighbouring levels differ by 1, and their squares by fixed numbers. So the sums are those for all digits 2, less
/// what each place takes off.
pub(crate) struct Halves([Sums<17>; 2]);

impl Halves {
    #[inline(always)]
    pub(crate) fn new<L: Lanes>(sorted: &Sorted<16, 2>) -> Self {
        Self([Sums::new::<L, 16, 2>(sorted, 0), Sums::new::<L, 16, 2>(sorted, 1)])
    }
}

/// How the squares of levels step up.
struct Steps {
    high: f32,
    to_middle: f32,
    to_high: f32,
}

/// Those of levels that are shifted up, and down.
const STEPS: [Steps; 2] = [Steps::new(false), Steps::new(true)];

impl Steps {
    const fn new(down: bool) -> Self {
        let [low, middle, high] = LEVELS[down as usize];
        Self { high, to_middle: low * low - middle * middle, to_high: middle * middle - high * high }
    }
}

impl Cuts<17, 2, 4> for Halves {
    #[inline(always)]
    fn is_down(combination: usize, half: usize) -> bool {
        combination >> (1 - half) & 1 == 1
    }

    #[inline(always)]
    fn parts(&self) -> &[Sums<17>; 2] {
        &self.0
    }

    #[inline(always)]
    fn sums<L: Lanes>(&self, [first, second]: [usize; 2], combination: usize) -> (L, L) {
        let mut halves = [(L::zero(), L::zero()); 2];
        for (half, sums) in halves.iter_mut().enumerate() {
            let Sums { products, squares, .. } = &self.0[half];
            let Steps { high, to_middle, to_high } = &STEPS[usize::from(Self::is_down(combination, half))];
            let below = L::load(&products[first]) + L::load(&products[second]);
            let product = L::load(&products[16]) * L::splat(*high) - below;
            let square = L::load(&squares[16]) * L::splat(*high) * L::splat(*high);
            let square = square + L::load(&squares[first]) * L::splat(*to_middle);
            let square = square + L::load(&squares[second]) * L::splat(*to_high);
            *sums = (product, square);
        }
        let [first_half, second_half] = halves;
        (first_half.0 + second_half.0, first_half.1 + second_half.1)
    }
}
