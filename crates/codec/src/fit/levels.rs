//! The scale of codes that stand for unevenly spaced levels. Source: ggml's search for the IQ4 types.

use super::NEGLIGIBLE;
use super::symmetric::extreme;
use crate::lanes::Lanes;
use crate::tables::IQ4_LEVELS;

/// Minimises the sum of `w (x - scale * level)^2` over levels and the scale, and returns the scale.
///
/// Sixteen scales are tried, each set of levels then has its best scale: first the one that gives the weight of
/// largest magnitude the highest number, 127 with its sign turned, then those that take it to -134 to -120. Blocks
/// of negligible weights have scale 0.
#[inline(always)]
pub(crate) fn levels<L: Lanes, const N: usize>(x: &[L; N], w: &[L; N]) -> L {
    let extreme = extreme(x);
    let negligible = extreme.abs().lt(L::splat(NEGLIGIBLE));
    let first = L::splat(1.0) / (-extreme / L::splat(-127.0));
    let (product, square) = project(x, w, first);
    let mut scale = L::select(square.gt(L::zero()), product / square, L::zero());
    let mut best = scale * product;
    for trial in -134_i16..=-120 {
        let (product, square) = project(x, w, L::splat(f32::from(trial)) / extreme);
        let better = square.gt(L::zero()) & (product * product).gt(best * square);
        scale = L::select(better, product / square, scale);
        best = L::select(better, scale * product, best);
    }
    L::select(negligible, L::zero(), scale)
}

/// The codes of the levels nearest to the weights over `scale`, for all weights zero where this is zero.
#[inline(always)]
pub(crate) fn nearest_codes<L: Lanes, const N: usize>(x: &[L; N], scale: L) -> [L; N] {
    let per_scale = L::select(scale.eq(L::zero()), L::zero(), L::splat(1.0) / scale);
    let mut codes = *x;
    for code in &mut codes {
        *code = climb(*code * per_scale, 0.0, |_| 1.0);
    }
    codes
}

/// The weighted sums of weights times levels and of levels squared.
#[inline(always)]
fn project<L: Lanes, const N: usize>(x: &[L; N], w: &[L; N], levels_per_weight: L) -> (L, L) {
    let (mut product, mut square) = (L::zero(), L::zero());
    for (&x, &w) in x.iter().zip(w) {
        let level = climb(levels_per_weight * x, f32::from(IQ4_LEVELS[0]), |rise| rise);
        product = product + w * level * x;
        square = square + w * level * level;
    }
    (product, square)
}

/// Goes from `start`, which belongs to the lowest level, up to what belongs to the level nearest to `value`: `step`
/// says how far for a rise between two levels. Halfway between two it is the upper one, and for a NaN the highest.
#[inline(always)]
fn climb<L: Lanes>(value: L, start: f32, step: impl Fn(f32) -> f32) -> L {
    let mut reached = L::splat(start);
    for pair in IQ4_LEVELS.windows(2) {
        let (low, high) = (f32::from(pair[0]), f32::from(pair[1]));
        // The reference compares the distances from both levels. Where they are nearly equal both are exact, so
        // that it is the same to compare with the middle.
        let below = value.lt(L::splat((low + high) / 2.0));
        reached = L::select(below, reached, reached + L::splat(step(high - low)));
    }
    reached
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By bisection and distances, as the reference does it.
    fn slowly(value: f32) -> usize {
        let level = |code: usize| f32::from(IQ4_LEVELS[code]);
        if value <= level(0) {
            return 0;
        }
        if value >= level(15) {
            return 15;
        }
        let (mut low, mut high) = (0, 15);
        while high - low > 1 {
            let middle = (low + high) / 2;
            if value < level(middle) { high = middle } else { low = middle }
        }
        if value - level(high - 1) < level(high) - value { high - 1 } else { high }
    }

    fn check(value: f32) {
        let [code] = nearest_codes(&[value], 1.0_f32);
        assert_eq!(code, slowly(value) as f32, "{value}");
        assert_eq!(climb(value, -127.0, |rise| rise), f32::from(IQ4_LEVELS[code as usize]), "{value}");
    }

    proptest! {
        #[test]
        fn the_level_is_the_nearest(value in -140.0_f32..140.0, bits in any::<u32>()) {
            check(value);
            check(f32::from_bits(bits));
        }
    }

    #[test]
    fn next_to_levels_and_their_middles_the_level_is_the_nearest() {
        for halves in -300..300_i16 {
            let mut value = f32::from(halves) / 2.0;
            check(value);
            for _ in 0..100 {
                value = value.next_up();
                check(value);
            }
            let mut value = f32::from(halves) / 2.0;
            for _ in 0..100 {
                value = value.next_down();
                check(value);
            }
        }
    }
}
