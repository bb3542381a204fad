//! Scales fitted once more, to the points that were chosen: for blocks or sub-blocks of the IQ1 types side by side.

use super::lines::Row;
use super::ternary::{Fitted, SHIFT};
use crate::lanes::{Blocks, Lanes, MAX_WIDTH, numbers};
use crate::tables::Packed;

/// What eight weights were encoded as, in every lane.
#[derive(Clone, Copy)]
struct Group {
    points: [Packed; MAX_WIDTH],
    /// What is added to -1, 0 and 1.
    shifts: Row,
    /// What these are multiples of.
    steps: Row,
}

impl Group {
    const NONE: Self = Self { points: [0; MAX_WIDTH], shifts: [0.0; MAX_WIDTH], steps: [1.0; MAX_WIDTH] };

    /// Takes group `group` of a block.
    #[inline(always)]
    fn take(&mut self, lane: usize, fitted: &Fitted, group: usize, is_down: bool) {
        self.points[lane] = fitted.points[group];
        self.shifts[lane] = if is_down { -SHIFT } else { SHIFT };
    }
}

/// Fits the scales of sub-blocks of `SUB` weights, of those with points that their digits did not say. `x` are all
/// weights of the blocks, and `w` says how much their errors count.
#[inline(always)]
pub(super) fn fit_sub_blocks<L: Lanes, const SUB: usize>(
    x: &[f32],
    w: &[f32],
    fitted: &mut [Fitted],
    is_down: impl Fn(u8, usize) -> bool,
) {
    let per_block = 256 / SUB;
    for first in (0..x.len() / SUB).step_by(L::WIDTH) {
        let numbers_here = first..(first + L::WIDTH).min(x.len() / SUB);
        let mut groups = [Group::NONE; 4];
        for (lane, number) in numbers_here.clone().enumerate() {
            let (block, number) = (&fitted[number / per_block], number % per_block);
            for (group, side_by_side) in groups.iter_mut().enumerate().take(SUB / 8) {
                let is_down = is_down(block.combinations[number], group);
                side_by_side.take(lane, block, number * (SUB / 8) + group, is_down);
            }
        }
        let starts = numbers_here.clone().map(|number| number * SUB);
        let (product, square) = sums::<L, SUB>(x, w, starts, &groups[..SUB / 8]);
        let sound = L::bits(product.gt(L::zero()) & square.gt(L::zero()));
        let scales = numbers(product / square);
        for (lane, number) in numbers_here.enumerate() {
            let (block, number) = (&mut fitted[number / per_block], number % per_block);
            if block.off_grid[number] && sound >> lane & 1 == 1 {
                block.scales[number] = scales[lane];
            }
        }
    }
}

/// Fits the scales of blocks, as many as there are lanes at most, to their points and to the codes of their sub-blocks'
/// scales, of which each is for `SUB` weights.
#[inline(always)]
pub(crate) fn fit_blocks<L: Lanes, const SUB: usize>(
    x: &[f32],
    w: &[f32],
    fitted: &mut [Fitted],
    is_down: impl Fn(u8, usize) -> bool,
) {
    let mut groups = [Group::NONE; 32];
    for (lane, block) in fitted.iter().enumerate() {
        for (group, side_by_side) in groups.iter_mut().enumerate() {
            let number = group / (SUB / 8);
            side_by_side.take(lane, block, group, is_down(block.combinations[number], group % (SUB / 8)));
            side_by_side.steps[lane] = f32::from(2 * block.scale_codes[number] + 1);
        }
    }
    let starts = (0..fitted.len()).map(|number| number * 256);
    let (product, square) = sums::<L, 256>(x, w, starts, &groups);
    let sound = L::bits(square.gt(L::zero()));
    for ((lane, block), scale) in fitted.iter_mut().enumerate().zip(numbers(product / square)) {
        // Where all sub-blocks are left out there is nothing to fit.
        if block.scales != [0.0; 16] && sound >> lane & 1 == 1 {
            block.scale = scale;
        }
    }
}

/// The weighted sums of weights times levels, and of levels squared, for runs of `N` weights side by side.
#[inline(always)]
fn sums<L: Lanes, const N: usize>(
    x: &[f32],
    w: &[f32],
    starts: impl Iterator<Item = usize> + Clone,
    groups: &[Group],
) -> (L, L) {
    const DIGITS: [f32; 8] = [-1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 1.0, 0.0];
    let (x, w) = (Blocks::<N>::new(x, starts.clone()), Blocks::<N>::new(w, starts));
    let (mut product, mut square) = (L::zero(), L::zero());
    for (number, group) in groups.iter().enumerate() {
        let codes = L::load_codes(&group.points);
        let (shift, step) = (L::load(&group.shifts), L::load(&group.steps));
        for start in [0, 4] {
            let (x, w) = (x.four::<L>(8 * number + start), w.four::<L>(8 * number + start));
            for i in 0..4 {
                let level = (L::look_up(&DIGITS, codes, 2 * (start + i)) + shift) * step;
                product = product + w[i] * level * x[i];
                square = square + w[i] * level * level;
            }
        }
    }
    (product, square)
}
