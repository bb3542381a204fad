//! The scale of codes with a fixed zero point. Source: ggml's search for the symmetric K types.

use super::{NEGLIGIBLE, Scaled};
use crate::primitives::{extreme, round_even};

/// Minimises the sum of `w (x - scale * (code - half))^2` over codes 0 to 2 half - 1 and the scale.
///
/// For given codes `l = code - half` the best scale is `sum(w x l) / sum(w l l)`, and the error is smallest where
/// `sum(w x l)^2 / sum(w l l)` is largest. Nineteen sets of codes are tried: the ones that put the weight of
/// largest magnitude 0.9 steps below to 0.9 above `-half`. A block of negligible weights gets scale 0 and
/// code 0 everywhere, which is not the code of zero.
pub(crate) fn symmetric<const N: usize>(x: &[f32; N], w: &[f32; N], half: i32) -> Scaled<N> {
    let extreme = extreme(x);
    if extreme.abs() < NEGLIGIBLE {
        return Scaled { scale: 0.0, codes: [0; N] };
    }
    let steps = half as f32;
    let mut best_steps = -steps / extreme;
    let (product, square) = project(x, w, best_steps, half);
    let mut scale = if square == 0.0 { 0.0 } else { product / square };
    let mut best = scale * product;
    for trial in (-9_i8..=9).filter(|&trial| trial != 0) {
        let trial_steps = -(steps + 0.1 * f32::from(trial)) / extreme;
        let (product, square) = project(x, w, trial_steps, half);
        if square > 0.0 && product * product > best * square {
            best_steps = trial_steps;
            scale = product / square;
            best = scale * product;
        }
    }
    Scaled { scale, codes: x.map(|x| (round(x, best_steps, half) + half) as u8) }
}

/// The weighted sums of weights times codes and of codes squared.
fn project<const N: usize>(x: &[f32; N], w: &[f32; N], steps_per_weight: f32, half: i32) -> (f32, f32) {
    let (mut product, mut square) = (0.0, 0.0);
    for (&x, w) in x.iter().zip(w) {
        let steps = round(x, steps_per_weight, half) as f32;
        product += w * x * steps;
        square += w * steps * steps;
    }
    (product, square)
}

fn round(x: f32, steps_per_weight: f32, half: i32) -> i32 {
    round_even(steps_per_weight * x).min(half - 1).max(-half)
}
