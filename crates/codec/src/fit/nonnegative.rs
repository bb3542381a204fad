//! The scale of codes from zero up, for values that are not negative: the scales and minimums of sub-blocks.
//! Source: ggml's search for the same.

use super::{NEGLIGIBLE, Scaled};
use crate::primitives::{largest_since_nan, round_even, sum};

/// Passes of the descent over the codes, at most.
const PASSES: usize = 5;

/// Minimises the sum of `w (x - scale * code)^2` over codes 0 to `largest_code` and the scale.
///
/// Nine scales are tried, such that the largest value takes 0.4 steps less to 0.4 more than `largest_code`;
/// then each code in turn is moved to where the others' scale puts it, if that lowers the error.
///
/// Values below zero are possible where rounding made them. Their codes wrap around to the upper end of a byte
/// when stored, as in the reference, and count as what is stored from then on.
pub(crate) fn nonnegative<const N: usize>(x: &[f32; N], w: &[f32; N], largest_code: i32) -> Scaled<N> {
    let maximum = largest_since_nan(*x);
    if maximum < NEGLIGIBLE {
        return Scaled { scale: 0.0, codes: [0; N] };
    }
    let steps_per_value = best_steps_per_value(x, w, maximum, largest_code);

    let mut codes = [0_u8; N];
    let (mut product, mut square) = (0.0, 0.0);
    for ((code, x), w) in codes.iter_mut().zip(x).zip(w) {
        let steps = round_even(steps_per_value * x).min(largest_code);
        *code = steps as u8;
        let steps = steps as f32;
        product += w * x * steps;
        square += w * steps * steps;
    }
    for _ in 0..PASSES {
        let mut changed = false;
        for ((code, &x), w) in codes.iter_mut().zip(x).zip(w) {
            let steps = f32::from(*code);
            let mut new_product = product - w * x * steps;
            let mut new_square = square - w * steps * steps;
            if new_product > 0.0 && new_square > 0.0 {
                let new_code = round_even(x * new_square / new_product).min(largest_code);
                let steps = new_code as f32;
                new_product += w * x * steps;
                new_square += w * steps * steps;
                let better = new_product * new_product * square > product * product * new_square;
                if new_code != i32::from(*code) && better {
                    *code = new_code as u8;
                    (product, square) = (new_product, new_square);
                    changed = true;
                }
            }
        }
        if !changed {
            break;
        }
    }
    Scaled { scale: if square > 0.0 { product / square } else { 0.0 }, codes }
}

/// The trial with the smallest error. The plain one comes first and has its codes wrapped but not capped.
fn best_steps_per_value<const N: usize>(x: &[f32; N], w: &[f32; N], maximum: f32, largest_code: i32) -> f32 {
    let steps = largest_code as f32;
    let mut best_steps = steps / maximum;
    let mut best = error(x, w, 1.0 / best_steps, |x| f32::from(round_even(best_steps * x) as u8));
    for trial in (-4_i8..=4).filter(|&trial| trial != 0) {
        let trial_steps = (0.1 * f32::from(trial) + steps) / maximum;
        let code = |x| round_even(trial_steps * x).min(largest_code) as f32;
        let error = error(x, w, 1.0 / trial_steps, code);
        if error < best {
            (best, best_steps) = (error, trial_steps);
        }
    }
    best_steps
}

fn error<const N: usize>(x: &[f32; N], w: &[f32; N], scale: f32, code: impl Fn(f32) -> f32) -> f32 {
    sum(x.iter().zip(w).map(|(x, w)| {
        let difference = x - scale * code(*x);
        w * difference * difference
    }))
}
