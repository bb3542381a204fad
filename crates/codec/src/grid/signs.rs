//! Signs of eight weights in a byte: bit `i` set where weight `i` is negative.

/// The sign byte of an index of 7 bits, of which the lowest are taken: bit 7 makes the number of set bits even.
#[inline(always)]
pub(crate) const fn with_parity(index: u32) -> u8 {
    let index = (index & 127) as u8;
    index | (index.count_ones() as u8 & 1) << 7
}

/// The sign bytes of four indices of 7 bits, from the low end on.
#[inline(always)]
pub(crate) const fn four_with_parity(indices: u32) -> u32 {
    let signs = [
        with_parity(indices),
        with_parity(indices >> 7),
        with_parity(indices >> 14),
        with_parity(indices >> 21),
    ];
    u32::from_le_bytes(signs)
}

/// Takes the signs off eight weights. With parity, an odd number of negative signs is made even by turning the weight
/// that matters least, which is then below zero, and bit 7 is dropped from the signs as the others tell it.
#[inline(always)]
pub(crate) fn split_signs(weights: &mut [f32; 8], w: &[f32; 8], parity: bool) -> u8 {
    let mut signs = 0_u8;
    for (i, weight) in weights.iter_mut().enumerate() {
        if weight.is_nan() || *weight < 0.0 {
            *weight = -*weight;
            signs |= 1 << i;
        }
    }
    if parity && signs.count_ones() % 2 == 1 {
        let matters = |i: usize| w[i] * weights[i] * weights[i];
        let least = (1..8).fold(0, |least, i| if matters(i) < matters(least) { i } else { least });
        weights[least] = -weights[least];
        signs ^= 1 << least;
    }
    if parity { signs & 127 } else { signs }
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
                let stored = split_signs(&mut magnitudes, &w, parity);
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
        assert_eq!(split_signs(&mut weights, &[1.0, 0.1, 1.0, 1.0, 1.0, 0.001, 1.0, 1.0], true), 0b10_0001);
        assert_eq!(weights, [1.0, 2.0, 3.0, 0.5, 5.0, -6.0, 7.0, 8.0]);
        let mut weights = [f32::NAN, 0.0, -0.0, 1.0, 1.0, 1.0, 1.0, 1.0];
        assert_eq!(split_signs(&mut weights, &[1.0; 8], false), 1);
    }
}
