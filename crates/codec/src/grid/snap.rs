//! From digits to points, for many scales at once.
//!
//! How far a point is, `sum of v (scale * level - x)^2`, is the scale times `scale * a - b`, where a is the sum of
//! `v level^2` and b that of `2 v level x`, and a sum of squares that all points share. So a and b of the neighbours
//! serve for every scale, and a scale costs each of them two operations. Where the nearest leads by a margin that no
//! rounding explains, it is the one that the sums proper have; elsewhere these are computed.

use std::ops::Index;

use super::nearest::{Distances, Errors, nearest};
use super::neighbours::{Grid, LONGEST, NONE, Near};
use super::points::bits_per_digit;
use crate::lanes::{Lanes, MAX_WIDTH};
use crate::tables::Packed;

/// A number per lane.
pub(crate) type Row = [f32; MAX_WIDTH];

/// Trials at most, filled up to whole vectors.
pub(crate) const MAX_TRIALS: usize = 32;

/// A number per trial, and what a vector from the last one on holds.
pub(crate) type PerTrial = [f32; MAX_TRIALS + MAX_WIDTH];

/// A group of weights in every lane, and what the search for its points goes by.
pub(crate) struct Groups<'a, const N: usize> {
    pub(crate) grid: &'a Grid<N>,
    /// What the digits stand for.
    pub(crate) levels: &'a [f32; 8],
    pub(crate) x: &'a [Row; N],
    /// How much distances from `x` count.
    pub(crate) v: &'a [Row; N],
    /// See [`margins`].
    pub(crate) margins: Row,
}

/// The points of groups, trial by trial.
pub(crate) struct Points {
    /// A lane per group.
    pub(crate) points: [[Packed; MAX_WIDTH]; MAX_TRIALS],
    /// By lane, a bit per trial: whether the point is another than the digits say.
    pub(crate) off_grid: [u32; MAX_WIDTH],
    /// A bit per lane: whether there was no nearest point.
    pub(crate) failed: u32,
}

impl Points {
    pub(crate) const NONE: Self =
        Self { points: [[0; MAX_WIDTH]; MAX_TRIALS], off_grid: [0; MAX_WIDTH], failed: 0 };
}

/// Room for a search.
pub(crate) struct Room {
    distances: Distances,
    /// By lane, what digits add to a and b.
    terms: [[[[f32; 8]; 8]; 2]; MAX_WIDTH],
    /// Of every neighbour a and b, and itself as a number.
    lines: [[f32; LONGEST]; 3],
    /// By lane the points as numbers, trial by trial. A run writes whole vectors, and the next one the rest.
    codes: [PerTrial; MAX_WIDTH],
}

impl Room {
    pub(crate) const NEW: Self = Self {
        distances: Distances::new(),
        terms: [[[[0.0; 8]; 8]; 2]; MAX_WIDTH],
        lines: [[0.0; LONGEST]; 3],
        codes: [[0.0; MAX_TRIALS + MAX_WIDTH]; MAX_WIDTH],
    };
}

/// Trials in a row whose digits in a lane are the same.
struct Run {
    lane: usize,
    first: usize,
    /// The first that is no longer of them.
    end: usize,
}

impl<const N: usize> Groups<'_, N> {
    /// Finds the points for the digits that `numbers` spell, trial by trial, in the lanes that `lanes` has a bit for.
    /// `scales` are by lane.
    #[inline(always)]
    pub(crate) fn snap<L: Lanes>(
        &self,
        numbers: &[Row],
        scales: &[PerTrial; MAX_WIDTH],
        lanes: u32,
        room: &mut Room,
        found: &mut Points,
    ) {
        (found.off_grid, found.failed) = ([0; MAX_WIDTH], 0);
        for (lane, terms) in room.terms.iter_mut().enumerate().take(L::WIDTH) {
            self.set_terms(lane, terms);
        }
        let mut starts = [0; MAX_WIDTH];
        for trial in 1..=numbers.len() {
            let mut ends = lanes;
            if trial < numbers.len() {
                let same = L::load(&numbers[trial]).eq(L::load(&numbers[trial - 1]));
                ends &= L::bits(!same);
            }
            while ends != 0 {
                let lane = ends.trailing_zeros() as usize % MAX_WIDTH;
                ends &= ends - 1;
                let first = std::mem::replace(&mut starts[lane], trial);
                let run = Run { lane, first, end: trial };
                let near = self.grid.at(numbers[first][lane] as usize);
                if near.is_point {
                    let code = L::splat(f32::from(near.entries[0]));
                    for start in (first..trial).step_by(L::WIDTH) {
                        code.store(&mut room.codes[lane][start..]);
                    }
                } else {
                    found.off_grid[lane] |= (1 << trial) - (1 << first);
                    let placed = self.snap_run::<L>(&near, &run, &scales[lane], room);
                    found.failed |= u32::from(!placed) << lane;
                }
            }
        }
        for (lane, codes) in room.codes.iter().enumerate().take(L::WIDTH) {
            let mut whole = [0; MAX_TRIALS];
            for (whole, code) in whole.iter_mut().zip(codes) {
                *whole = *code as Packed;
            }
            for (points, whole) in found.points[..numbers.len()].iter_mut().zip(whole) {
                points[lane] = whole;
            }
        }
    }

    /// What digits add to a and b.
    #[inline(always)]
    fn set_terms(&self, lane: usize, [a, b]: &mut [[[f32; 8]; 8]; 2]) {
        for (i, (a, b)) in a.iter_mut().zip(b).enumerate().take(N) {
            let (x, v) = (self.x[i][lane], self.v[i][lane]);
            for ((a, b), level) in a.iter_mut().zip(b).zip(self.levels) {
                *a = v * (level * level);
                *b = v * x * (2.0 * level);
            }
        }
    }

    /// Finds the points of a run whose digits are no point. Returns whether there are any.
    #[inline(always)]
    fn snap_run<L: Lanes>(&self, near: &Near<'_>, run: &Run, scales: &PerTrial, room: &mut Room) -> bool {
        let Room { distances, terms, lines, codes } = room;
        draw_lines::<L, N>(near, &terms[run.lane], lines);
        let margin = L::splat(self.margins[run.lane]);
        let [a, b, candidates] = lines.each_ref().map(|line| &line[..near.entries.len()]);
        let codes = &mut codes[run.lane];
        let mut placed = true;
        for start in (run.first..run.end).step_by(L::WIDTH) {
            let scale = L::load(&scales[start..]);
            let (mut least, mut second, mut code) = (L::splat(f32::MAX), L::splat(f32::MAX), L::zero());
            for ((&a, &b), &candidate) in a.iter().zip(b).zip(candidates) {
                let height = scale * L::splat(a) - L::splat(b);
                code = L::select(height.lt(least), L::splat(candidate), code);
                second = height.if_greater(least).if_less(second);
                least = height.if_less(least);
            }
            code.store(&mut codes[start..]);
            let clear = ((second - least) * scale).gt(margin);
            let trials = (run.end - start).min(L::WIDTH);
            let mut unclear = L::bits(!clear) & ((1 << trials) - 1);
            while unclear != 0 {
                let trial = start + unclear.trailing_zeros() as usize;
                unclear &= unclear - 1;
                let point = self.nearest::<L>(near, scales[trial], run.lane, distances);
                codes[trial] = f32::from(point);
                placed &= point != NONE;
            }
        }
        placed
    }

    /// The nearest for one scale, or [`NONE`].
    #[inline(always)]
    fn nearest<L: Lanes>(
        &self,
        near: &Near<'_>,
        scale: f32,
        lane: usize,
        distances: &mut Distances,
    ) -> Packed {
        let (x, v) = (Lane { rows: self.x, lane }, Lane { rows: self.v, lane });
        nearest::<L, N>(near, &Errors::<N>::new(self.levels, scale, &x, &v), distances)
    }

    /// As [`Self::snap`] for one scale per lane. Returns a bit for each lane without a nearest point.
    #[inline(always)]
    pub(crate) fn snap_once<L: Lanes>(
        &self,
        numbers: &Row,
        scales: &Row,
        mut lanes: u32,
        room: &mut Room,
        points: &mut [Packed; MAX_WIDTH],
    ) -> u32 {
        let mut failed = 0;
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as usize % MAX_WIDTH;
            lanes &= lanes - 1;
            let near = self.grid.at(numbers[lane] as usize);
            points[lane] = near.entries[0];
            if !near.is_point {
                points[lane] = self.nearest::<L>(&near, scales[lane], lane, &mut room.distances);
                failed |= u32::from(points[lane] == NONE) << lane;
            }
        }
        failed
    }
}

/// Computes a and b of neighbours.
#[inline(always)]
fn draw_lines<L: Lanes, const N: usize>(
    near: &Near<'_>,
    [a, b]: &[[[f32; 8]; 8]; 2],
    [a_sums, b_sums, numbers]: &mut [[f32; LONGEST]; 3],
) {
    for (number, code) in numbers.iter_mut().zip(near.padded) {
        *number = f32::from(*code);
    }
    let sums = a_sums.chunks_exact_mut(L::WIDTH).zip(b_sums.chunks_exact_mut(L::WIDTH));
    for (codes, (a_sum, b_sum)) in near.padded.chunks_exact(L::WIDTH).zip(sums) {
        let codes = L::load_codes(codes);
        let (mut a_here, mut b_here) = (L::look_up(&a[0], codes, 0), L::look_up(&b[0], codes, 0));
        for i in 1..N {
            a_here = a_here + L::look_up(&a[i], codes, i * bits_per_digit::<N>());
            b_here = b_here + L::look_up(&b[i], codes, i * bits_per_digit::<N>());
        }
        a_here.store(a_sum);
        b_here.store(b_sum);
    }
}

/// What is in one lane.
struct Lane<'a, const N: usize> {
    rows: &'a [Row; N],
    lane: usize,
}

impl<const N: usize> Index<usize> for Lane<'_, N> {
    type Output = f32;

    #[inline(always)]
    fn index(&self, i: usize) -> &f32 {
        &self.rows[i][self.lane]
    }
}

/// By how much one distance must be below another, both computed from a and b, to be below it in the sums proper.
/// `largest` is the largest level times the highest scale.
///
/// With u = 2^-24, half a unit in the last place, m = largest + |x| and S the sum of v m^2: `scale * level - x` is off
/// by 2 u m at most, what a digit adds by 6.1 u v m^2, and the sum by 7.1 u of itself more, together 13.2 u S. Sums of
/// up to eight times the terms of a and b are off by 10 u of the terms' magnitudes, which with their factors are
/// together no more than S; what is done with the sums adds 3 u. Two of each make 53 u S, and the margin is 256 u S.
/// Numbers so small that they round worse than by u, or so large that they overflow, have no margin.
#[inline(always)]
pub(crate) fn margins<L: Lanes, const N: usize>(largest: L, x: &[Row; N], v: &[Row; N]) -> Row {
    let (mut sum, mut reach) = (L::zero(), L::zero());
    for (x, v) in x.iter().zip(v) {
        let farthest = largest + L::load(x).abs();
        reach = reach + farthest;
        sum = sum + L::load(v) * farthest * farthest;
    }
    let ordinary = sum.gt(L::splat(1e-25)) & reach.lt(L::splat(1e9));
    let mut margins = [0.0; MAX_WIDTH];
    L::select(ordinary, sum * L::splat(1.0 / 65_536.0), L::splat(f32::INFINITY)).store(&mut margins);
    margins
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::lanes::{Isa, Kernel, dispatch};
    use crate::tables;

    const LEVELS: [f32; 8] = [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0];
    const TRIALS: usize = 19;
    static GRID: LazyLock<Grid<4>> = LazyLock::new(|| Grid::new(&tables::IQ3_S, 3));

    struct Snap<'a> {
        grid: &'a Grid<4>,
        x: &'a [Row; 4],
        v: &'a [Row; 4],
        digits: &'a [Row],
        scales: &'a [f32; TRIALS],
        found: &'a mut Vec<[Packed; TRIALS]>,
    }

    impl Kernel for Snap<'_> {
        #[inline(always)]
        fn run<L: Lanes>(self) {
            let mut scales = [[0.0; MAX_TRIALS + MAX_WIDTH]; MAX_WIDTH];
            scales.iter_mut().for_each(|scales| scales[..TRIALS].copy_from_slice(self.scales));
            let largest = L::splat(15.0 * self.scales[0]);
            let margins = margins(largest, self.x, self.v);
            let groups = Groups { grid: self.grid, levels: &LEVELS, x: self.x, v: self.v, margins };
            let (mut room, mut found) = (Room::NEW, Points::NONE);
            groups.snap::<L>(self.digits, &scales, !0 >> (32 - L::WIDTH), &mut room, &mut found);
            for lane in 0..L::WIDTH {
                self.found.push(std::array::from_fn(|trial| found.points[trial][lane]));
            }
        }
    }

    /// Neighbour by neighbour.
    fn slowly(near: &Near<'_>, scale: f32, x: [f32; 4], v: [f32; 4]) -> Packed {
        let (mut least, mut found) = (f32::MAX, NONE);
        for &entry in near.entries {
            let mut distance = 0.0;
            for i in 0..4 {
                let difference = scale * LEVELS[usize::from(entry >> (3 * i) & 7)] - x[i];
                distance += v[i] * difference * difference;
            }
            if distance < least {
                (least, found) = (distance, entry);
            }
        }
        if near.is_point { near.entries[0] } else { found }
    }

    proptest! {
        #[test]
        fn every_trial_has_the_first_nearest_neighbour(
            x in proptest::array::uniform4(proptest::array::uniform16(0_u8..=255)),
            v in proptest::array::uniform4(proptest::array::uniform16(0_u8..4)),
            uneven in any::<bool>(),
            odd in proptest::sample::select(vec![1.0, 1.0, 1e-30, 1e25, f32::NAN]),
        ) {
            let grid = &*GRID;
            // Whole numbers make ties, others do not.
            let ragged = |number: u8| if uneven { (f32::from(number) * 1.7).sin().abs() * 16.0 } else { f32::from(number / 16) };
            let (mut x, v) = (x.map(|x| x.map(ragged)), v.map(|v| v.map(f32::from)));
            x.iter_mut().for_each(|x| x[0] *= odd);
            let scales = std::array::from_fn(|trial| 15.0 / (13.2 + 0.2 * trial as f32));
            let digits: Vec<Row> = scales.iter().map(|scale| std::array::from_fn(|lane| {
                let digit = |i: usize| (0.5 * (x[i][lane] / scale - 1.0)).round_ties_even().clamp(0.0, 7.0);
                let digits = (0..4).map(|i| if x[i][lane].is_nan() { 0.0 } else { digit(i) * 8.0_f32.powi(i as i32) });
                digits.sum()
            })).collect();
            for isa in Isa::available() {
                let mut found = Vec::new();
                dispatch(isa, Snap { grid, x: &x, v: &v, digits: &digits, scales: &scales, found: &mut found });
                for (lane, found) in found.iter().enumerate() {
                    for (trial, &found) in found.iter().enumerate() {
                        let near = grid.at(digits[trial][lane] as usize);
                        let slow = slowly(&near, scales[trial], x.map(|x| x[lane]), v.map(|v| v[lane]));
                        prop_assert_eq!(found, slow, "{}, lane {}, trial {}", isa, lane, trial);
                    }
                }
            }
        }
    }
}
