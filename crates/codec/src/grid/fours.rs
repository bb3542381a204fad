//! The search for sub-blocks in groups of four weights: all of a vector of groups look at all candidates, for every
//! trial.

use super::lines::Row;
use super::nearest::{Distances, Errors, nearest};
use super::neighbours::{Grid, NONE};
use super::places::{number, spell};
use super::records::Weights;
use super::search::{Found, MAX_GROUPS, SubBlocks, add_sums, odd_levels};
use super::snap::{Lane, MAX_TRIALS, Room};
use super::trials::{Scales, Sums, Trials};
use crate::lanes::{Lanes, MAX_WIDTH, numbers};

/// Sub-blocks of `SUB` weights, the groups of which have `N`: four.
pub(super) struct Fours<'a, L, const SUB: usize, const N: usize> {
    grid: &'a Grid<N>,
    sub_blocks: &'a SubBlocks<SUB>,
    levels: [f32; 8],
    lanes: std::marker::PhantomData<L>,
}

/// A group of each sub-block.
struct Group<'a, L, const N: usize> {
    weights: Weights<L, N>,
    x: &'a [Row; N],
    w: &'a [Row; N],
    v: &'a [Row; N],
}

/// Where groups are for a trial.
#[derive(Clone, Copy)]
struct Place {
    /// See [`Places`](super::places::Places).
    spelled: Row,
    /// A bit per lane: whether the nearest candidate there is the nearest neighbour.
    sound: u32,
}

/// The nearest points of groups for a trial.
struct Near<L> {
    /// As the bits of floats.
    points: L,
    /// A bit per lane: whether the point is another than the digits say.
    off_grid: u32,
    /// A bit per lane: whether there is none.
    failed: u32,
}

impl<'a, L: Lanes, const SUB: usize, const N: usize> Fours<'a, L, SUB, N> {
    #[inline(always)]
    pub(super) fn new(grid: &'a Grid<N>, sub_blocks: &'a SubBlocks<SUB>) -> Self {
        Self { grid, sub_blocks, levels: odd_levels::<N>(), lanes: std::marker::PhantomData }
    }

    /// See [`search`](super::search::search). The points of the best trials are found once more: to keep those of all
    /// trials would take longer.
    #[inline(always)]
    pub(super) fn search(&self, trials: Trials, scales: &Scales<L>, scale: L, room: &mut Room) -> Found {
        let (lanes, distances) = (self.sub_blocks.lanes, &mut room.distances);
        let (mut sums, mut failed) = (Sums::new(), 0);
        let mut places = [Place { spelled: [0.0; MAX_WIDTH], sound: 0 }; MAX_TRIALS];
        for number in 0..SUB / N {
            let group = self.group(number);
            let ordinary = L::bits(group.weights.are_ordinary([scales.smallest, scales.largest]));
            // First all places: what is looked up by them need not wait for them then.
            for (place, &levels_per_weight) in places.iter_mut().zip(scales.levels_per_weight()) {
                *place = self.place(&group, levels_per_weight, ordinary);
            }
            let sums = sums.products.iter_mut().zip(&mut sums.squares);
            let each = scales.levels_per_weight().iter().zip(scales.scales()).zip(&places);
            for (((&levels_per_weight, &scale), place), (product, square)) in each.zip(sums) {
                let near = self.nearest(&group, place, [levels_per_weight, scale], lanes, distances);
                failed |= near.failed;
                add_sums(near.points.to_codes(), group.x, group.w, product, square);
            }
        }
        let best = sums.best(scales, scale);
        let (mut found, mut points, mut off_grid) = (best.start(), [L::zero(); MAX_GROUPS], [0; MAX_GROUPS]);
        let tried = L::splat(1.0) / best.levels_per_weight;
        let better = lanes & best.lanes();
        for number in 0..SUB / N {
            let group = self.group(number);
            let ordinary = L::bits(group.weights.are_ordinary([scales.smallest, scales.largest]));
            let place = self.place(&group, best.levels_per_weight, ordinary);
            let near = self.nearest(&group, &place, [best.levels_per_weight, tried], better, distances);
            points[number] = L::select(L::mask(better), near.points, L::zero());
            off_grid[number] = near.off_grid & better;
        }
        let refined = best.refined(trials, lanes, off_grid);
        let (mut product, mut square) = (L::zero(), L::zero());
        let levels_per_weight = L::splat(1.0) / best.scale;
        let largest = best.scale * L::splat(self.levels[7]);
        for number in 0..SUB / N {
            let group = self.group(number);
            let ordinary = L::bits(group.weights.are_ordinary([best.scale, largest]));
            let refined = refined[number];
            let place = self.place(&group, levels_per_weight, ordinary);
            let near = self.nearest(&group, &place, [levels_per_weight, best.scale], refined, distances);
            failed |= near.failed;
            points[number] = L::select(L::mask(refined), near.points, points[number]);
            add_sums(points[number].to_codes(), group.x, group.w, &mut product, &mut square);
            for (found, point) in found.points[number].iter_mut().zip(numbers(points[number])) {
                *found = (point.to_bits() % (1 << 12)) as u16;
            }
        }
        found.failed = failed;
        found.fit(product, square, &refined);
        found
    }

    #[inline(always)]
    fn group(&self, number: usize) -> Group<'a, L, N> {
        let x = &self.sub_blocks.y.as_chunks().0[number];
        let w = &self.sub_blocks.w.as_chunks().0[number];
        let v = &self.sub_blocks.roots.as_chunks().0[number];
        let mut weights = Weights { x: [L::zero(); N], v: [L::zero(); N] };
        for i in 0..N {
            (weights.x[i], weights.v[i]) = (L::load(&x[i]), L::load(&v[i]));
        }
        Group { weights, x, w, v }
    }

    /// Where a group is. `ordinary` has a bit for each lane where its weights are.
    #[inline(always)]
    fn place(&self, group: &Group<'_, L, N>, levels_per_weight: L, ordinary: u32) -> Place {
        let places = self.grid.records.places(levels_per_weight, &group.weights.x);
        Place { spelled: numbers(places.spelled), sound: L::bits(places.are_clear) & ordinary }
    }

    /// The nearest points of a group for a scale, in the lanes that `lanes` has a bit for.
    #[inline(always)]
    fn nearest(
        &self,
        group: &Group<'_, L, N>,
        place: &Place,
        [levels_per_weight, scale]: [L; 2],
        lanes: u32,
        distances: &mut Distances,
    ) -> Near<L> {
        let (points, is_point) =
            self.grid.records.nearest(&self.levels, &place.spelled, scale, &group.weights);
        let mut near = Near { points, off_grid: !L::bits(is_point), failed: 0 };
        let mut unclear = !place.sound & lanes;
        // Seldom.
        if unclear != 0 {
            let (mut points, scales) = (numbers(near.points), numbers(scale));
            let spelled = numbers(spell(levels_per_weight, &group.weights.x));
            while unclear != 0 {
                let lane = unclear.trailing_zeros() as usize % points.len();
                unclear &= unclear - 1;
                let neighbours = self.grid.at(number(spelled[lane]));
                let mut point = neighbours.entries[0];
                if !neighbours.is_point {
                    let (x, v) = (Lane { rows: group.x, lane }, Lane { rows: group.v, lane });
                    let errors = Errors::<N>::new(&self.levels, scales[lane], &x, &v);
                    point = nearest::<L, N>(&neighbours, &errors, distances);
                    near.failed |= u32::from(point == NONE) << lane;
                }
                let bit = 1 << lane;
                near.off_grid = if neighbours.is_point { near.off_grid & !bit } else { near.off_grid | bit };
                points[lane] = f32::from_bits(point.into());
            }
            near.points = L::load(&points);
        }
        near
    }
}
