//! The search of the IQ2 and IQ3 types for sub-blocks: a scale, and points for their groups of `N` weights.
//! Source: ggml's quantizers of these types.
//!
//! Points stand for odd numbers here, 1, 3, 5 and so on, not yet for the magnitudes that they decode to.

use super::fours::Fours;
use super::lines::{Row, tolerances};
use super::neighbours::Grid;
use super::points::{base, bits_per_digit};
use super::snap::{Groups, MAX_TRIALS, Points, Room, SPELLED};
use crate::lanes::{Lanes, MAX_WIDTH, numbers};
use crate::tables::Packed;

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

/// Groups in a sub-block at most.
pub(crate) const MAX_GROUPS: usize = 8;

/// Sub-blocks of `SUB` weights side by side.
pub(crate) struct SubBlocks<const SUB: usize> {
    /// Weights without their signs.
    pub(super) y: [Row; SUB],
    /// How much their errors count.
    pub(super) w: [Row; SUB],
    /// The roots of `w`: what distances to neighbours are weighed by.
    pub(super) roots: [Row; SUB],
    /// A bit per lane: whether anything is searched for there.
    pub(super) lanes: u32,
}

impl<const SUB: usize> SubBlocks<SUB> {
    #[inline(always)]
    pub(crate) fn new<L: Lanes>(y: &[L; SUB], w: &[L; SUB], lanes: u32) -> Self {
        let mut rows = Self {
            y: [[0.0; MAX_WIDTH]; SUB],
            w: [[0.0; MAX_WIDTH]; SUB],
            roots: [[0.0; MAX_WIDTH]; SUB],
            lanes,
        };
        for i in 0..SUB {
            y[i].store(&mut rows.y[i]);
            w[i].store(&mut rows.w[i]);
            w[i].sqrt().store(&mut rows.roots[i]);
        }
        rows
    }
}

/// The results for sub-blocks.
pub(crate) struct Found {
    /// May be below zero: then the signs turn.
    pub(crate) scales: Row,
    /// By group.
    pub(crate) points: [[Packed; MAX_WIDTH]; MAX_GROUPS],
    /// A bit per lane: whether there are weights without a nearest point, because distances are not finite.
    pub(crate) failed: u32,
}

/// Room for a search.
pub(crate) struct SearchRoom {
    /// By group.
    points: [Points; MAX_GROUPS],
    room: Room,
}

impl SearchRoom {
    pub(crate) const NEW: Self = Self { points: [Points::NONE; MAX_GROUPS], room: Room::NEW };
}

/// Minimises the sum of `w (y - scale * level)^2` over trial scales, the nearest points for each, and its best
/// scale. The trials take `range`, about the largest of `y`, to the largest level and nearby. `scale` is what remains
/// where no trial is better than nothing.
#[inline(always)]
pub(crate) fn search<L: Lanes, const SUB: usize, const N: usize>(
    grid: &Grid<N>,
    trials: Trials,
    sub_blocks: &SubBlocks<SUB>,
    range: L,
    scale: L,
    SearchRoom { points, room }: &mut SearchRoom,
) -> Found {
    let scales = Scales::new::<N>(trials, range);
    if N == 4 {
        return Fours::<L, SUB, N>::new(grid, sub_blocks).search(trials, &scales, scale, room);
    }
    let points = &mut points[..SUB / N];
    let mut sums = Sums::new();
    sums.try_scales::<SUB, N>(grid, &scales, sub_blocks, points, room);
    let best = sums.best(&scales, scale);
    let mut found = best.start();
    let refined = best.take_points(trials, sub_blocks.lanes, points, &mut found);
    refine::<L, SUB, N>(grid, sub_blocks, &refined, &mut found, room);
    found
}

/// The scales that are tried.
pub(super) struct Scales<L> {
    /// One over them, trial by trial.
    levels_per_weight: [L; MAX_TRIALS],
    count: usize,
    pub(super) smallest: L,
    /// Times the largest level.
    pub(super) largest: L,
}

impl<L: Lanes> Scales<L> {
    #[inline(always)]
    fn new<const N: usize>(trials: Trials, range: L) -> Self {
        let mut scales = Self {
            levels_per_weight: [L::zero(); MAX_TRIALS],
            count: trials.total(),
            smallest: L::splat(f32::MAX),
            largest: L::zero(),
        };
        for trial in 0..trials.total() {
            let offset = trial as f32 - f32::from(trials.count);
            let reached = largest_level::<N>() + offset * trials.step;
            scales.levels_per_weight[trial] = L::splat(reached) / range;
            let scale = L::splat(1.0) / scales.levels_per_weight[trial];
            scales.largest = scales.largest.if_greater(scale * L::splat(largest_level::<N>()));
            scales.smallest = scales.smallest.if_less(scale);
        }
        scales
    }

    #[inline(always)]
    pub(super) fn levels_per_weight(&self) -> &[L] {
        &self.levels_per_weight[..self.count]
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

    #[inline(always)]
    fn try_scales<const SUB: usize, const N: usize>(
        &mut self,
        grid: &Grid<N>,
        trials: &Scales<L>,
        sub_blocks: &SubBlocks<SUB>,
        points: &mut [Points],
        room: &mut Room,
    ) {
        let mut scales = [[0.0; MAX_TRIALS + MAX_WIDTH]; MAX_WIDTH];
        for (trial, &levels_per_weight) in trials.levels_per_weight().iter().enumerate() {
            let scale = L::splat(1.0) / levels_per_weight;
            for (scales, scale) in scales.iter_mut().zip(numbers(scale)).take(L::WIDTH) {
                scales[trial] = scale;
            }
        }
        let mut spelled = [[0.0; MAX_WIDTH]; MAX_TRIALS];
        let each = sub_blocks.y.as_chunks::<N>().0.iter().zip(sub_blocks.w.as_chunks::<N>().0);
        let each = each.zip(sub_blocks.roots.as_chunks::<N>().0).zip(points);
        for (((x, w), v), points) in each {
            for (spelled, &levels_per_weight) in spelled.iter_mut().zip(trials.levels_per_weight()) {
                spell(levels_per_weight, x).store(spelled);
            }
            let tolerances = tolerances([trials.smallest, trials.largest], x, v);
            let groups = Groups { grid, levels: &odd_levels::<N>(), x, v, tolerances };
            groups.snap::<L>(&spelled[..trials.count], &scales, sub_blocks.lanes, room, points);
            let sums = self.products.iter_mut().zip(&mut self.squares);
            for (points, (product, square)) in points.points[..trials.count].iter().zip(sums) {
                add_sums(L::load_codes(points), x, w, product, square);
            }
        }
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
    fn take_points(
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

/// Gives some groups new points, now for the scale that was found, and fits the scale once more.
#[inline(always)]
fn refine<L: Lanes, const SUB: usize, const N: usize>(
    grid: &Grid<N>,
    sub_blocks: &SubBlocks<SUB>,
    refined: &[u32; MAX_GROUPS],
    found: &mut Found,
    room: &mut Room,
) {
    let (mut product, mut square) = (L::zero(), L::zero());
    let levels_per_weight = L::splat(1.0) / L::load(&found.scales);
    let each = sub_blocks.y.as_chunks::<N>().0.iter().zip(sub_blocks.w.as_chunks::<N>().0);
    let each = each.zip(sub_blocks.roots.as_chunks::<N>().0);
    for ((((x, w), v), &refined), points) in each.zip(refined).zip(&mut found.points) {
        let mut spelled = [0.0; MAX_WIDTH];
        spell(levels_per_weight, x).store(&mut spelled);
        // There is one scale in each lane, and nothing to agree with.
        let groups = Groups { grid, levels: &odd_levels::<N>(), x, v, tolerances: [0.0; MAX_WIDTH] };
        found.failed |= groups.snap_once::<L>(&spelled, &found.scales, refined, room, points);
        add_sums(L::load_codes(points), x, w, &mut product, &mut square);
    }
    found.fit(product, square, refined);
}

impl Found {
    /// Gives the sub-blocks that have refined groups their best scales for all points.
    #[inline(always)]
    pub(super) fn fit<L: Lanes>(&mut self, product: L, square: L, refined: &[u32; MAX_GROUPS]) {
        let any = refined.iter().fold(0, |any, refined| any | refined);
        let fitted = numbers(product / square);
        let sound = L::bits(square.gt(L::zero())) & any;
        for (lane, (scale, fitted)) in self.scales.iter_mut().zip(fitted).enumerate() {
            *scale = if sound >> lane & 1 == 1 { fitted } else { *scale };
        }
    }
}

/// The odd number that a digit stands for. For digits of two bits, of which the last is not used, twice.
pub(super) const fn odd_levels<const N: usize>() -> [f32; 8] {
    if N == 8 {
        [1.0, 3.0, 5.0, 0.0, 1.0, 3.0, 5.0, 0.0]
    } else {
        [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0]
    }
}

/// The last of them.
pub(crate) const fn largest_level<const N: usize>() -> f32 {
    if N == 8 { 5.0 } else { 15.0 }
}

/// Rounds weights to digits, and gives the number that they spell, plus [`SPELLED`].
#[inline(always)]
fn spell<L: Lanes, const N: usize>(levels_per_weight: L, y: &[Row; N]) -> L {
    let (base, mut unit) = (base::<N>() as f32, 1.0);
    let mut number = L::splat(SPELLED);
    for y in y {
        let level = levels_per_weight * L::load(y);
        let digit = (L::splat(0.5) * (level - L::splat(1.0))).round_even_within(0.0, base - 1.0);
        number = number + digit * L::splat(unit);
        unit *= base;
    }
    number
}

/// Adds the weights of groups times levels, and levels squared, weighted, for the points that `codes` are.
#[inline(always)]
pub(super) fn add_sums<L: Lanes, const N: usize>(
    codes: L::Codes,
    y: &[Row; N],
    w: &[Row; N],
    product: &mut L,
    square: &mut L,
) {
    let levels = odd_levels::<N>();
    for (i, (y, w)) in y.iter().zip(w).enumerate() {
        let (y, w) = (L::load(y), L::load(w));
        let level = L::look_up(&levels, codes, i * bits_per_digit::<N>());
        *product = *product + w * y * level;
        *square = *square + w * level * level;
    }
}
