//! The scale of codes with a fixed zero point, code by code. Source: ggml's search for Q3_K.

use super::symmetric::extreme;
use super::{NEGLIGIBLE, Scaled};
use crate::lanes::Lanes;

/// Passes over the codes, at most.
const PASSES: usize = 5;

/// Minimises the sum of `x^2 (x - scale * (code - half))^2` over codes 0 to 2 half - 1 and the scale.
///
/// The first codes put the weight of largest magnitude at `-half`; then each code in turn is moved to where the
/// others' scale puts it, if that lowers the error. A block of negligible weights gets scale 0 and code 0
/// everywhere, which is not the code of zero.
#[inline(always)]
pub(crate) fn descent<L: Lanes, const N: usize>(x: &[L; N], half: f32) -> Scaled<L, N> {
    let extreme = extreme(x);
    let negligible = extreme.abs().lt(L::splat(NEGLIGIBLE));
    let steps_per_weight = L::splat(-half) / extreme;
    let mut codes = *x;
    let (mut product, mut square) = (L::zero(), L::zero());
    for (code, &x) in codes.iter_mut().zip(x) {
        let w = x * x;
        *code = (steps_per_weight * x).round_even_within(-half, half - 1.0);
        product = product + w * x * *code;
        square = square + w * *code * *code;
    }
    // A pass that changes nothing is followed by passes that change nothing, so lanes that are done may go on.
    for _ in 0..PASSES {
        let mut changed = false;
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
            changed |= L::any(moved);
        }
        if !changed {
            break;
        }
    }
    for code in &mut codes {
        *code = L::select(negligible, L::zero(), *code + L::splat(half));
    }
    let found = square.gt(L::zero()) & !negligible;
    Scaled { scale: L::select(found, product / square, L::zero()), codes }
}
