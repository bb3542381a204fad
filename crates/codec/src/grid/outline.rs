//! What all cuts of sorted weights score, nearly: enough to tell which can be the best.
//!
//! Levels of neighbouring digits differ by 1, and their squares by fixed numbers. So the sums for a cut are those for
//! all digits 2, less what each of its two places takes off, whatever the other.
//!
//! For a scale s, the error is less than without digits by `2 s product - s^2 square`. The places that make that
//! largest are found one by one. No scale makes it larger than the score of the cut, and the cut's best scale makes it
//! as large.
//!
//! With u = 2^-24, U the sum of all importance and N that of the magnitudes of weights times importance, products are
//! within 20 u N of what sums in any other order are, and squares within 32 u U. Where a score is at least N^2 / 4 U,
//! as the best always is, products are at least N / 16, since no square is less than U / 65. So scores are within
//! [`MARGIN`] of others of the same cuts. That holds for a likely cut as well whose places come in the wrong order:
//! rounding alone can have them so, if what lies between counts for less.

use super::sums::Sums;
use crate::lanes::{Lanes, MAX_WIDTH};

/// By how much scores are off at most, of themselves.
pub(super) const MARGIN: f32 = 1.0 / 4096.0;

/// What cuts score, nearly.
pub(crate) struct Outline<L, const PLACES: usize, const COMBINATIONS: usize> {
    /// By combination, the weighted sums of weights times levels if all digits are 2.
    ends: [L; COMBINATIONS],
    /// What either place takes off.
    products: [L; PLACES],
    /// The weighted sums of levels squared, by the first weight with digit 1.
    low: [[L; COMBINATIONS]; PLACES],
    /// What is to be added to them, by the first weight with digit 2.
    high: [[L; COMBINATIONS]; PLACES],
}

/// A cut that is above the unit somewhere.
#[derive(Clone, Copy)]
pub(crate) struct Above {
    pub(super) cut: [u16; 2],
    /// Sixteen bits for each combination, one per lane.
    pub(super) lanes: u64,
}

impl Above {
    pub(super) const NOTHING: Self = Self { cut: [0; 2], lanes: 0 };
}

impl<L: Lanes, const PLACES: usize, const COMBINATIONS: usize> Outline<L, PLACES, COMBINATIONS> {
    /// From the sums of the parts of sub-blocks, and the levels of the digits there by combination.
    #[inline(always)]
    pub(super) fn new<const PARTS: usize>(
        parts: &[Sums<PLACES>; PARTS],
        levels: &[[[f32; 3]; PARTS]; COMBINATIONS],
    ) -> Self {
        let none = [[L::zero(); COMBINATIONS]; PLACES];
        let mut outline =
            Self { ends: [L::zero(); COMBINATIONS], products: [L::zero(); PLACES], low: none, high: none };
        for place in 0..PLACES {
            for part in parts {
                outline.products[place] = outline.products[place] + L::load(&part.products[place]);
            }
        }
        for (combination, levels) in levels.iter().enumerate() {
            let (mut end, mut square) = (L::zero(), L::zero());
            for (part, [_, _, high]) in parts.iter().zip(levels) {
                end = end + L::load(&part.products[PLACES - 1]) * L::splat(*high);
                square = square + L::load(&part.squares[PLACES - 1]) * L::splat(high * high);
            }
            outline.ends[combination] = end;
            for place in 0..PLACES {
                let (mut of_low, mut of_high) = (square, L::zero());
                for (part, [low, middle, high]) in parts.iter().zip(levels) {
                    let importance = L::load(&part.squares[place]);
                    of_low = of_low + importance * L::splat(low * low - middle * middle);
                    of_high = of_high + importance * L::splat(middle * middle - high * high);
                }
                (outline.low[place][combination], outline.high[place][combination]) = (of_low, of_high);
            }
        }
        outline
    }

    /// The sums of the best cut for a scale: of products, and of squares.
    #[inline(always)]
    pub(super) fn best_for(&self, scale: L) -> (L, L) {
        let half = scale * L::splat(0.5);
        let none = [L::zero(); COMBINATIONS];
        // Of the products that places take off, and half the scale times squares, the least sums.
        let (mut low, mut high) = ([L::splat(f32::MAX); COMBINATIONS], [L::splat(f32::MAX); COMBINATIONS]);
        let (mut products_low, mut products_high) = (none, none);
        for place in 0..PLACES {
            let product = self.products[place];
            for combination in 0..COMBINATIONS {
                let sum = product + half * self.low[place][combination];
                let products = &mut products_low[combination];
                *products = L::select(sum.lt(low[combination]), product, *products);
                low[combination] = sum.if_less(low[combination]);
                let sum = product + half * self.high[place][combination];
                let products = &mut products_high[combination];
                *products = L::select(sum.lt(high[combination]), product, *products);
                high[combination] = sum.if_less(high[combination]);
            }
        }
        let (mut gain, mut product, mut square) = (L::splat(-f32::MAX), L::zero(), L::zero());
        for combination in 0..COMBINATIONS {
            let off = products_low[combination] + products_high[combination];
            let product_here = self.ends[combination] - off;
            let square_here = low[combination] + high[combination] - off;
            let gain_here = product_here - square_here;
            let better = gain_here.gt(gain);
            gain = gain_here.if_greater(gain);
            product = L::select(better, product_here, product);
            square = L::select(better, square_here, square);
        }
        (product, square / half)
    }

    /// Makes `score` the unit of what products score: squares are compared with the squares of products then.
    #[inline(always)]
    pub(super) fn measure_by(&mut self, score: L) {
        let unit = L::splat(1.0) / (score * L::splat(1.0 - MARGIN)).sqrt();
        for product in self.products.iter_mut().chain(&mut self.ends) {
            *product = *product * unit;
        }
    }

    /// Puts the cuts with a first place that are above the unit behind the first `count` of `found`, in order.
    #[inline(always)]
    pub(super) fn above_unit(&self, first: usize, found: &mut [Above], count: &mut usize) {
        let (mut ends, low, mut next) = (self.ends, self.low[first], *count);
        for end in &mut ends {
            *end = *end - self.products[first];
        }
        for second in first..PLACES {
            let mut lanes = 0;
            for combination in 0..COMBINATIONS {
                let product = ends[combination] - self.products[second];
                let square = low[combination] + self.high[second][combination];
                lanes |= u64::from(L::bits((product * product).gt(square))) << (combination * MAX_WIDTH);
            }
            // Mostly there are none. What is put there then gives way to the next.
            if let Some(above) = found.get_mut(next) {
                *above = Above { cut: [first as u16, second as u16], lanes };
            }
            next += usize::from(lanes != 0);
        }
        *count = next;
    }
}
