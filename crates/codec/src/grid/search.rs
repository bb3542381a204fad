//! The search of the IQ2 and IQ3 types for a sub-block: a scale, and points for its groups of `N` weights.
//! Source: ggml's quantizers of these types.
//!
//! Points stand for odd numbers here, 1, 3, 5 and so on, not yet for the magnitudes that they decode to.

use super::nearest::{Errors, nearest};
use super::neighbours::Grid;
use super::points::{base, bits_per_digit};
use crate::lanes::{LANE_NUMBERS, Lanes};
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

/// The result for a sub-block.
pub(crate) struct Found<const GROUPS: usize> {
    /// May be below zero: then the signs turn.
    pub(crate) scale: f32,
    pub(crate) points: [Packed; GROUPS],
}

/// Trials at most, filled up to whole vectors.
const MAX_TRIALS: usize = 32;

/// A sub-block on its way: weights without their signs, and how much their errors count.
struct SubBlock<const N: usize, const GROUPS: usize> {
    y: [[f32; N]; GROUPS],
    w: [[f32; N]; GROUPS],
    /// The roots of `w`: what distances to neighbours are weighed by.
    roots: [[f32; N]; GROUPS],
}

/// Minimises the sum of `w (y - scale * level)^2` over trial scales, the nearest points for each, and its best
/// scale. The trials take `range`, about the largest of `y`, to the largest level and nearby.
///
/// `None` when there are weights without a nearest point, because distances are not finite.
#[inline(always)]
pub(crate) fn search<L: Lanes, const N: usize, const GROUPS: usize>(
    grid: &Grid<N>,
    trials: Trials,
    y: &[f32],
    w: &[f32],
    range: f32,
    scale: f32,
) -> Option<Found<GROUPS>> {
    let (y, w) = (y.as_chunks::<N>().0.first_chunk()?, w.as_chunks::<N>().0.first_chunk()?);
    let sub_block = SubBlock { y: *y, w: *w, roots: w.map(|w| w.map(f32::sqrt)) };
    let tried = Tried::new::<L, N>(grid, trials, &sub_block, range)?;
    let (mut found, off_grid) = tried.best(trials, scale);
    let refined = match trials.refined {
        Refined::OffGrid => off_grid,
        Refined::AllIfOneOffGrid => [off_grid.contains(&true); GROUPS],
        Refined::All => [true; GROUPS],
    };
    if found.scale > 0.0 && refined.contains(&true) {
        refine::<L, N, GROUPS>(grid, &sub_block, &refined, &mut found)?;
    }
    Some(found)
}

/// The trials, with the points that each gives the groups.
struct Tried<const GROUPS: usize> {
    points: [[f32; MAX_TRIALS]; GROUPS],
    /// 1 where a point is another than the weights are nearest to.
    off_grid: [[f32; MAX_TRIALS]; GROUPS],
    /// The weighted sums of weights times levels, and of levels squared.
    sums: [[f32; MAX_TRIALS]; 2],
}

impl<const GROUPS: usize> Tried<GROUPS> {
    /// Goes through the trials, a lane each. `None` where a group has no nearest point.
    #[inline(always)]
    fn new<L: Lanes, const N: usize>(
        grid: &Grid<N>,
        trials: Trials,
        sub_block: &SubBlock<N, GROUPS>,
        range: f32,
    ) -> Option<Self> {
        let mut tried = Self {
            points: [[0.0; MAX_TRIALS]; GROUPS],
            off_grid: [[0.0; MAX_TRIALS]; GROUPS],
            sums: [[0.0; MAX_TRIALS]; 2],
        };
        let mut errors = Errors::<L, N>::new();
        for start in (0..trials.total()).step_by(L::WIDTH) {
            let offset = L::load(&LANE_NUMBERS) + L::splat(start as f32 - f32::from(trials.count));
            let reached = L::splat(largest_level::<N>()) + offset * L::splat(trials.step);
            let levels_per_weight = reached / L::splat(range);
            let scale = L::splat(1.0) / levels_per_weight;
            let (mut product, mut square) = (L::zero(), L::zero());
            for group in 0..GROUPS {
                let (y, w) = (&sub_block.y[group], &sub_block.w[group]);
                errors.fill(scale, y, &sub_block.roots[group]);
                let spelled = spell(levels_per_weight, y);
                let Snapped { points, off_grid } = snap(grid, spelled, trials.total() - start, &errors)?;
                add_sums(points.to_codes(), y, w, &mut product, &mut square);
                points.store(&mut tried.points[group][start..]);
                off_grid.store(&mut tried.off_grid[group][start..]);
            }
            product.store(&mut tried.sums[0][start..]);
            square.store(&mut tried.sums[1][start..]);
        }
        Some(tried)
    }

    /// The best trial, and which of its groups are not where the weights are. Where no trial is better than
    /// nothing, points are the first of the grid.
    #[inline(always)]
    fn best(&self, trials: Trials, scale: f32) -> (Found<GROUPS>, [bool; GROUPS]) {
        let (mut scale, mut score, mut best) = (scale, 0.0, None);
        let [products, squares] = &self.sums;
        for (trial, (product, square)) in products.iter().zip(squares).enumerate().take(trials.total()) {
            if *square > 0.0 && product * product > score * square {
                scale = product / square;
                score = scale * product;
                best = Some(trial);
            }
        }
        let mut found = Found { scale, points: [0; GROUPS] };
        let mut off_grid = [best.is_none() && trials.refined != Refined::OffGrid; GROUPS];
        if let Some(trial) = best {
            found.points = std::array::from_fn(|group| self.points[group][trial] as Packed);
            off_grid = std::array::from_fn(|group| self.off_grid[group][trial] > 0.0);
        }
        (found, off_grid)
    }
}

/// Gives some groups new points, now for the scale that was found, and fits the scale once more.
#[inline(always)]
fn refine<L: Lanes, const N: usize, const GROUPS: usize>(
    grid: &Grid<N>,
    sub_block: &SubBlock<N, GROUPS>,
    refined: &[bool; GROUPS],
    found: &mut Found<GROUPS>,
) -> Option<()> {
    let levels = odd_levels::<N>();
    for (group, y) in sub_block.y.iter().enumerate().filter(|&(group, _)| refined[group]) {
        let number: f32 = spell(1.0 / found.scale, y);
        let near = grid.at(number as usize);
        found.points[group] = near.entries[0];
        if !near.is_point {
            let roots = &sub_block.roots[group];
            found.points[group] = nearest::<L, N>(near.padded, &levels, found.scale, y, roots)?;
        }
    }
    let (mut product, mut square) = (0.0, 0.0);
    for ((point, y), w) in found.points.iter().zip(&sub_block.y).zip(&sub_block.w) {
        add_sums(*point, y, w, &mut product, &mut square);
    }
    if square > 0.0 {
        found.scale = product / square;
    }
    Some(())
}

/// The odd number that a digit stands for. For digits of two bits, of which the last is not used, twice.
const fn odd_levels<const N: usize>() -> [f32; 8] {
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

/// Rounds weights to digits, and gives the number that they spell.
#[inline(always)]
fn spell<L: Lanes, const N: usize>(levels_per_weight: L, y: &[f32; N]) -> L {
    let (base, mut unit) = (base::<N>() as f32, 1.0);
    let mut number = L::zero();
    for &y in y {
        let level = levels_per_weight * L::splat(y);
        let digit = (L::splat(0.5) * (level - L::splat(1.0))).round_even_within(0.0, base - 1.0);
        number = number + digit * L::splat(unit);
        unit *= base;
    }
    number
}

/// The points of a group, a trial per lane.
struct Snapped<L> {
    points: L,
    /// 1 where the point is another than the digits say.
    off_grid: L,
}

/// Finds the points for the digits that the first `trials` lanes spell. Trials that spell the same follow each other,
/// and go through its neighbours side by side.
#[inline(always)]
fn snap<L: Lanes, const N: usize>(
    grid: &Grid<N>,
    spelled: L,
    trials: usize,
    errors: &Errors<L, N>,
) -> Option<Snapped<L>> {
    let trials = trials.min(L::WIDTH);
    let mut shifted = [0.0; LANE_NUMBERS.len() + 1];
    spelled.store(&mut shifted[1..]);
    // A bit for each lane that does not spell what the one before it does, and for the first.
    let changes = spelled.differing(L::load(&shifted)) | 1;
    let mut starts = changes & ((1 << trials) - 1);
    let lanes = L::load(&LANE_NUMBERS);
    let (mut points, mut off_grid) = (L::zero(), L::zero());
    while starts != 0 {
        let start = starts.trailing_zeros();
        starts &= starts - 1;
        let near = grid.at(shifted[start as usize + 1] as usize);
        let nearest = errors.nearest(&near);
        let before = lanes.lt(L::splat(start as f32));
        points = L::select(before, points, nearest);
        off_grid = L::select(before, off_grid, L::splat(f32::from(u8::from(!near.is_point))));
    }
    let failed = points.lt(L::zero()) & lanes.lt(L::splat(trials as f32));
    if L::any(failed) { None } else { Some(Snapped { points, off_grid }) }
}

/// Adds the weights of a group times levels, and levels squared, weighted, for the points that `codes` are.
#[inline(always)]
fn add_sums<L: Lanes, const N: usize>(
    codes: L::Codes,
    y: &[f32; N],
    w: &[f32; N],
    product: &mut L,
    square: &mut L,
) {
    let levels = odd_levels::<N>();
    for (i, (&y, &w)) in y.iter().zip(w).enumerate() {
        let level = L::look_up(&levels, codes, i * bits_per_digit::<N>());
        *product = *product + L::splat(w * y) * level;
        *square = *square + L::splat(w) * level * level;
    }
}
