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
///
/// With the sums P and S, and `share = w x code` of a weight, the descent takes it to
/// `x (S - w code^2) / (P - share)` steps, rounded, where P - share is above zero. From `code` that is
/// `(x - code P / S) S / (P - share)` steps away; so it stays if `x`, limited to what the codes reach with the scale
/// P / S, is less than half of `(P - share) / S` away from its code.
///
/// The codes have the sign of P, or are zero, so that shares do not cancel each other. Where P is not above zero, no
/// P - share is: as sums of such numbers are rounded, they do not end above any of them. Elsewhere no share is above
/// that of the extreme, whose code is `-half`; and while that leaves 1/128 of P, steps are off by 68 * 128 * 2^-24 at
/// most, through sums off by 4 * 2^-24 of P or S, with weights up to twice `half` scales. This takes 0.0006 of the half
/// step, what is computed here less than 0.0002. The limits of P exclude everything subnormal or not finite.
#[inline(always)]
pub(crate) fn first_step<L: Lanes, const N: usize>(x: &[L; N], half: f32) -> (L, L::Mask) {
    let extreme = extreme(x);
    let negligible = extreme.abs().lt(L::splat(NEGLIGIBLE));
    let steps_per_weight = L::splat(-half) / extreme;
    let (mut codes, mut shares) = (*x, *x);
    let mut sums = Sums { product: L::zero(), square: L::zero() };
    for ((code, share), &x) in codes.iter_mut().zip(&mut shares).zip(x) {
        let w = x * x;
        // No step is above that of the extreme, unless something is not finite, and then neither is P.
        *code = (steps_per_weight * x).round_ordinary().at_most(L::splat(half - 1.0));
        *share = w * x * *code;
        sums.product = sums.product + *share;
        sums.square = sums.square + w * *code * *code;
    }
    let scale = sums.product / sums.square;
    let (lowest, highest) = (scale * L::splat(-half), scale * L::splat(half - 1.0));
    let (near, nearer) = (scale * L::splat(0.499), L::splat(0.499) / sums.square);
    let largest_share = extreme * extreme * extreme * L::splat(-half);
    let mut stays = largest_share.lt(sums.product * L::splat(1.0 - 1.0 / 128.0))
        & sums.product.gt(L::splat(1e-30))
        & sums.product.lt(L::splat(1e30));
    for ((&code, &share), &x) in codes.iter().zip(&shares).zip(x) {
        let away = x.if_greater(lowest).if_less(highest) - code * scale;
        stays = stays & away.abs().lt(near - nearer * share);
    }
    let idle = !sums.product.gt(L::zero()) & sums.product.gt(L::splat(-1e30));
    let found = sums.square.gt(L::zero()) & !negligible;
    (L::select(found, scale, L::zero()), !(stays | idle | negligible))
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
