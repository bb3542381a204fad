//! The scale of codes from zero up, for values that are not negative: the scales and minimums of sub-blocks.
//! Source: ggml's search for the same.

use super::{NEGLIGIBLE, NO_LIMIT, Scaled};
use crate::lanes::Lanes;

/// Passes of the descent over the codes, at most.
const PASSES: usize = 5;

/// Minimises the sum of `w (x - scale * code)^2` over codes 0 to `largest_code` and the scale.
///
/// Nine scales are tried, such that the largest value takes 0.4 steps less to 0.4 more than `largest_code`;
/// then each code in turn is moved to where the others' scale puts it, if that lowers the error.
///
/// Values below zero are possible where rounding made them. Their codes wrap around to the upper end of a byte
/// when stored, as in the reference, and count as what is stored from then on.
#[inline(always)]
pub(crate) fn nonnegative<L: Lanes, const N: usize>(
    x: &[L; N],
    w: &[L; N],
    largest_code: f32,
) -> Scaled<L, N> {
    let maximum = largest_since_nan(x);
    let negligible = maximum.lt(L::splat(NEGLIGIBLE));
    let steps_per_value = best_steps_per_value(x, w, maximum, largest_code);

    let mut codes = *x;
    let (mut product, mut square) = (L::zero(), L::zero());
    for ((code, &x), &w) in codes.iter_mut().zip(x).zip(w) {
        let steps = (steps_per_value * x).round_even_within(NO_LIMIT, largest_code);
        *code = steps.round_even_to_byte();
        product = product + w * x * steps;
        square = square + w * steps * steps;
    }
    // A pass that changes nothing is followed by passes that change nothing, so lanes that are done may go on.
    for _ in 0..PASSES {
        let mut changed = false;
        for ((code, &x), &w) in codes.iter_mut().zip(x).zip(w) {
            let without_product = product - w * x * *code;
            let without_square = square - w * *code * *code;
            let sound = without_product.gt(L::zero()) & without_square.gt(L::zero());
            let steps = (x * without_square / without_product).round_even_within(NO_LIMIT, largest_code);
            let new_product = without_product + w * x * steps;
            let new_square = without_square + w * steps * steps;
            let better = (new_product * new_product * square).gt(product * product * new_square);
            let moved = sound & better & !steps.eq(*code);
            *code = L::select(moved, steps.round_even_to_byte(), *code);
            product = L::select(moved, new_product, product);
            square = L::select(moved, new_square, square);
            changed |= L::any(moved);
        }
        if !changed {
            break;
        }
    }
    for code in &mut codes {
        *code = L::select(negligible, L::zero(), *code);
    }
    let found = square.gt(L::zero()) & !negligible;
    Scaled { scale: L::select(found, product / square, L::zero()), codes }
}

/// The trial with the smallest error. The plain one comes first and has its codes wrapped but not capped.
#[inline(always)]
fn best_steps_per_value<L: Lanes, const N: usize>(
    x: &[L; N],
    w: &[L; N],
    maximum: L,
    largest_code: f32,
) -> L {
    let mut best_steps = L::splat(largest_code) / maximum;
    let scale = L::splat(1.0) / best_steps;
    let mut best = L::zero();
    for (&x, &w) in x.iter().zip(w) {
        let difference = x - scale * (best_steps * x).round_even_to_byte();
        best = best + w * difference * difference;
    }
    for trial in (-4_i8..=4).filter(|&trial| trial != 0) {
        let trial_steps = L::splat(0.1 * f32::from(trial) + largest_code) / maximum;
        let scale = L::splat(1.0) / trial_steps;
        let mut error = L::zero();
        for (&x, &w) in x.iter().zip(w) {
            let difference = x - scale * (trial_steps * x).round_even_within(NO_LIMIT, largest_code);
            error = error + w * difference * difference;
        }
        let better = error.lt(best);
        best = L::select(better, error, best);
        best_steps = L::select(better, trial_steps, best_steps);
    }
    best_steps
}

/// The largest value above zero, or zero, except that a NaN takes the place of what came before it and gives way
/// to what comes after it.
#[inline(always)]
pub(crate) fn largest_since_nan<L: Lanes, const N: usize>(values: &[L; N]) -> L {
    let mut largest = L::zero();
    for &value in values {
        largest = largest.if_greater(value);
    }
    largest
}
