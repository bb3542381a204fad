//! The scale of codes with a fixed zero point. Source: ggml's search for the symmetric K types.

use super::{NEGLIGIBLE, Scaled};
use crate::lanes::Lanes;

/// Minimises the sum of `w (x - scale * (code - half))^2` over codes 0 to 2 half - 1 and the scale.
///
/// For given codes `l = code - half` the best scale is `sum(w x l) / sum(w l l)`, and the error is smallest where
/// `sum(w x l)^2 / sum(w l l)` is largest. Nineteen sets of codes are tried: the ones that put the weight of
/// largest magnitude 0.9 steps below to 0.9 above `-half`. A block of negligible weights gets scale 0 and
/// code 0 everywhere, which is not the code of zero.
#[inline(always)]
pub(crate) fn symmetric<L: Lanes, const N: usize>(x: &[L; N], w: &[L; N], half: f32) -> Scaled<L, N> {
    let extreme = extreme(x);
    let negligible = extreme.abs().lt(L::splat(NEGLIGIBLE));
    let mut best_steps = L::splat(-half) / extreme;
    let (product, square) = project(x, w, best_steps, half);
    let mut scale = L::select(square.eq(L::zero()), L::zero(), product / square);
    let mut best = scale * product;
    for trial in (-9_i8..=9).filter(|&trial| trial != 0) {
        let trial_steps = L::splat(-(half + 0.1 * f32::from(trial))) / extreme;
        let (product, square) = project(x, w, trial_steps, half);
        let better = square.gt(L::zero()) & (product * product).gt(best * square);
        best_steps = L::select(better, trial_steps, best_steps);
        scale = L::select(better, product / square, scale);
        best = L::select(better, scale * product, best);
    }
    let mut codes = *x;
    for code in &mut codes {
        let rounded = (best_steps * *code).round_even_within(-half, half - 1.0) + L::splat(half);
        *code = L::select(negligible, L::zero(), rounded);
    }
    Scaled { scale: L::select(negligible, L::zero(), scale), codes }
}

/// The first value of largest magnitude, or zero when there is none above zero. NaN are passed over.
#[inline(always)]
pub(crate) fn extreme<L: Lanes>(values: &[L]) -> L {
    let (mut extreme, mut magnitude) = (L::zero(), L::zero());
    for &value in values {
        let larger = value.abs().gt(magnitude);
        extreme = L::select(larger, value, extreme);
        magnitude = L::select(larger, value.abs(), magnitude);
    }
    extreme
}

/// The weighted sums of weights times codes and of codes squared.
#[inline(always)]
fn project<L: Lanes, const N: usize>(x: &[L; N], w: &[L; N], steps_per_weight: L, half: f32) -> (L, L) {
    let (mut product, mut square) = (L::zero(), L::zero());
    for (&x, &w) in x.iter().zip(w) {
        let steps = (steps_per_weight * x).round_even_within(-half, half - 1.0);
        product = product + w * x * steps;
        square = square + w * steps * steps;
    }
    (product, square)
}
