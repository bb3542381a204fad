//! The scales that are tried for sub-blocks, what they come to, and the best of them.

use super::search::{Found, MAX_GROUPS, largest_level};
use super::snap::{MAX_TRIALS, Points};
use crate::lanes::{Lanes, MAX_WIDTH, numbers};

/// Which scales are tried, and what is done with the best.
#[derive(Clone, Copy)]
pub(crate) struct Trials {
    /// To either side of the scale that takes the largest weight to the largest level.
    pub(crate) count: u8,
    /// Between two of them, in what the largest weight becomes.
    pub(crate) step: f32,
    pub(crate) refined: Refined,
}

impl Trials {
    const fn total(self) -> usize {
        2 * self.count as usize + 1
    }
}

/// The groups that get new points once the scale is found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refined {
    /// Those that were not on the grid.
    OffGrid,
    /// All, if one of them was not on the grid, or no trial was better than nothing.
    AllIfOneOffGrid,
    /// All.
    All,
}

/// The scales that are tried.
pub(super) struct Scales<L> {
    /// One over them, trial by trial.
    levels_per_weight: [L; MAX_TRIALS],
    scales: [L; MAX_TRIALS],
    pub(super) count: usize,
    pub(super) smallest: L,
    /// Times the largest level.
    pub(super) largest: L,
}

impl<L: Lanes> Scales<L> {
    #[inline(always)]
    pub(super) fn new<const N: usize>(trials: Trials, range: L) -> Self {
        let mut scales = Self {
            levels_per_weight: [L::zero(); MAX_TRIALS],
            scales: [L::zero(); MAX_TRIALS],
            count: trials.total(),
            smallest: L::splat(f32::MAX),
            largest: L::zero(),
        };
        for trial in 0..trials.total() {
            let offset = trial as f32 - f32::from(trials.count);
            let reached = largest_level::<N>() + offset * trials.step;
            scales.levels_per_weight[trial] = L::splat(reached) / range;
            let scale = L::splat(1.0) / scales.levels_per_weight[trial];
            scales.scales[trial] = scale;
            scales.largest = scales.largest.if_greater(scale * L::splat(largest_level::<N>()));
            scales.smallest = scales.smallest.if_less(scale);
        }
        scales
    }

    #[inline(always)]
    pub(super) fn levels_per_weight(&self) -> &[L] {
        &self.levels_per_weight[..self.count]
    }

    /// The scales themselves, trial by trial.
    #[inline(always)]
    pub(super) fn scales(&self) -> &[L] {
        &self.scales[..self.count]
    }
}

/// What trials come to.
pub(super) struct Sums<L> {
    /// The weighted sums of weights times levels.
    pub(super) products: [L; MAX_TRIALS],
    /// Those of levels squared.
    pub(super) squares: [L; MAX_TRIALS],
}

impl<L: Lanes> Sums<L> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self { products: [L::zero(); MAX_TRIALS], squares: [L::zero(); MAX_TRIALS] }
    }

    /// The best of the trials.
    #[inline(always)]
    pub(super) fn best(&self, trials: &Scales<L>, scale: L) -> Best<L> {
        let mut best = Best { scale, trial: L::splat(-1.0), levels_per_weight: L::splat(1.0) };
        let mut score = L::zero();
        let sums = self.products.iter().zip(&self.squares).zip(trials.levels_per_weight());
        for (trial, ((&product, &square), &levels_per_weight)) in sums.enumerate() {
            let better = square.gt(L::zero()) & (product * product).gt(score * square);
            if L::any(better) {
                best.scale = L::select(better, product / square, best.scale);
                score = L::select(better, best.scale * product, score);
                best.trial = L::select(better, L::splat(trial as f32), best.trial);
                best.levels_per_weight = L::select(better, levels_per_weight, best.levels_per_weight);
            }
        }
        best
    }
}

/// The best trials.
pub(super) struct Best<L> {
    /// The best scales for their points.
    pub(super) scale: L,
    /// Which they are. Below zero where none is better than nothing.
    trial: L,
    /// One over the scales that were tried.
    pub(super) levels_per_weight: L,
}

impl<L: Lanes> Best<L> {
    /// The scales without points: the first of the grid.
    #[inline(always)]
    pub(super) fn start(&self) -> Found {
        Found { scales: numbers(self.scale), points: [[0; MAX_WIDTH]; MAX_GROUPS], failed: 0 }
    }

    /// A bit for the lanes in which a trial is better than nothing.
    #[inline(always)]
    pub(super) fn lanes(&self) -> u32 {
        !L::bits(self.trial.lt(L::zero()))
    }

    /// Takes the points of the best trials. Returns by group a bit for the lanes in which it is refined.
    #[inline(always)]
    pub(super) fn take_points(
        &self,
        trials: Trials,
        lanes: u32,
        tried: &[Points],
        found: &mut Found,
    ) -> [u32; MAX_GROUPS] {
        let mut off_grid = [0_u32; MAX_GROUPS];
        for (lane, best) in numbers(self.trial).into_iter().enumerate().take(L::WIDTH) {
            if best < 0.0 {
                continue;
            }
            for (group, tried) in tried.iter().enumerate() {
                found.points[group][lane] = tried.points[best as usize][lane];
                off_grid[group] |= (tried.off_grid[lane] >> best as u32 & 1) << lane;
            }
        }
        found.failed = tried.iter().fold(0, |failed, points| failed | points.failed);
        self.refined(trials, lanes, off_grid)
    }

    /// By group a bit for the lanes in which it is refined, of those it is not on the grid.
    #[inline(always)]
    pub(super) fn refined(
        &self,
        trials: Trials,
        lanes: u32,
        mut off_grid: [u32; MAX_GROUPS],
    ) -> [u32; MAX_GROUPS] {
        let nothing = if trials.refined == Refined::OffGrid { 0 } else { !self.lanes() };
        let mut any = 0;
        for off_grid in &mut off_grid {
            *off_grid |= nothing;
            any |= *off_grid;
        }
        let lanes = lanes & L::bits(self.scale.gt(L::zero()));
        let refined = match trials.refined {
            Refined::OffGrid => off_grid,
            Refined::AllIfOneOffGrid => [any; MAX_GROUPS],
            Refined::All => [u32::MAX; MAX_GROUPS],
        };
        refined.map(|refined| refined & lanes)
    }
}
