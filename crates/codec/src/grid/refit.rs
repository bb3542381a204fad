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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::ternary::levels;
    use super::*;
    use crate::lanes::{Isa, Kernel, dispatch};

    struct Sums<'a> {
        x: &'a [f32],
        w: &'a [f32],
        groups: &'a [Group],
        found: &'a mut [Row; 2],
    }

    impl Kernel for Sums<'_> {
        #[inline(always)]
        fn run<L: Lanes>(self) {
            let starts = (0..L::WIDTH).map(|lane| lane * 16);
            let (product, square) = sums::<L, 16>(self.x, self.w, starts, self.groups);
            *self.found = [numbers(product), numbers(square)];
        }
    }

    proptest! {
        #[test]
        fn sums_are_those_of_one_weight_after_another(
            numbers in proptest::collection::vec((-9.0_f32..9.0, 0.0_f32..9.0), 16 * MAX_WIDTH),
            points in any::<[[Packed; MAX_WIDTH]; 2]>(), down in any::<[u16; 2]>(), code in 0_u8..8,
        ) {
            let (x, w): (Vec<_>, Vec<_>) = numbers.into_iter().unzip();
            let step = f32::from(2 * code + 1);
            let mut groups = [Group { steps: [step; MAX_WIDTH], ..Group::NONE }; 2];
            for ((group, points), down) in groups.iter_mut().zip(points).zip(down) {
                // Digits 0 to 2.
                group.points = points.map(|point| point & !(point >> 1 & 0x5555));
                group.shifts = std::array::from_fn(|lane| if down >> lane & 1 == 1 { -SHIFT } else { SHIFT });
            }
            for isa in Isa::available() {
                let mut sums = [[f32::NAN; MAX_WIDTH]; 2];
                dispatch(isa, Sums { x: &x, w: &w, groups: &groups, found: &mut sums });
                let lanes = if isa.name() == "scalar" { 1 } else { 4 };
                for (lane, found) in sums[0].into_iter().zip(sums[1]).take(lanes).enumerate() {
                    let (mut product, mut square) = (0.0, 0.0);
                    for i in 0..16 {
                        let (group, number) = (&groups[i / 8], 16 * lane + i);
                        let digit = group.points[lane] >> (2 * (i % 8)) & 3;
                        let level = levels(down[i / 8] >> lane & 1 == 1)[usize::from(digit)] * step;
                        product += w[number] * level * x[number];
                        square += w[number] * level * level;
                    }
                    prop_assert_eq!(found, (product, square), "{}", isa);
                }
            }
        }
    }
}
