//! The 4-bit floats of MXFP4 and NVFP4.

use crate::lanes::Lanes;

/// Twice the values of the 16 codes: 0, 0.5, 1, 1.5, 2, 3, 4, 6, and their negatives. Scales are halved in return.
///
/// The second zero has no sign: it decodes as the first does.
pub const DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// The codes nearest to the weights over twice `half_scale`: of two the one nearer zero, for a NaN zero. The second
/// zero is never made. `N` is a multiple of the lanes.
#[inline(always)]
pub(crate) fn nearest<L: Lanes, const N: usize>(weights: &[f32; N], half_scale: f32) -> [u8; N] {
    let mut codes = [0; N];
    for (weights, codes) in weights.chunks_exact(L::WIDTH).zip(codes.chunks_exact_mut(L::WIDTH)) {
        let weights = L::load(weights);
        // Levels of the other sign are never nearer than zero, so magnitudes are enough.
        let magnitudes = weights.abs();
        let (mut found, mut least) = (L::zero(), magnitudes);
        for (code, level) in (1_u8..8).zip(&DOUBLED[1..]) {
            let error = (L::splat(f32::from(*level) * half_scale) - magnitudes).abs();
            let nearer = error.lt(least);
            found = L::select(nearer, L::splat(f32::from(code)), found);
            least = L::select(nearer, error, least);
        }
        let negative = weights.lt(L::zero()) & found.gt(L::zero());
        L::select(negative, found + L::splat(8.0), found).store_codes(codes);
    }
    codes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All sixteen codes in order, as the reference goes through them.
    fn slowly(weight: f32, half_scale: f32) -> u8 {
        let error = |code: u8| (f32::from(DOUBLED[usize::from(code)]) * half_scale - weight).abs();
        (1..16).fold(0, |best, code| if error(code) < error(best) { code } else { best })
    }

    proptest! {
        #[test]
        fn magnitudes_give_the_code_that_all_sixteen_give(
            bits in any::<[u32; 16]>(), near in proptest::array::uniform16(-8.0_f32..8.0), exponent in any::<u8>(),
        ) {
            let halves = near.map(|near| (near * 4.0).round() / 4.0);
            for half_scale in [0.0, 0.75, 1.0, f32::from_bits(u32::from(exponent) << 23)] {
                for weights in [bits.map(f32::from_bits), near, halves, halves.map(|half| half * half_scale)] {
                    let expected = weights.map(|weight| slowly(weight, half_scale));
                    prop_assert_eq!(nearest::<f32, 16>(&weights, half_scale), expected);
                }
            }
        }
    }
}
