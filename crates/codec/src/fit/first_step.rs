//! What the first codes of a descent show of how it ends.

use super::NEGLIGIBLE;
use super::symmetric::extreme;
use crate::lanes::Lanes;

/// The scale of the first codes, and where a [descent](super::descents) might go further; elsewhere it would find the
/// same.
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
    let (mut product, mut square) = (L::zero(), L::zero());
    for ((code, share), &x) in codes.iter_mut().zip(&mut shares).zip(x) {
        let w = x * x;
        // No step is above that of the extreme, unless something is not finite, and then neither is P.
        *code = (steps_per_weight * x).round_ordinary().at_most(L::splat(half - 1.0));
        *share = w * x * *code;
        product = product + *share;
        square = square + w * *code * *code;
    }
    let scale = product / square;
    let (lowest, highest) = (scale * L::splat(-half), scale * L::splat(half - 1.0));
    let (near, nearer) = (scale * L::splat(0.499), L::splat(0.499) / square);
    let largest_share = extreme * extreme * extreme * L::splat(-half);
    let mut stays = largest_share.lt(product * L::splat(1.0 - 1.0 / 128.0))
        & product.gt(L::splat(1e-30))
        & product.lt(L::splat(1e30));
    for ((&code, &share), &x) in codes.iter().zip(&shares).zip(x) {
        let away = x.if_greater(lowest).if_less(highest) - code * scale;
        stays = stays & away.abs().lt(near - nearer * share);
    }
    let idle = !product.gt(L::zero()) & product.gt(L::splat(-1e30));
    let found = square.gt(L::zero()) & !negligible;
    (L::select(found, scale, L::zero()), !(stays | idle | negligible))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fit::descent::tests::slowly;

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
                    prop_assert_eq!(scale.to_bits(), slowly(&x).0.to_bits(), "{:?}", x);
                }
            }
        }
    }
}
