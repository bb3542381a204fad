//! The 4-bit floats of MXFP4 and NVFP4.

/// Twice the values of the 16 codes: 0, 0.5, 1, 1.5, 2, 3, 4, 6, and their negatives. Scales are halved in return.
///
/// The second zero has no sign: it decodes as the first does.
pub(crate) const DOUBLED: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// The codes nearest to the weights over twice `half_scale`: of two the one nearer zero, for a NaN zero. The second
/// zero is never made.
pub(crate) fn nearest<const N: usize>(weights: &[f32; N], half_scale: f32) -> [u8; N] {
    weights.map(|weight| {
        // Levels of the other sign are never nearer than zero, so magnitudes are enough.
        let magnitude = weight.abs();
        let (mut code, mut least) = (0_u32, magnitude);
        for (candidate, level) in (1..).zip(&DOUBLED[1..8]) {
            let error = (f32::from(*level) * half_scale - magnitude).abs();
            if error < least {
                (code, least) = (candidate, error);
            }
        }
        let sign = if weight < 0.0 && code != 0 { 8 } else { 0 };
        (code | sign) as u8
    })
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
        fn magnitudes_give_the_code_that_all_sixteen_give(bits in any::<[u32; 16]>(), near in proptest::array::uniform16(-8.0_f32..8.0), exponent in any::<u8>()) {
            let halves = near.map(|near| (near * 4.0).round() / 4.0);
            for half_scale in [0.0, 0.75, 1.0, f32::from_bits(u32::from(exponent) << 23)] {
                for weights in [bits.map(f32::from_bits), near, halves, halves.map(|half| half * half_scale)] {
                    prop_assert_eq!(nearest(&weights, half_scale), weights.map(|weight| slowly(weight, half_scale)));
                }
            }
        }
    }
}
