//! The search of the IQ2 and IQ3 types for a sub-block: a scale, and points for its groups of `N` weights.
//! Source: ggml's quantizers of these types.
//!
//! Points stand for odd numbers here, 1, 3, 5 and so on, not yet for the magnitudes that they decode to.

use super::neighbours::{Grid, Spelled};
use super::nearest::nearest;
use super::points::bits_per_digit;
use crate::lanes::Lanes;
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
pub(crate) struct Found {
    /// May be below zero: then the signs turn.
    pub(crate) scale: f32,
    pub(crate) points: [Packed; MAX_GROUPS],
}

/// Groups of a sub-block at most.
pub(crate) const MAX_GROUPS: usize = 8;
/// Trials at most, filled up to whole vectors.
const MAX_TRIALS: usize = 32;

/// Minimises the sum of `w (y - scale * level)^2` over trial scales, the nearest points for each, and its best
/// scale. The trials take `range`, about the largest of `y`, to the largest level and nearby.
///
/// `None` when there are weights without a nearest point, because distances are not finite.
#[inline(always)]
pub(crate) fn search<L: Lanes, const N: usize>(
    grid: &Grid<N>,
    trials: Trials,
    y: &[f32],
    w: &[f32],
    range: f32,
    scale: f32,
) -> Option<Found> {
    let levels = odd_levels::<N>();
    let (y_groups, w_groups) = (y.as_chunks::<N>().0, w.as_chunks::<N>().0);
    let mut roots = [[0.0; N]; MAX_GROUPS];
    for (roots, w) in roots.iter_mut().zip(w_groups) {
        *roots = w.map(f32::sqrt);
    }
    let groups = y_groups.len().min(MAX_GROUPS);

    let (mut levels_per_weight, mut scales) = ([0.0; MAX_TRIALS], [0.0; MAX_TRIALS]);
    let count = usize::from(2 * trials.count + 1);
    for trial in 0..count {
        let offset = trial as f32 - f32::from(trials.count);
        levels_per_weight[trial] = (largest_level::<N>() + offset * trials.step) / range;
        scales[trial] = 1.0 / levels_per_weight[trial];
    }
    // A trial per lane, except for neighbours, whose lists differ in length.
    let mut points = [[0; MAX_TRIALS]; MAX_GROUPS];
    let mut off_grid = [[false; MAX_TRIALS]; MAX_GROUPS];
    for group in 0..groups {
        let (y, root) = (&y_groups[group], &roots[group]);
        let mut numbers = [0.0; MAX_TRIALS];
        for start in (0..count).step_by(L::WIDTH) {
            spell(L::load(&levels_per_weight[start..]), y, grid.base()).store(&mut numbers[start..]);
        }
        for trial in 0..count {
            (points[group][trial], off_grid[group][trial]) =
                snap::<L, N>(grid, &levels, numbers[trial], scales[trial], y, root)?;
        }
    }
    let (mut products, mut squares) = ([0.0; MAX_TRIALS], [0.0; MAX_TRIALS]);
    for start in (0..count).step_by(L::WIDTH) {
        let (product, square) = project::<L, N>(&levels, y_groups, w_groups, |group| &points[group][start..]);
        product.store(&mut products[start..]);
        square.store(&mut squares[start..]);
    }

    let mut found = Found { scale, points: [0; MAX_GROUPS] };
    let mut refine = [trials.refined != Refined::OffGrid; MAX_GROUPS];
    let mut best = 0.0;
    for trial in 0..count {
        let (product, square) = (products[trial], squares[trial]);
        if square > 0.0 && product * product > best * square {
            found.scale = product / square;
            best = found.scale * product;
            for group in 0..groups {
                found.points[group] = points[group][trial];
                refine[group] = off_grid[group][trial];
            }
        }
    }
    let any = refine[..groups].contains(&true);
    match trials.refined {
        Refined::OffGrid => {}
        Refined::AllIfOneOffGrid => refine = [any; MAX_GROUPS],
        Refined::All => refine = [true; MAX_GROUPS],
    }
    if found.scale > 0.0 && refine[..groups].contains(&true) {
        for group in (0..groups).filter(|&group| refine[group]) {
            let y = &y_groups[group];
            let number = spell(1.0 / found.scale, y, grid.base());
            (found.points[group], _) = snap::<L, N>(grid, &levels, number, found.scale, y, &roots[group])?;
        }
        let (product, square) = project::<f32, N>(&levels, y_groups, w_groups, |group| &found.points[group..]);
        if square > 0.0 {
            found.scale = product / square;
        }
    }
    Some(found)
}

/// The odd number that a digit stands for. For digits of two bits, of which the last is not used, twice.
const fn odd_levels<const N: usize>() -> [f32; 8] {
    if N == 8 { [1.0, 3.0, 5.0, 0.0, 1.0, 3.0, 5.0, 0.0] } else { [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0] }
}

/// The last of them.
pub(crate) const fn largest_level<const N: usize>() -> f32 {
    if N == 8 { 5.0 } else { 15.0 }
}

/// Rounds weights to digits, and gives the number that they spell.
#[inline(always)]
fn spell<L: Lanes, const N: usize>(levels_per_weight: L, y: &[f32; N], base: usize) -> L {
    let (base, mut unit) = (base as f32, 1.0);
    let mut number = L::zero();
    for &y in y {
        let level = levels_per_weight * L::splat(y);
        let digit = (L::splat(0.5) * (level - L::splat(1.0))).round_even_within(0.0, base - 1.0);
        number = number + digit * L::splat(unit);
        unit *= base;
    }
    number
}

/// The point for the digits that spell `number`, and whether it is another than they say.
#[inline(always)]
fn snap<L: Lanes, const N: usize>(
    grid: &Grid<N>,
    levels: &[f32; 8],
    number: f32,
    scale: f32,
    y: &[f32; N],
    roots: &[f32; N],
) -> Option<(Packed, bool)> {
    match grid.at(number as usize) {
        Spelled::Point(point) => Some((point, false)),
        Spelled::Between(list) => Some((nearest::<L, N>(list, levels, scale, y, roots)?, true)),
    }
}

/// The weighted sums of weights times levels and of levels squared, for the points that `points` gives of a group,
/// a set per lane.
#[inline(always)]
fn project<'a, L: Lanes, const N: usize>(
    levels: &[f32; 8],
    y: &[[f32; N]],
    w: &[[f32; N]],
    points: impl Fn(usize) -> &'a [Packed],
) -> (L, L) {
    let (mut product, mut square) = (L::zero(), L::zero());
    for (group, (y, w)) in y.iter().zip(w).enumerate() {
        let codes = L::load_codes(points(group));
        for (i, (&y, &w)) in y.iter().zip(w).enumerate() {
            let level = L::look_up(levels, codes, i * bits_per_digit::<N>());
            product = product + L::splat(w * y) * level;
            square = square + L::splat(w) * level * level;
        }
    }
    (product, square)
}
