//! From digits to points, for many scales at once.
//!
//! The nearest of the neighbours is the one whose line is lowest. Where none leads by the tolerance, those within it are
//! compared by the sums proper.

use std::ops::Index;

use super::lines::{Lines, Row, Terms, set_terms};
use super::nearest::{Distances, Errors, nearest};
use super::neighbours::{Grid, LONGEST, NONE, Near};
use super::points::digit;
use crate::lanes::{Lanes, MAX_WIDTH};
use crate::tables::Packed;

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
    /// See [`tolerances`](super::lines::tolerances).
    pub(crate) tolerances: Row,
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
    pub(super) distances: Distances,
    /// By lane.
    terms: [Terms; MAX_WIDTH],
    lines: Lines,
}

impl Room {
    pub(crate) const NEW: Self =
        Self { distances: Distances::new(), terms: [[[[0.0; 8]; 2]; 8]; MAX_WIDTH], lines: Lines::NONE };
}

/// Trials in a row whose digits in a lane are the same.
struct Run {
    lane: usize,
    first: usize,
    last: usize,
}

impl<const N: usize> Groups<'_, N> {
    /// Finds the points for the digits that `spelled` are, trial by trial, in the lanes that `lanes` has a bit for.
    /// `scales` are by lane.
    #[inline(always)]
    pub(crate) fn snap<L: Lanes>(
        &self,
        spelled: &[Row],
        scales: &[PerTrial; MAX_WIDTH],
        lanes: u32,
        room: &mut Room,
        found: &mut Points,
    ) {
        (found.off_grid, found.failed) = ([0; MAX_WIDTH], 0);
        // First by how many bits the point differs from that of the trial before.
        let points = &mut found.points[..spelled.len()];
        points.fill([0; MAX_WIDTH]);
        for lane in (0..L::WIDTH).filter(|lane| lanes >> lane & 1 == 1) {
            for (i, (x, v)) in self.x.iter().zip(self.v).enumerate() {
                set_terms::<L>(&mut room.terms[lane], i, self.levels, x[lane], v[lane]);
            }
        }
        let (mut starts, mut last) = ([0; MAX_WIDTH], [0; MAX_WIDTH]);
        for trial in 1..=spelled.len() {
            let mut ends = lanes;
            if trial < spelled.len() {
                let same = L::load(&spelled[trial]).eq(L::load(&spelled[trial - 1]));
                ends &= L::bits(!same);
            }
            while ends != 0 {
                let lane = ends.trailing_zeros() as usize % MAX_WIDTH;
                ends &= ends - 1;
                let first = std::mem::replace(&mut starts[lane], trial);
                let mut place = |first: usize, point: Packed| {
                    points[first][lane] = point ^ std::mem::replace(&mut last[lane], point);
                };
                let near = self.grid.at(spelled_number(spelled[first][lane]));
                if near.is_point {
                    place(first, near.entries[0]);
                } else {
                    found.off_grid[lane] |= (1 << trial) - (1 << first);
                    let run = Run { lane, first, last: trial - 1 };
                    let placed = self.snap_run::<L>(&near, &run, &scales[lane], room, place);
                    found.failed |= u32::from(!placed) << lane;
                }
            }
        }
        for trial in 1..points.len() {
            let before = points[trial - 1];
            for (point, before) in points[trial].iter_mut().zip(before) {
                *point ^= before;
            }
        }
    }

    /// Finds the points of a run whose digits are no point, and has each placed at the first trial it is nearest for.
    /// Returns whether there are any.
    #[inline(always)]
    fn snap_run<L: Lanes>(
        &self,
        near: &Near<'_>,
        run: &Run,
        scales: &PerTrial,
        room: &mut Room,
        mut place: impl FnMut(usize, Packed),
    ) -> bool {
        let (lane, tolerance) = (run.lane, self.tolerances[run.lane]);
        if tolerance == f32::INFINITY {
            let mut placed = true;
            for (trial, &scale) in scales.iter().enumerate().take(run.last + 1).skip(run.first) {
                let point = self.nearest::<L>(near, scale, lane, &mut room.distances);
                place(trial, point);
                placed &= point != NONE;
            }
            return placed;
        }
        room.lines.draw::<L, N>(near, &room.terms[lane]);
        let length = near.entries.len();
        if length > LONG {
            let ends = [scales[run.first], scales[run.last]];
            if let Some(leader) = room.lines.leader::<L>(length, ends, tolerance) {
                place(run.first, near.entries[leader % length]);
                return true;
            }
        }
        if run.last - run.first < L::Short::WIDTH {
            self.snap_trials::<L::Short>(near, run, run.first, scales, &room.lines, &mut place);
        } else {
            for start in (run.first..=run.last).step_by(L::WIDTH) {
                self.snap_trials::<L>(near, run, start, scales, &room.lines, &mut place);
            }
        }
        true
    }

    /// The same for as many trials of a run, from `start` on, as there are lanes.
    #[inline(always)]
    fn snap_trials<L: Lanes>(
        &self,
        near: &Near<'_>,
        run: &Run,
        start: usize,
        scales: &PerTrial,
        lines: &Lines,
        place: &mut impl FnMut(usize, Packed),
    ) {
        let length = near.entries.len();
        let lowest = lines.lowest::<L>(length, &scales[start..], self.tolerances[run.lane]);
        // A point that is placed again does no harm. After one that is chosen otherwise the next is placed in any case.
        let trials = u32::MAX >> (31 - (run.last - start).min(L::WIDTH - 1));
        let mut changes = (lowest.changes | lowest.unclear | lowest.unclear << 1) & trials;
        while changes != 0 {
            let i = changes.trailing_zeros() as usize % MAX_WIDTH;
            changes &= changes - 1;
            let index = if lowest.unclear >> i & 1 == 1 {
                self.nearest_below(lowest.limits[i], near, scales[start + i], run.lane, lines)
            } else {
                lowest.indices[1 + i].to_bits() as usize
            };
            place(start + i, near.entries[index % LONGEST]);
        }
    }

    /// Of the neighbours whose lines are below `limit`, the first with the least sum proper.
    #[inline(always)]
    fn nearest_below(&self, limit: f32, near: &Near<'_>, scale: f32, lane: usize, lines: &Lines) -> usize {
        let (mut least, mut nearest) = (f32::MAX, 0);
        for (i, ((a, b), entry)) in lines.a.iter().zip(&lines.b).zip(near.entries).enumerate() {
            if scale * a - b < limit {
                let mut distance = 0.0;
                for digit_index in 0..N {
                    let level = self.levels[digit::<N>(*entry, digit_index)];
                    let difference = scale * level - self.x[digit_index][lane];
                    distance += self.v[digit_index][lane] * difference * difference;
                }
                if distance < least {
                    (least, nearest) = (distance, i);
                }
            }
        }
        nearest
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
            let near = self.grid.at(spelled_number(numbers[lane]));
            points[lane] = near.entries[0];
            if !near.is_point {
                points[lane] = self.nearest::<L>(&near, scales[lane], lane, &mut room.distances);
                failed |= u32::from(points[lane] == NONE) << lane;
            }
        }
        failed
    }
}

/// Of more neighbours than this, the leaders at the ends of a run are found before those at each trial: mostly one leads
/// at both, but for few neighbours that takes as long.
const LONG: usize = 16;

/// What is added to the number that digits spell, so that the low bits of the float are those of the number.
pub(crate) const SPELLED: f32 = 8_388_608.0;

/// The number that digits spell.
fn spelled_number(spelled: f32) -> usize {
    usize::from(spelled.to_bits() as u16)
}

/// What is in one lane.
pub(super) struct Lane<'a, const N: usize> {
    pub(super) rows: &'a [Row; N],
    pub(super) lane: usize,
}

impl<const N: usize> Index<usize> for Lane<'_, N> {
    type Output = f32;

    #[inline(always)]
    fn index(&self, i: usize) -> &f32 {
        &self.rows[i][self.lane]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::super::lines::tolerances;
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
            let smallest = L::splat(self.scales[TRIALS - 1]);
            let tolerances = tolerances([smallest, largest], self.x, self.v);
            let groups = Groups { grid: self.grid, levels: &LEVELS, x: self.x, v: self.v, tolerances };
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
                digits.sum::<f32>() + SPELLED
            })).collect();
            for isa in Isa::available() {
                let mut found = Vec::new();
                dispatch(isa, Snap { grid, x: &x, v: &v, digits: &digits, scales: &scales, found: &mut found });
                for (lane, found) in found.iter().enumerate() {
                    for (trial, &found) in found.iter().enumerate() {
                        let near = grid.at(spelled_number(digits[trial][lane]));
                        let slow = slowly(&near, scales[trial], x.map(|x| x[lane]), v.map(|v| v[lane]));
                        prop_assert_eq!(found, slow, "{}, lane {}, trial {}", isa, lane, trial);
                    }
                }
            }
        }
    }
}
