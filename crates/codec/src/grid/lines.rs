//! The lines of neighbours: how far they are from weights, over all scales.
//!
//! How far a point is, `sum of v (scale * level - x)^2`, is the scale times `scale * a - b`, where a is the sum of
//! `v level^2` and b that of `2 v level x`, and a sum of squares that all points share. So a neighbour has a line over
//! all scales, and the nearest has the lowest there. One that leads at two scales by a tolerance that no rounding
//! explains leads by it between them, and is the one that the sums proper have at all of them.

use super::neighbours::{LONGEST, Near};
use super::points::bits_per_digit;
use crate::lanes::{Lanes, MAX_WIDTH, numbers};

/// A number per lane.
pub(crate) type Row = [f32; MAX_WIDTH];

/// Of every digit of a point what its levels add to a and to b.
pub(super) type Terms = [[[f32; 8]; 2]; 8];

/// Sets the terms of weight `i`.
#[inline(always)]
pub(super) fn set_terms<L: Lanes>(terms: &mut Terms, i: usize, levels: &[f32; 8], x: f32, v: f32) {
    let mut factors = [[0.0; 8]; 2];
    for (i, level) in levels.iter().enumerate() {
        (factors[0][i], factors[1][i]) = (level * level, 2.0 * level);
    }
    let (factors, terms) = (factors.as_flattened(), terms[i].as_flattened_mut());
    for start in (0..16).step_by(L::WIDTH) {
        let of_a = L::mask(0xFF >> start);
        let factor = L::select(of_a, L::splat(v), L::splat(v * x)) * L::load(&factors[start..]);
        factor.store(&mut terms[start..]);
    }
}

/// Of every neighbour a and b.
pub(super) struct Lines {
    pub(super) a: [f32; LONGEST],
    pub(super) b: [f32; LONGEST],
}

impl Lines {
    pub(super) const NONE: Self = Self { a: [0.0; LONGEST], b: [0.0; LONGEST] };
}

/// The lowest lines at some scales.
pub(super) struct Lowest {
    /// Which ones, as bits of floats, from the second on.
    pub(super) indices: [f32; 1 + MAX_WIDTH],
    /// A bit for each scale whose line is not that of the scale before, and the first.
    pub(super) changes: u32,
    /// Up to where others could be nearer.
    pub(super) limits: Row,
    /// A bit for each scale where there are such.
    pub(super) unclear: u32,
}

impl Lines {
    /// Draws the lines of neighbours.
    #[inline(always)]
    pub(super) fn draw<L: Lanes, const N: usize>(&mut self, near: &Near<'_>, terms: &Terms) {
        let each = self.a.chunks_exact_mut(L::WIDTH).zip(self.b.chunks_exact_mut(L::WIDTH));
        for ((a, b), codes) in each.zip(near.padded.chunks_exact(L::WIDTH)) {
            let codes = L::load_codes(codes);
            let (mut a_here, mut b_here) = (L::zero(), L::zero());
            for (i, [of_a, of_b]) in terms.iter().enumerate().take(N) {
                a_here = a_here + L::look_up(of_a, codes, i * bits_per_digit::<N>());
                b_here = b_here + L::look_up(of_b, codes, i * bits_per_digit::<N>());
            }
            a_here.store(a);
            b_here.store(b);
        }
    }

    /// The line, of the first `length`, that leads at both ends, and so between them.
    #[inline(always)]
    pub(super) fn leader<L: Lanes>(&self, length: usize, ends: [f32; 2], tolerance: f32) -> Option<usize> {
        let (first, last) = (L::splat(ends[0]), L::splat(ends[1]));
        let (mut least_first, mut least_last) = (L::splat(f32::MAX), L::splat(f32::MAX));
        for start in (0..length).step_by(L::WIDTH) {
            let (a, b) = (L::load(&self.a[start..]), L::load(&self.b[start..]));
            least_first = (first * a - b).if_less(least_first);
            least_last = (last * a - b).if_less(least_last);
        }
        let limit_first = L::splat(least_first.least() + tolerance);
        let limit_last = L::splat(least_last.least() + tolerance);
        let (mut within, mut index) = (0, 0);
        for start in (0..length).step_by(L::WIDTH) {
            let (a, b) = (L::load(&self.a[start..]), L::load(&self.b[start..]));
            let here = (first * a - b).lt(limit_first) | (last * a - b).lt(limit_last);
            // Past the end are repetitions.
            let here = L::bits(here) & (u32::MAX >> (32 - (length - start).min(32)));
            within += here.count_ones();
            index = if here == 0 { index } else { start + here.trailing_zeros() as usize };
        }
        (within == 1).then_some(index)
    }

    /// The lowest of the first `length` lines at as many scales as there are lanes.
    #[inline(always)]
    pub(super) fn lowest<L: Lanes>(&self, length: usize, scales: &[f32], tolerance: f32) -> Lowest {
        let scale = L::load(scales);
        let (mut least, mut second, mut index) = (L::splat(f32::MAX), L::splat(f32::MAX), L::zero());
        for ((&a, &b), &number) in self.a.iter().zip(&self.b).zip(&NUMBERS).take(length) {
            let height = scale * L::splat(a) - L::splat(b);
            index = L::select(height.lt(least), L::splat(number), index);
            second = height.if_greater(least).if_less(second);
            least = height.if_less(least);
        }
        let limit = least + L::splat(tolerance);
        let mut indices = [0.0; 1 + MAX_WIDTH];
        index.store(&mut indices[1..]);
        let changes = L::bits(!index.eq(L::load(&indices))) | 1;
        Lowest { indices, changes, limits: numbers(limit), unclear: L::bits(second.lt(limit)) }
    }
}

/// Numbers as bits of floats: to be chosen, moved and compared, which takes no conversion.
static NUMBERS: [f32; LONGEST] = {
    let (mut numbers, mut i) = ([0.0; LONGEST], 0);
    while i < LONGEST {
        numbers[i] = f32::from_bits(i as u32);
        i += 1;
    }
    numbers
};

/// By how much one line must be below another at two scales to be the nearer of the two, in the sums proper, at all
/// scales between. `largest` and `smallest` are the limits of scales, the first times the largest level.
///
/// With u = 2^-24, half a unit in the last place, m = largest + |x| and S the sum of v m^2: `scale * level - x` is off
/// by 2 u m at most, what a digit adds by 6.1 u v m^2, and the sum by 7.1 u of itself more, together 13.2 u S. Sums of
/// up to eight times the terms of a and b are off by 10 u of the terms' magnitudes, which with their factors are
/// together no more than S. So a line that is below another by 47 u S / scale has the lesser sum. To compute heights
/// and the tolerance's limit adds 5 u S / scale to it, at the smallest scale the most. The tolerance is
/// 64 u S / smallest. Numbers so small that they round worse than by u, or so large that they overflow, have none.
#[inline(always)]
pub(crate) fn tolerances<L: Lanes, const N: usize>(
    [smallest, largest]: [L; 2],
    x: &[Row; N],
    v: &[Row; N],
) -> Row {
    let (mut sum, mut reach) = (L::zero(), L::zero());
    for (x, v) in x.iter().zip(v) {
        let farthest = largest + L::load(x).abs();
        reach = reach + farthest;
        sum = sum + L::load(v) * farthest * farthest;
    }
    let ordinary = sum.gt(L::splat(1e-25)) & reach.lt(L::splat(1e9)) & smallest.gt(L::splat(1e-20));
    let tolerance = sum * L::splat(1.0 / 262_144.0) / smallest;
    let mut tolerances = [0.0; MAX_WIDTH];
    let ordinary = ordinary & tolerance.lt(L::splat(1e30));
    L::select(ordinary, tolerance, L::splat(f32::INFINITY)).store(&mut tolerances);
    tolerances
}
