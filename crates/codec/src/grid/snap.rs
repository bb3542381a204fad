//! From digits to points, for many scales at once.
//!
//! The nearest of the neighbours is the one whose line is lowest. Where none leads by the tolerance, those within it
//! are compared by the sums proper.

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
    /// `scales` are by lane, and `trial_scales` the same by trial.
    #[inline(always)]
    pub(crate) fn snap<L: Lanes>(
        &self,
        spelled: &[Row],
        trial_scales: &[L],
        scales: &[PerTrial; MAX_WIDTH],
        lanes: u32,
        room: &mut Room,
        found: &mut Points,
    ) {
        (found.off_grid, found.failed) = ([0; MAX_WIDTH], 0);
        let (mut open, mut any_open) = ([0; MAX_TRIALS + 1], lanes);
        let mut stepped = [[0; MAX_WIDTH]; MAX_TRIALS];
        if self.grid.cells.has_steps {
            any_open = 0;
            for (trial, (spelled, &scale)) in spelled.iter().zip(trial_scales).enumerate() {
                let places = self.step(spelled, scale);
                stepped[trial] = places.points;
                for (lane, off_grid) in found.off_grid.iter_mut().enumerate() {
                    *off_grid |= (places.off_grid >> lane & 1) << trial;
                }
                open[trial] = places.open & lanes;
                any_open |= open[trial];
            }
        } else {
            open[..spelled.len()].fill(lanes);
        }
        for lane in (0..L::WIDTH).filter(|lane| any_open >> lane & 1 == 1) {
            for (i, (x, v)) in self.x.iter().zip(self.v).enumerate() {
                set_terms::<L>(&mut room.terms[lane], i, self.levels, x[lane], v[lane]);
            }
        }
        // First by how many bits the point differs from that of the trial before, which is zero where it was found.
        let points = &mut found.points[..spelled.len()];
        points.fill([0; MAX_WIDTH]);
        let (mut starts, mut last, mut before) = ([0; MAX_WIDTH], [0; MAX_WIDTH], 0);
        for trial in 0..=spelled.len() {
            let here = open[trial];
            let mut goes_on = before & here;
            if goes_on != 0 {
                goes_on &= L::bits(L::load(&spelled[trial]).eq(L::load(&spelled[trial - 1])));
            }
            let mut changes = (before | here) & !goes_on;
            while changes != 0 {
                let lane = changes.trailing_zeros() as usize % MAX_WIDTH;
                changes &= changes - 1;
                let first = std::mem::replace(&mut starts[lane], trial);
                if before >> lane & 1 == 0 {
                    continue;
                }
                let mut place = |first: usize, point: Packed| {
                    points[first][lane] ^= point ^ std::mem::replace(&mut last[lane], point);
                };
                let near = self.grid.at(spelled_number(spelled[first][lane]));
                if near.is_point {
                    place(first, near.entries[0]);
                } else {
                    found.off_grid[lane] |= (1 << trial) - (1 << first);
                    let run = Run { lane, first, last: trial - 1 };
                    let placed = self.snap_run::<L>(&near, &run, &scales[lane], room, &mut place);
                    found.failed |= u32::from(!placed) << lane;
                }
                if here >> lane & 1 == 0 && trial < spelled.len() {
                    place(trial, 0);
                }
            }
            before = here;
        }
        for trial in 1..points.len() {
            let before = points[trial - 1];
            for (point, before) in points[trial].iter_mut().zip(before) {
                *point ^= before;
            }
        }
        for (points, stepped) in points.iter_mut().zip(&stepped) {
            for (point, stepped) in points.iter_mut().zip(stepped) {
                *point |= stepped;
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

/// Of more neighbours than this, the leaders at the ends of a run are found before those at each trial: mostly one
/// leads at both, but for few neighbours that takes as long.
const LONG: usize = 16;

/// What is added to the number that digits spell, so that the low bits of the float are those of the number.
pub(crate) const SPELLED: f32 = 8_388_608.0;

/// The number that digits spell.
#[inline(always)]
pub(super) fn spelled_number(spelled: f32) -> usize {
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
mod tests;
