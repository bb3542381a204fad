//! Signs of eight weights in a byte: bit `i` set where weight `i` is negative.

use crate::lanes::Lanes;

/// The sign byte of an index of 7 bits, of which the lowest are taken: bit 7 makes the number of set bits even.
#[inline(always)]
pub(crate) const fn with_parity(index: u32) -> u8 {
    let index = (index & 127) as u8;
    index | (index.count_ones() as u8 & 1) << 7
}

/// The sign bytes of four indices of 7 bits, from the low end on.
#[inline(always)]
pub const fn four_with_parity(indices: u32) -> u32 {
    let signs = [
        with_parity(indices),
        with_parity(indices >> 7),
        with_parity(indices >> 14),
        with_parity(indices >> 21),
    ];
    u32::from_le_bytes(signs)
}

/// Takes the signs off groups of eight weights, and gives the bytes of signs. With parity, an odd number of negative
/// signs is made even by turning the weight that matters least, which is then below zero, and bit 7 is dropped from
/// the signs as the others tell it.
#[inline(always)]
pub(crate) fn split_signs<L: Lanes>(weights: &mut [L; 8], w: &[L; 8], parity: bool) -> L {
    let (one, mut odd) = (L::splat(1.0), L::zero());
    let mut turned = [L::zero(); 8];
    for (weight, turned) in weights.iter_mut().zip(&mut turned) {
        let negative = weight.lt(L::zero()) | !weight.eq(*weight);
        *weight = L::select(negative, -*weight, *weight);
        *turned = L::select(negative, one, L::zero());
        odd = L::select(negative, one - odd, odd);
    }
    if parity {
        let (mut least, mut place) = (w[0] * weights[0] * weights[0], L::zero());
        for (i, (&w, &weight)) in w.iter().zip(&*weights).enumerate().skip(1) {
            let matters = w * weight * weight;
            let less = matters.lt(least);
            least = L::select(less, matters, least);
            place = L::select(less, L::splat(i as f32), place);
        }
        for (i, (weight, turned)) in weights.iter_mut().zip(&mut turned).enumerate() {
            let here = odd.eq(one) & place.eq(L::splat(i as f32));
            *weight = L::select(here, -*weight, *weight);
            *turned = L::select(here, one - *turned, *turned);
        }
    }
    let mut signs = L::zero();
    for (i, &turned) in turned.iter().enumerate().take(if parity { 7 } else { 8 }) {
        signs = signs + turned * L::splat((1 << i) as f32);
    }
    signs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn weights_are_their_magnitudes_with_the_stored_signs(weights in any::<[f32; 8]>(), w in any::<[f32; 8]>()) {
            for parity in [false, true] {
                let mut magnitudes = weights;
                let stored = split_signs(&mut magnitudes, &w, parity) as u8;
                let signs = if parity { with_parity(stored.into()) } else { stored };
                let turned = signs.count_ones() % 2;
                prop_assert!(!parity || stored < 128 && turned == 0);
                for (i, (weight, magnitude)) in weights.iter().zip(magnitudes).enumerate() {
                    prop_assert_eq!(if signs >> i & 1 == 1 { -magnitude } else { magnitude }, *weight);
                }
                let below_zero = magnitudes.iter().filter(|magnitude| **magnitude < 0.0).count();
                prop_assert!(below_zero <= usize::from(parity));
            }
        }
    }

    #[test]
    fn parity_turns_the_weight_that_matters_least() {
        let mut weights = [-1.0, 2.0, 3.0, 0.5, 5.0, 6.0, 7.0, 8.0];
        assert_eq!(split_signs(&mut weights, &[1.0, 0.1, 1.0, 1.0, 1.0, 0.001, 1.0, 1.0], true), 33.0);
        assert_eq!(weights, [1.0, 2.0, 3.0, 0.5, 5.0, -6.0, 7.0, 8.0]);
        let mut weights = [f32::NAN, 0.0, -0.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        assert_eq!(split_signs(&mut weights, &[1.0; 8], false), 1.0);
    }
}
