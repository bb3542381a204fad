//! Digits that are no point, but a step of one digit away from all their neighbours: for points of eight digits most of
//! those that are no point.
//!
//! A weight whose error is `e = scale * level - x` adds `v e^2` to the distance, and with the next level up or down,
//! two further, `4 scale v (scale + e)` or `4 scale v (scale - e)` more. So the nearest neighbour is found without
//! going through lists: it is that with the least `v (scale + e)` or `v (scale - e)` of all steps that lead to one.
//! This is as easily done for all lanes at once.
//!
//! As in [`lines`](super::lines), what leads by more than rounding explains has the least sum proper. The least is off
//! by 5 u v m: the error by 2 u m, the sum by 1.2 u m more, the product by u of itself. In the units of heights, which
//! are 4 times as large, two of these are 8 u S / scale, since m is 5 scales at least; with the 47 u S / scale by which
//! heights must differ that is within the tolerance of 64.

use super::lines::Row;
use super::neighbours::Near;
use super::points::{base, bits_per_digit, digit};
use super::snap::{Groups, spelled_number};
use crate::lanes::{Lanes, MAX_WIDTH, numbers};
use crate::tables::Packed;

/// What is at all digits: in the low half of a float's bits the digits packed, above them for each digit a bit if a
/// step up leads to a neighbour, and a bit for a step down. A point has all of these set, and is no number; digits that
/// are not a step away from their neighbours have none.
pub(super) struct Cells {
    /// By the number that the digits spell.
    cells: Vec<u32>,
    /// Whether there are any steps.
    pub(super) has_steps: bool,
}

const POINT: u32 = 0xFFFF_0000;

/// Where the bits for steps begin.
const STEPS: usize = 16;

/// What is added where a step up leads nowhere: two bits choose, and a third that belongs to the next digit.
const NO_STEP_UP: [f32; 8] = [f32::INFINITY, 0.0, f32::INFINITY, 0.0, f32::INFINITY, 0.0, f32::INFINITY, 0.0];
/// The same for a step down.
const NO_STEP_DOWN: [f32; 8] =
    [f32::INFINITY, f32::INFINITY, 0.0, 0.0, f32::INFINITY, f32::INFINITY, 0.0, 0.0];

impl Cells {
    pub(super) const NONE: Self = Self { cells: Vec::new(), has_steps: false };

    /// Looks at the neighbours of all digits.
    pub(super) fn new<'a, const N: usize>(at: impl Fn(usize) -> Near<'a>) -> Self {
        let base = base::<N>();
        let mut cells = Self::NONE;
        for number in 0..base.pow(N as u32) {
            let (mut packed, mut rest) = (0, number);
            for i in 0..N {
                packed |= ((rest % base) as Packed) << (i * bits_per_digit::<N>());
                rest /= base;
            }
            let near = at(number);
            let above = if near.is_point { POINT } else { steps::<N>(packed, &near).unwrap_or(0) << STEPS };
            cells.has_steps |= !near.is_point && above != 0;
            cells.cells.push(above | u32::from(packed));
        }
        cells
    }
}

/// The steps that lead from digits to neighbours; `None` where more than one is needed, or where the bits would look
/// like those of a point.
fn steps<const N: usize>(packed: Packed, near: &Near<'_>) -> Option<u32> {
    let mut steps = 0;
    for &entry in near.entries {
        let mut others = (0..N).filter(|&i| digit::<N>(entry, i) != digit::<N>(packed, i));
        let i = others.next().filter(|_| N == 8 && others.next().is_none())?;
        steps |= match digit::<N>(entry, i) as i8 - digit::<N>(packed, i) as i8 {
            1 => 1 << (2 * i),
            -1 => 2 << (2 * i),
            _ => return None,
        };
    }
    Some(steps).filter(|steps| !f32::from_bits(steps << STEPS).is_nan())
}

/// Where groups side by side go in a trial.
pub(super) struct Places {
    /// Zero where they are not found yet.
    pub(super) points: [Packed; MAX_WIDTH],
    /// A bit per lane: whether the digits are no point.
    pub(super) off_grid: u32,
    /// A bit per lane: whether they are not found yet.
    pub(super) open: u32,
}

impl<const N: usize> Groups<'_, N> {
    /// The points of groups, of those whose neighbours are a step away where one leads by the tolerance.
    #[inline(always)]
    pub(super) fn step<L: Lanes>(&self, spelled: &Row, scale: L) -> Places {
        let cells = &self.grid.cells.cells;
        let mut here = [0.0; MAX_WIDTH];
        for (here, &spelled) in here.iter_mut().zip(spelled).take(L::WIDTH) {
            *here = f32::from_bits(cells[spelled_number(spelled)]);
        }
        let packed = L::load(&here);
        let is_point = !packed.eq(packed);
        let off_grid = L::bits(!is_point);
        let (nearest, leads) = self.nearest_step(packed.to_codes(), scale);
        let mut places = Places { points: [0; MAX_WIDTH], off_grid, open: off_grid & !L::bits(leads) };
        let step = L::select(is_point, L::zero(), nearest);
        let known = is_point | leads;
        let (here, step) = (L::select(known, packed, L::zero()), L::select(known, step, L::zero()));
        for ((point, here), step) in places.points.iter_mut().zip(numbers(here)).zip(numbers(step)) {
            *point = (here.to_bits() as Packed).wrapping_add(step.to_bits() as Packed);
        }
        places
    }

    /// What is to be added to digits, as the bits of a float, and where that leads by the tolerance.
    #[inline(always)]
    fn nearest_step<L: Lanes>(&self, codes: L::Codes, scale: L) -> (L, L::Mask) {
        let (mut least, mut second, mut nearest) = (L::splat(f32::MAX), L::splat(f32::MAX), L::zero());
        for (i, (x, v)) in self.x.iter().zip(self.v).enumerate() {
            let (x, v) = (L::load(x), L::load(v));
            let error = scale * L::look_up(self.levels, codes, i * bits_per_digit::<N>()) - x;
            let up = v * (scale + error) + L::look_up(&NO_STEP_UP, codes, STEPS + 2 * i);
            let down = v * (scale - error) + L::look_up(&NO_STEP_DOWN, codes, STEPS + 2 * i);
            let unit = 1_u16 << (2 * i);
            for (farther, step) in [(up, unit), (down, unit.wrapping_neg())] {
                nearest = L::select(farther.lt(least), L::splat(f32::from_bits(step.into())), nearest);
                second = farther.if_greater(least).if_less(second);
                least = farther.if_less(least);
            }
        }
        let tolerance = L::load(&self.tolerances) * L::splat(0.25);
        (nearest, (least + tolerance).lt(second))
    }
}

#[cfg(test)]
mod tests {
    use super::super::neighbours::Grid;
    use super::super::points::number;
    use super::*;
    use crate::tables;

    /// The number of digits that are no point, and of those with steps. These lead to all neighbours and nowhere else.
    fn counts(points: &'static [Packed], nearest: usize) -> [usize; 2] {
        let (grid, mut counts) = (Grid::<8>::new(points, nearest), [0; 2]);
        for (spelled, &cell) in grid.cells.cells.iter().enumerate() {
            let (packed, near) = (cell as Packed, grid.at(spelled));
            assert_eq!(number::<8>(packed), spelled);
            assert_eq!(f32::from_bits(cell).is_nan(), near.is_point);
            if near.is_point {
                continue;
            }
            counts[0] += 1;
            if cell >> STEPS != 0 {
                counts[1] += 1;
                let step = |bit: usize| packed.wrapping_add([1, u16::MAX][bit % 2] << (bit & !1));
                let mut led: Vec<_> =
                    (0..16).filter(|bit| cell >> (STEPS + bit) & 1 == 1).map(step).collect();
                let mut neighbours = near.entries.to_vec();
                led.sort_unstable();
                neighbours.sort_unstable();
                assert_eq!(led, neighbours);
            }
        }
        assert_eq!(grid.cells.has_steps, counts[1] != 0);
        counts
    }

    #[test]
    fn where_there_are_steps_they_lead_to_all_neighbours() {
        assert_eq!(counts(&tables::IQ2_S, 1), [5537, 2530]);
        assert_eq!(counts(&tables::IQ2_XXS, 2), [6305, 0]);
    }
}
