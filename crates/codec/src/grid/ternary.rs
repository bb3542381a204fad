//! What IQ1_S and IQ1_M share: their grid, the levels of its digits, and what is done around the splits.
//! Source: ggml's quantizers of these types.

use std::sync::LazyLock;

use briq_format::block::Block;

use super::best::Best;
use super::clear::clear;
use super::nearest::{Distances, Errors, nearest};
use super::neighbours::{Grid, NONE, Near};
use super::refit::fit_sub_blocks;
use super::split::{Sorted, Split};
use crate::error::Error;
use crate::fit::importance_weights;
use crate::lanes::{Blocks, Isa, Kernel, Lanes, dispatch, numbers, squares};
use crate::primitives::{largest_since_nan, round_even};
use crate::row::Rows;
use crate::tables::{self, Packed};

/// By how much levels are shifted up or down, in steps.
pub(super) const SHIFT: f32 = 0.125;

/// -1, 0 and 1 in steps, all of them shifted up or down.
pub(crate) const fn levels(down: bool) -> [f32; 3] {
    let shift = if down { -SHIFT } else { SHIFT };
    [shift - 1.0, shift, shift + 1.0]
}

/// A type with sub-blocks of `SUB` weights.
pub(crate) trait TernaryBlock<const SUB: usize, const PARTS: usize>: Block {
    /// The highest of its combinations of shifts.
    const LAST_COMBINATION: u8;
    /// Sub-blocks whose largest weight is below this are left out.
    const NEGLIGIBLE: f32;

    /// Finds the best cuts.
    fn cut<L: Lanes>(sorted: &Sorted<SUB, PARTS>) -> Best;

    /// Which way a combination shifts the levels of group `group` of a sub-block.
    fn is_down(combination: u8, group: usize) -> bool;

    /// Fits the scales of blocks, as many as there are lanes at most, to all that is chosen otherwise.
    #[inline(always)]
    fn fit_blocks<L: Lanes>(_x: &[f32], _w: &[f32], _fitted: &mut [Fitted]) {}

    /// Makes the block.
    fn pack(fitted: &Fitted) -> Self;
}

/// A block before its bits are placed. Sub-blocks that are left out have zero everywhere.
pub(crate) struct Fitted {
    pub(crate) scale: f32,
    /// Those of sub-blocks.
    pub(super) scales: [f32; 16],
    /// The same from 0 to 7: twice that and 1 times `scale`.
    pub(crate) scale_codes: [u8; 16],
    pub(crate) combinations: [u8; 16],
    /// Points per 8 weights.
    pub(crate) points: [Packed; 32],
    /// The sub-blocks with a point that the digits did not say.
    pub(super) off_grid: [bool; 16],
}

impl Fitted {
    const EMPTY: Self = Self {
        scale: 0.0,
        scales: [0.0; 16],
        scale_codes: [0; 16],
        combinations: [0; 16],
        points: [0; 32],
        off_grid: [false; 16],
    };

    /// Quantizes the scales of sub-blocks. Without a scale these and the shifts stay zero.
    #[inline(always)]
    fn quantize(&mut self) {
        let largest = largest_since_nan(self.scales);
        if largest == 0.0 {
            self.combinations = [0; 16];
            return;
        }
        self.scale = largest / 15.0;
        let per_scale = 1.0 / self.scale;
        for (code, scale) in self.scale_codes.iter_mut().zip(self.scales) {
            *code = round_even(0.5 * (per_scale * scale - 1.0)).clamp(0, 7) as u8;
        }
    }
}

/// Encodes the blocks of rows.
///
/// # Errors
/// When weights have no nearest point.
pub(crate) fn encode_rows<B: TernaryBlock<SUB, PARTS>, const SUB: usize, const PARTS: usize>(
    rows: &Rows<'_>,
    blocks: &mut [B],
) -> Result<(), Error> {
    let mut failed = None;
    dispatch(Isa::best(), EncodeRows::<B, SUB, PARTS> { rows, blocks, failed: &mut failed });
    failed.map_or(Ok(()), |weight| Err(Error::NoNearestPoint { ty: B::TYPE, weight }))
}

struct EncodeRows<'a, B, const SUB: usize, const PARTS: usize> {
    rows: &'a Rows<'a>,
    blocks: &'a mut [B],
    /// The first weight of the first sub-block that could not be encoded.
    failed: &'a mut Option<usize>,
}

impl<B: TernaryBlock<SUB, PARTS>, const SUB: usize, const PARTS: usize> Kernel
    for EncodeRows<'_, B, SUB, PARTS>
{
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { rows, blocks, failed } = self;
        let (mut w, mut splits, mut fitted) = (Vec::new(), Vec::new(), Vec::new());
        let mut distances = Distances::new();
        // As many blocks as there are lanes make whole vectors of sub-blocks.
        let batches = blocks.chunks_mut(L::WIDTH).zip(rows.weights.chunks(L::WIDTH * 256));
        for (batch, (blocks, x)) in batches.enumerate() {
            let start = batch * L::WIDTH * 256;
            w.clear();
            let sums = Blocks::<256>::new(x, (0..blocks.len()).map(|number| number * 256));
            let sums = numbers(sums.sum_of_squares::<L>());
            for (number, (x, sum)) in x.as_chunks::<256>().0.iter().zip(sums).enumerate() {
                let start = (start + number * 256) % rows.row_elements;
                let importance = rows.importance.and_then(|importance| importance[start..].first_chunk());
                w.push(weigh(x, 2.0 * sum / 256.0, importance));
            }
            splits.clear();
            for first in (0..x.len() / SUB).step_by(L::WIDTH) {
                let starts = (first..x.len() / SUB).take(L::WIDTH).map(|number| number * SUB);
                let sorted = Sorted::<SUB, PARTS>::new::<L>(x, w.as_flattened(), starts.clone());
                let best = B::cut::<L>(&sorted);
                best.splits(&sorted, starts.count(), B::LAST_COMBINATION, &mut splits);
            }
            fitted.clear();
            let each = x.as_chunks::<256>().0.iter().zip(&w).zip(splits.chunks(256 / SUB));
            for (number, ((x, w), splits)) in each.enumerate() {
                fitted.push(Fitted::EMPTY);
                let fitted = &mut fitted[number];
                if let Err(weight) = choose_points::<L, B, SUB, PARTS>(x, w, splits, &mut distances, fitted) {
                    *failed = Some(start + number * 256 + weight);
                    return;
                }
            }
            fit_sub_blocks::<L, SUB>(x, w.as_flattened(), &mut fitted, B::is_down);
            for fitted in &mut fitted {
                fitted.quantize();
            }
            B::fit_blocks::<L>(x, w.as_flattened(), &mut fitted);
            for (block, fitted) in blocks.iter_mut().zip(&fitted) {
                *block = B::pack(fitted);
            }
        }
    }
}

#[inline(always)]
fn weigh(x: &[f32; 256], variance: f32, importance: Option<&[f32; 256]>) -> [f32; 256] {
    importance.map_or_else(|| squares(x), |importance| importance_weights(importance, variance, x))
}

/// Chooses points for the digits of every sub-block.
#[inline(always)]
fn choose_points<L: Lanes, B: TernaryBlock<SUB, PARTS>, const SUB: usize, const PARTS: usize>(
    x: &[f32; 256],
    w: &[f32; 256],
    splits: &[Option<Split<SUB>>],
    distances: &mut Distances,
    fitted: &mut Fitted,
) -> Result<(), usize> {
    let groups = x.as_chunks::<SUB>().0.iter().zip(w.as_chunks::<SUB>().0);
    // First what all groups are compared with: it is on its way from the caches then while others are looked at.
    let mut near = [Near::NOTHING; 32];
    for (((x, w), split), near) in groups.clone().zip(splits).zip(near.chunks_exact_mut(SUB / 8)) {
        if let Some(split) = split {
            look_up::<L, SUB>(x, w, split, |group| B::is_down(split.combination, group), near);
        }
    }
    for (number, ((x, w), split)) in groups.zip(splits).enumerate() {
        let Some(split) = split else { continue };
        if largest_since_nan(x.iter().map(|x| x.abs())) < B::NEGLIGIBLE {
            continue;
        }
        let points = &mut fitted.points[number * (SUB / 8)..][..SUB / 8];
        let down = |group| B::is_down(split.combination, group);
        fitted.combinations[number] = split.combination;
        let near = &near[number * (SUB / 8)..][..SUB / 8];
        fitted.scales[number] = split.scale;
        let on_grid = snap::<L, SUB>(x, w, split, near, down, points, distances).ok_or(number * SUB)?;
        fitted.off_grid[number] = !on_grid;
    }
    Ok(())
}

/// Looks up the points near the digits of groups.
#[inline(always)]
fn look_up<L: Lanes, const SUB: usize>(
    x: &[f32; SUB],
    w: &[f32; SUB],
    split: &Split<SUB>,
    down: impl Fn(usize) -> bool,
    near: &mut [Near<'_>],
) {
    let clear = clear::<L, SUB>(x, w, split, &down);
    for (group, (near, digits)) in near.iter_mut().zip(split.digits.as_chunks::<8>().0).enumerate() {
        let number = digits.iter().rev().fold(0, |number, &digit| number * 3 + usize::from(digit));
        let is_clear = clear >> (8 * group) & 0xFF == 0xFF;
        *near = if is_clear { GRID.candidates_at(number) } else { GRID.at(number) };
        near.prefetch();
    }
}

/// Chooses the points of a sub-block among those near its groups. Returns whether all are what the digits say.
#[inline(always)]
fn snap<L: Lanes, const SUB: usize>(
    x: &[f32; SUB],
    w: &[f32; SUB],
    split: &Split<SUB>,
    near: &[Near<'_>],
    down: impl Fn(usize) -> bool,
    points: &mut [Packed],
    distances: &mut Distances,
) -> Option<bool> {
    if split.scale.is_nan() {
        return None;
    }
    let (x, w) = (x.as_chunks::<8>().0, w.as_chunks::<8>().0);
    let mut on_grid = true;
    for (group, (point, near)) in points.iter_mut().zip(near).enumerate() {
        *point = near.entries[0];
        if !near.is_point {
            on_grid = false;
            let [low, middle, high] = levels(down(group));
            let levels = [low, middle, high, 0.0, low, middle, high, 0.0];
            let errors = Errors::<8>::new(&levels, split.scale, &x[group], &w[group]);
            *point = nearest::<L, 8>(near, &errors, distances);
            if *point == NONE {
                return None;
            }
        }
    }
    Some(on_grid)
}

/// The index of a point.
pub(crate) fn index(point: Packed) -> u16 {
    GRID.index(point).unwrap_or(0)
}

pub(super) static GRID: LazyLock<Grid<8>> = LazyLock::new(|| Grid::new(&tables::IQ1, 3));
