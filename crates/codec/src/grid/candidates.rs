//! Of the neighbours those that can be the nearest.
//!
//! Digits are what weights round to. So a point whose digits are all as far from them as another's, or farther, is
//! not nearer to the weights either: at each weight, a level on the same side is farther the larger its distance in
//! digits, and one on the other side if that is larger at all. Of the neighbours where normally distributed weights
//! fall about half are left of those of four digits, and a quarter of long lists for eight.
//!
//! The sums of the reference do not differ either. A point is dropped for another where, of every digit, the error
//! `|scale * level - x|` is no smaller, and rounding keeps that order: through subtractions, products and sums of
//! numbers that are not negative. The other has fewer steps in all, so it is before it in the list, and the first of
//! equals is taken.
//!
//! That a level on the other side, or the digit's own, is nearer than one that is a step farther takes that the weight
//! is not halfway between two levels. [`CLEAR`] keeps five times the distance from there that rounding explains: with
//! u = 2^-24 and weights below 18 scales, a weight over its scale is off by 4 u * 18 through the quotients that scales
//! and digits come from, and the errors by 2 u * 18 each; together less than 9e-6 scales, where levels are two scales
//! apart and the errors differ by 8e-5. Where they are one scale apart, weights are below 3 scales, or beyond all
//! levels. Other groups are compared with all neighbours.
//!
//! Where the side of its digit that each weight lies on is known too, fewer are left. At each weight then all levels
//! have an order: the digit, the next one on that side, the next one on the other, the second one on that side, and so
//! on. Two at the same number of steps differ by four times the distance of the weight from its digit, in steps, and so
//! by 8e-5 scales if that is at least [`OFF_CENTRE`]. A point is dropped if one before it in the list is as near in
//! this order at every weight: its sum is no larger, and of equals it is the one taken.

use super::points::digit;
use crate::tables::Packed;

/// How far a weight may be from its digit, in steps.
pub(super) const CLEAR: f32 = 0.499_98;

/// How far from its digit a weight must be for its side to be known, in steps.
pub(super) const OFF_CENTRE: f32 = 0.000_02;

/// Those of the neighbours of `digits` that no other rules out.
pub(super) fn candidates<const N: usize>(digits: &[u8], neighbours: &[Packed]) -> Vec<Packed> {
    let steps = |point: Packed, i: usize| digit::<N>(point, i).abs_diff(digits[i].into());
    let rules_out = |nearer: Packed, farther: Packed| {
        let no_farther =
            |i| digit::<N>(nearer, i) == digit::<N>(farther, i) || steps(nearer, i) < steps(farther, i);
        nearer != farther && (0..N).all(no_farther)
    };
    let is_left = |&point: &Packed| !neighbours.iter().any(|&other| rules_out(other, point));
    neighbours.iter().copied().filter(is_left).collect()
}

/// Those of them that are left where weight `i` is above its digit if bit `i` of `above` is set, and below it
/// elsewhere.
pub(super) fn candidates_by_side<const N: usize>(
    digits: &[u8; N],
    above: usize,
    neighbours: &[Packed],
) -> Vec<Packed> {
    let order = |point: Packed, i: usize| {
        let (here, there) = (usize::from(digits[i]), digit::<N>(point, i));
        let on_this_side = there != here && (there > here) == (above >> i & 1 == 1);
        2 * there.abs_diff(here) - usize::from(on_this_side)
    };
    let rules_out = |nearer: Packed, farther: Packed| (0..N).all(|i| order(nearer, i) <= order(farther, i));
    let mut left = Vec::new();
    for &point in neighbours {
        // What was dropped itself, another one rules out that is left.
        if !left.iter().any(|&other| rules_out(other, point)) {
            left.push(point);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::super::neighbours::Grid;
    use super::super::points::base;
    use super::*;
    use crate::tables;

    /// The number of all neighbours, and of those that are candidates.
    fn counts<const N: usize>(points: &'static [tables::Packed], nearest: usize) -> [usize; 2] {
        let (grid, mut counts) = (Grid::<N>::new(points, nearest), [0; 2]);
        for number in 0..base::<N>().pow(N as u32) {
            let (near, candidates) = (grid.at(number), grid.candidates_at(number));
            assert!(candidates.entries.iter().all(|entry| near.entries.contains(entry)));
            if near.is_point {
                assert_eq!(near.entries, candidates.entries);
            } else {
                counts[0] += near.entries.len();
                counts[1] += candidates.entries.len();
            }
        }
        counts
    }

    /// The number of candidates for all numbers and sides, and of those that others rule out whatever the side.
    fn counts_by_side(points: &'static [tables::Packed], nearest: usize) -> [usize; 2] {
        let (grid, mut counts) = (Grid::<4>::new(points, nearest), [0; 2]);
        for number in 0..4096 {
            let (near, whatever) = (grid.at(number), grid.candidates_at(number));
            let digits = std::array::from_fn(|i| digit::<4>(number as tables::Packed, i) as u8);
            for above in 0..16 {
                let found = candidates_by_side::<4>(&digits, above, near.entries);
                assert!(found.iter().all(|point| near.entries.contains(point)) && !found.is_empty());
                counts[0] += found.len();
                counts[1] += found.iter().filter(|point| !whatever.entries.contains(point)).count();
            }
        }
        counts
    }

    #[test]
    fn fewer_still_are_candidates_by_side() {
        assert_eq!(counts_by_side(&tables::IQ3_S, 3), [243_591, 0]);
        assert_eq!(counts_by_side(&tables::IQ3_XXS, 2), [223_448, 0]);
    }

    #[test]
    fn fewer_points_are_candidates_than_neighbours() {
        assert_eq!(counts::<4>(&tables::IQ3_S, 3), [24_733, 19_469]);
        assert_eq!(counts::<4>(&tables::IQ3_XXS, 2), [18_985, 16_461]);
        assert_eq!(counts::<8>(&tables::IQ1, 3), [327_721, 71_522]);
    }
}
