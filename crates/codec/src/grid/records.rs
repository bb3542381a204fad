//! The [candidates](super::candidates) for four digits, looked at for as many groups at once as there are lanes. They
//! are so few that it is quicker to do that for every trial than to see which trials differ.

use super::candidates::candidates_by_side;
use super::lines::Row;
use super::neighbours::Grid;
use super::places::{Places, Resolution, number};
use super::points::{base, bits_per_digit};
use crate::lanes::{Lanes, MAX_WIDTH};

/// The candidates for all places that four weights can be in.
pub(super) struct Records {
    resolution: Resolution,
    /// By the number that places spell: the first eight candidates, then the next eight of those that have more, and so
    /// on.
    records: Vec<Record>,
}

/// Two candidates in the bits of each float, the first in the low ones, and above them [`MORE`], [`POINT`] and
/// [`ORDINARY`]. Room that is left repeats the first.
type Record = [f32; 4];

/// As many records as 16 bits tell apart, so that no number is outside. Those that no places spell are never
/// written, so that the system gives them no memory.
const PLACES: usize = 1 << 16;

/// The bits of a candidate.
const BITS: usize = 12;

/// The sign: set if candidates follow.
const MORE: u32 = 1 << 31;
/// Set if the digits are a point themselves, and so their only candidate. The float is 2 or more.
const POINT: u32 = 1 << 30;
/// Always set: no float is zero, which has no sign in comparisons, and less than 2 without [`POINT`]. None is infinite.
const ORDINARY: u32 = 1 << 24;

impl Records {
    pub(super) const NONE: Self = Self { resolution: Resolution::Digits, records: Vec::new() };

    /// Collects the candidates.
    pub(super) fn new<const N: usize>(grid: &Grid<N>, resolution: Resolution) -> Self {
        let places = if N == 4 { resolution.count().pow(4) } else { 0 };
        let lists: Vec<_> = (0..places)
            .map(|mut place| {
                let (mut digits, mut above) = ([0; N], 0);
                for (i, digit) in digits.iter_mut().enumerate() {
                    let (here, is_above) = resolution.digit(place % resolution.count());
                    *digit = here;
                    above |= usize::from(is_above) << i;
                    place /= resolution.count();
                }
                let number =
                    digits.iter().rev().fold(0, |number, &digit| number * base::<N>() + usize::from(digit));
                let near = grid.at(number);
                let list = match resolution {
                    Resolution::Digits => grid.candidates_at(number).entries.to_vec(),
                    Resolution::Sides => candidates_by_side(&digits, above, near.entries),
                };
                (list, near.is_point)
            })
            .collect();
        let longest = lists.iter().map(|(list, _)| list.len()).max().unwrap_or(0);
        let mut records = vec![[0.0; 4]; longest.div_ceil(8) * PLACES];
        for (depth, records) in records.chunks_mut(PLACES).enumerate() {
            for (record, (list, is_point)) in records.iter_mut().zip(&lists) {
                let candidate = |i| u32::from(*list.get(i).unwrap_or(&list[0]));
                for (pair, first) in record.iter_mut().zip((8 * depth..).step_by(2)) {
                    let more = if list.len() > first + 2 { MORE } else { 0 };
                    let flags = ORDINARY | more | if *is_point { POINT } else { 0 };
                    *pair = f32::from_bits(candidate(first) | candidate(first + 1) << BITS | flags);
                }
            }
        }
        Self { resolution, records }
    }
}

/// A group of weights in every lane.
pub(super) struct Weights<L, const N: usize> {
    pub(super) x: [L; N],
    /// How much distances from `x` count.
    pub(super) v: [L; N],
}

impl<L: Lanes, const N: usize> Weights<L, N> {
    /// Where distances are finite, and rounding is as the proof of candidates has it, for scales within limits: weights
    /// below 2^22 of them.
    #[inline(always)]
    pub(super) fn are_ordinary(&self, [smallest, largest]: [L; 2]) -> L::Mask {
        let (mut sum, mut reach) = (L::zero(), L::zero());
        for (&x, &v) in self.x.iter().zip(&self.v) {
            let farthest = largest * L::splat(2.0 * base::<N>() as f32) + x.abs();
            reach = reach + farthest;
            sum = sum + v * farthest * farthest;
        }
        let sound = sum.lt(L::splat(1e30)) & reach.lt(L::splat(1e9)) & smallest.gt(L::splat(1e-20));
        sound & reach.lt(smallest * L::splat(4e6))
    }
}

impl Records {
    /// The places of weights, as these records tell them apart.
    #[inline(always)]
    pub(super) fn places<L: Lanes, const N: usize>(&self, levels_per_weight: L, x: &[L; N]) -> Places<L> {
        self.resolution.places(levels_per_weight, x)
    }

    /// The point nearest to the weights whose places are `spelled`, where these are clear and they are ordinary, as
    /// the bits of floats, and whether it is what the digits say.
    #[inline(always)]
    pub(super) fn nearest<L: Lanes, const N: usize>(
        &self,
        levels: &[f32; 8],
        spelled: &Row,
        scale: L,
        weights: &Weights<L, N>,
    ) -> (L, L::Mask) {
        let (mut least, mut nearest) = (L::splat(f32::MAX), L::zero());
        let mut is_point = L::zero().lt(L::zero());
        for (depth, records) in self.records.as_chunks::<PLACES>().0.iter().enumerate() {
            let mut blocks = [&records[0]; MAX_WIDTH];
            for (block, &spelled) in blocks.iter_mut().zip(spelled).take(L::WIDTH) {
                *block = &records[number(spelled)];
            }
            let pairs = L::gather(&blocks, 0);
            if depth == 0 {
                // A point stays what it is, whatever its distance.
                nearest = pairs[0];
                is_point = !pairs[0].abs().lt(L::splat(2.0));
            }
            for pair in pairs {
                let codes = pair.to_codes();
                for first in [0, BITS] {
                    let mut distance = L::zero();
                    for (i, (&x, &v)) in weights.x.iter().zip(&weights.v).enumerate() {
                        let level = L::look_up(levels, codes, first + i * bits_per_digit::<N>());
                        let difference = scale * level - x;
                        let error = v * difference * difference;
                        distance = if i == 0 { error } else { distance + error };
                    }
                    nearest = L::select(distance.lt(least), L::from_codes(codes, first), nearest);
                    least = distance.if_less(least);
                }
                if !L::any(pair.lt(L::zero())) {
                    return (nearest, is_point);
                }
            }
        }
        (nearest, is_point)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::super::neighbours::Grid;
    use super::super::places::spell;
    use super::super::points::digit;
    use super::super::search::odd_levels;
    use super::*;
    use crate::lanes::{Isa, Kernel, dispatch, numbers};
    use crate::tables;

    static GRIDS: LazyLock<[Grid<4>; 4]> = LazyLock::new(|| {
        let (large, small) = (&tables::IQ3_S, &tables::IQ3_XXS);
        [Grid::new(large, 3), Grid::new(small, 2), Grid::by_side(large, 3), Grid::by_side(small, 2)]
    });

    /// Compares with the first of all neighbours that has the least distance.
    struct Compare<'a> {
        grid: &'a Grid<4>,
        x: &'a [[f32; 4]; MAX_WIDTH],
        v: &'a [[f32; 4]; MAX_WIDTH],
        scale: f32,
        clear: &'a mut usize,
    }

    impl Kernel for Compare<'_> {
        #[inline(always)]
        fn run<L: Lanes>(self) {
            let levels = odd_levels::<4>();
            let mut weights = Weights { x: [L::zero(); 4], v: [L::zero(); 4] };
            for i in 0..4 {
                weights.x[i] = L::load(&self.x.map(|x| x[i]));
                weights.v[i] = L::load(&self.v.map(|v| v[i]));
            }
            let scale = L::splat(self.scale);
            let ordinary = weights.are_ordinary([scale, scale * L::splat(15.0)]);
            let places = self.grid.records.places(L::splat(1.0) / scale, &weights.x);
            let spelled = numbers(spell(L::splat(1.0) / scale, &weights.x));
            let (points, is_point) =
                self.grid.records.nearest(&levels, &numbers(places.spelled), scale, &weights);
            let (points, clear) = (numbers(points), L::bits(places.are_clear & ordinary));
            for (lane, spelled) in spelled.into_iter().enumerate().take(L::WIDTH) {
                let near = self.grid.at(number(spelled));
                let (mut least, mut nearest) = (f32::MAX, near.entries[0]);
                for &entry in near.entries {
                    let mut distance = 0.0;
                    for (i, (x, v)) in self.x[lane].iter().zip(&self.v[lane]).enumerate() {
                        let difference = self.scale * levels[digit::<4>(entry, i)] - x;
                        distance += v * difference * difference;
                    }
                    if distance < least {
                        (least, nearest) = (distance, entry);
                    }
                }
                if clear >> lane & 1 == 1 {
                    assert_eq!(L::bits(is_point) >> lane & 1 == 1, near.is_point);
                    *self.clear += usize::from(!near.is_point);
                    assert_eq!(points[lane].to_bits() % (1 << BITS), nearest.into(), "lane {lane}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_nearest_candidate_is_the_first_nearest_neighbour(
            x in proptest::array::uniform16(proptest::array::uniform4(-200_i16..2000)),
            v in proptest::array::uniform16(proptest::array::uniform4(0_u8..6)),
            kind in 0..4,
            scale in 1_u8..4,
        ) {
            // Whole numbers make ties between points. Then weights are at the edges of digits, or just off them.
            let number = |x: i16| match kind {
                0 => f32::from(x) * 0.01,
                1 => f32::from(x / 125),
                2 => f32::from(x / 250) * 2.0 + 5e-5 * f32::from(x % 5),
                _ => f32::from(x) * 1e21,
            };
            let x = x.map(|x| x.map(number));
            let v = v.map(|v| v.map(|v| if kind == 0 { (f32::from(v) * 1.7).sin().abs() } else { v.into() }));
            let mut clear = 0;
            for isa in Isa::available() {
                for grid in &*GRIDS {
                    let scale = f32::from(scale) * 0.5;
                    dispatch(isa, Compare { grid, x: &x, v: &v, scale, clear: &mut clear });
                }
            }
            // The comparison is with something.
            prop_assert!(kind != 0 || clear > 0);
        }
    }
}
