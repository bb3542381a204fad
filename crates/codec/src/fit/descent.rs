//! The scale of codes with a fixed zero point, code by code. Source: ggml's search for Q3_K.

use super::symmetric::extreme;
use super::{NEGLIGIBLE, Scaled};
use crate::lanes::Lanes;

/// Passes over the codes, at most.
const PASSES: usize = 5;

/// The sums that a scale follows from, over codes less `half`, with the squares of the weights for importance.
struct Sums<L> {
    product: L,
    square: L,
}

/// Minimises the sum of `x^2 (x - scale * (code - half))^2` over codes 0 to 2 half - 1 and the scale.
///
/// The first codes put the weight of largest magnitude at `-half`; then each code in turn is moved to where the
/// others' scale puts it, if that lowers the error. A block of negligible weights gets scale 0 and code 0
/// everywhere, which is not the code of zero.
#[inline(always)]
pub(crate) fn descent<L: Lanes, const N: usize>(x: &[L; N], half: f32) -> Scaled<L, N> {
    let extreme = extreme(x);
    let negligible = extreme.abs().lt(L::splat(NEGLIGIBLE));
    let mut codes = *x;
    let Sums { mut product, mut square } = first_codes(x, extreme, half, &mut codes);
    let nowhere = L::zero().lt(L::zero());
    // A pass that changes nothing is followed by passes that change nothing, so lanes that are done may go on.
    for _ in 0..PASSES {
        let mut changed = nowhere;
        for (code, &x) in codes.iter_mut().zip(x) {
            let w = x * x;
            let without_product = product - w * x * *code;
            let without_square = square - w * *code * *code;
            let steps = (x * without_square / without_product).round_even_within(-half, half - 1.0);
            let new_product = without_product + w * x * steps;
            let new_square = without_square + w * steps * steps;
            let sound = without_product.gt(L::zero()) & new_square.gt(L::zero());
            let better = (new_product * new_product * square).gt(product * product * new_square);
            let moved = sound & better & !steps.eq(*code);
            *code = L::select(moved, steps, *code);
            product = L::select(moved, new_product, product);
            square = L::select(moved, new_square, square);
            changed = changed | moved;
        }
        if !L::any(changed) {
            break;
        }
    }
    for code in &mut codes {
        *code = L::select(negligible, L::zero(), *code + L::splat(half));
    }
    Scaled { scale: scale(&Sums { product, square }, negligible), codes }
}

/// The scale of the first codes, and where a [`descent`] might go further; elsewhere it would find the same.
///
/// For most blocks the first codes are where they stay. This is seen without going from weight to weight: as long as
/// nothing moves, the sums are the same for all of them.
#[inline(always)]
pub(crate) fn first_step<L: Lanes, const N: usize>(x: &[L; N], half: f32) -> (L, L::Mask) {
    let extreme = extreme(x);
    let negligible = extreme.abs().lt(L::splat(NEGLIGIBLE));
    let mut codes = *x;
    let sums = first_codes(x, extreme, half, &mut codes);
    let mut restless = L::zero().lt(L::zero());
    for (&code, &x) in codes.iter().zip(x) {
        let w = x * x;
        let without_product = sums.product - w * x * code;
        let without_square = sums.square - w * code * code;
        let counter = x * without_square;
        // The steps are `counter / without_product`. They are rounded to `code` if they are less than half a step
        // from it, also after the limits; nearly half is enough to be certain, and spares the division. Products with
        // small whole numbers are off by their last bit at most, or exact where floats are spaced evenly. Beyond
        // 2^22 steps the reference does not round to the nearest.
        let limited = (without_product * L::splat(-half)).if_greater(counter);
        let limited = (without_product * L::splat(half - 1.0)).if_less(limited);
        let away = (limited - code * without_product).abs();
        let stays = away.lt(without_product * L::splat(0.499))
            & counter.abs().lt(without_product * L::splat(1_048_576.0));
        restless = restless | without_product.gt(L::zero()) & !stays;
    }
    (scale(&sums, negligible), restless & !negligible)
}

/// The codes less `half`, and their sums.
#[inline(always)]
fn first_codes<L: Lanes, const N: usize>(x: &[L; N], extreme: L, half: f32, codes: &mut [L; N]) -> Sums<L> {
    let steps_per_weight = L::splat(-half) / extreme;
    let mut sums = Sums { product: L::zero(), square: L::zero() };
    for (code, &x) in codes.iter_mut().zip(x) {
        let w = x * x;
        *code = (steps_per_weight * x).round_even_within(-half, half - 1.0);
        sums.product = sums.product + w * x * *code;
        sums.square = sums.square + w * *code * *code;
    }
    sums
}

#[inline(always)]
fn scale<L: Lanes>(sums: &Sums<L>, negligible: L::Mask) -> L {
    let found = sums.square.gt(L::zero()) & !negligible;
    L::select(found, sums.product / sums.square, L::zero())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn where_the_first_codes_stay_the_descent_finds_their_scale(
            levels in any::<[i8; 16]>(),
            bits in any::<[u32; 16]>(),
            noise in 0.0_f32..1.0,
            exponent in -52_i32..40,
        ) {
            let near = std::array::from_fn(|i| {
                (f32::from(levels[i]) / 32.0 + noise * bits[i] as f32 / u32::MAX as f32) * 2_f32.powi(exponent)
            });
            for x in [near, bits.map(f32::from_bits)] {
                let (scale, restless) = first_step(&x, 4.0);
                if !restless {
                    prop_assert_eq!(scale.to_bits(), descent(&x, 4.0).scale.to_bits(), "{:?}", x);
                }
            }
        }
    }
}
