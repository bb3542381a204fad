//! The search of the IQ2 and IQ3 types for sub-blocks: a scale, and points for their groups of `N` weights.
//! Source: ggml's quantizers of these types.
//!
//! Points stand for odd numbers here, 1, 3, 5 and so on, not yet for the magnitudes that they decode to.

use super::fours::Fours;
use super::lines::{Row, tolerances};
use super::neighbours::Grid;
use super::points::{base, bits_per_digit};
use super::snap::{Groups, MAX_TRIALS, Points, Room, SPELLED};
use super::trials::{Scales, Sums, Trials};
use crate::lanes::{Lanes, MAX_WIDTH, numbers};
use crate::tables::Packed;

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

impl<L: Lanes> Sums<L> {
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
        let mut trial_scales = [L::zero(); MAX_TRIALS];
        for (trial, &levels_per_weight) in trials.levels_per_weight().iter().enumerate() {
            let scale = L::splat(1.0) / levels_per_weight;
            trial_scales[trial] = scale;
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
            let spelled = &spelled[..trials.count];
            groups.snap(spelled, &trial_scales, &scales, sub_blocks.lanes, room, points);
            let sums = self.products.iter_mut().zip(&mut self.squares);
            for (points, (product, square)) in points.points[..trials.count].iter().zip(sums) {
                add_sums(L::load_codes(points), x, w, product, square);
            }
        }
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
