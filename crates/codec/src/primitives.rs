//! Roundings, maxima and sums, each exactly as the reference computes it, also where that differs from the
//! standard library: outside the range of the result, and for NaN.

/// Rounds to nearest, ties to even, by adding and removing 1.5 * 2^23.
///
/// Exact for |value| up to 4194303. Beyond, the low bits of the sum come through, and encoders of the reference
/// let them: infinities give -4194304, a NaN without payload gives 0.
#[inline]
pub(crate) fn round_even(value: f32) -> i32 {
    let shifted = (value + 12_582_912.0).to_bits();
    (shifted & 0x007F_FFFF) as i32 - 0x0040_0000
}

/// Cuts towards zero. What does not fit, NaN included, gives `i32::MIN`, as the x86 conversion does;
/// `as i32` would saturate.
#[inline]
pub(crate) fn truncate(value: f32) -> i32 {
    if (-2_147_483_648.0..2_147_483_648.0).contains(&value) { value as i32 } else { i32::MIN }
}

/// Rounds half away from zero and keeps the low byte. What does not fit an `i32` gives zero.
#[inline(always)]
pub(crate) fn round_away<const N: usize>(values: &[f32; N]) -> [i8; N] {
    // For numbers this small, adding the float just below one half and cutting is `f32::round`, but vectorises.
    if values.iter().fold(true, |all, value| all & (value.abs() < 128.0)) {
        values.map(|value| (value + 0.499_999_97_f32.copysign(value)) as i32 as i8)
    } else {
        values.map(|value| truncate(value.round()) as i8)
    }
}

/// `1 / value`, or zero for a zero of either sign. A NaN stays one.
#[inline]
pub(crate) fn inverse_or_zero(value: f32) -> f32 {
    if value == 0.0 { 0.0 } else { 1.0 / value }
}

/// The first value of largest magnitude, or zero when there is none above zero. NaN are passed over.
#[inline]
pub(crate) fn extreme(values: &[f32]) -> f32 {
    let mut extreme = 0.0_f32;
    for &value in values {
        if value.abs() > extreme.abs() {
            extreme = value;
        }
    }
    extreme
}

/// The largest value above zero, or zero, except that a NaN takes the place of what came before it and gives way
/// to what comes after it.
#[inline]
pub(crate) fn largest_since_nan(values: impl IntoIterator<Item = f32>) -> f32 {
    values.into_iter().fold(0.0, |largest, value| if largest > value { largest } else { value })
}

/// The largest magnitude, or zero. NaN are passed over.
///
/// Magnitudes compare like their bits, and a loop over integers vectorises; so for the one below.
#[inline(always)]
pub(crate) fn magnitude(values: &[f32]) -> f32 {
    const INFINITY: u32 = f32::INFINITY.to_bits();
    f32::from_bits(values.iter().fold(0, |largest, value| {
        let bits = value.abs().to_bits();
        largest.max(if bits > INFINITY { 0 } else { bits })
    }))
}

/// The [`largest_since_nan`] of the magnitudes.
#[inline(always)]
pub(crate) fn magnitude_since_nan(values: &[f32]) -> f32 {
    let bits = values.iter().fold(0, |largest, value| value.abs().to_bits().max(largest));
    if f32::from_bits(bits).is_nan() {
        largest_since_nan(values.iter().map(|value| value.abs()))
    } else {
        f32::from_bits(bits)
    }
}

/// The sum from 0.0 in index order. `Iterator::sum` starts from -0.0.
#[inline]
pub(crate) fn sum(values: impl IntoIterator<Item = f32>) -> f32 {
    values.into_iter().fold(0.0, |sum, value| sum + value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn round_even_is_the_standard_rounding_where_it_is_exact(value in -4_194_303.0_f32..4_194_303.0) {
            prop_assert_eq!(round_even(value), value.round_ties_even() as i32);
        }

        #[test]
        fn truncate_differs_from_a_cast_only_where_the_cast_saturates(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            let fits = f64::from(value).abs() < 2_147_483_648.0;
            prop_assert_eq!(truncate(value), if fits { value as i32 } else { i32::MIN });
        }

        #[test]
        fn rounding_by_cutting_is_rounding_half_away_from_zero(
            values in proptest::array::uniform32(-127.9_f32..127.9),
            halves in any::<[i8; 32]>(),
            bits in any::<[u32; 32]>(),
        ) {
            let halves = halves.map(|half| f32::from(half) / 2.0);
            let (below, any) = (halves.map(f32::next_down), bits.map(f32::from_bits));
            for values in [values, halves, below, any] {
                prop_assert_eq!(round_away(&values), values.map(|value| truncate(value.round()) as i8));
            }
        }

        #[test]
        fn magnitudes_are_the_maxima_of_absolute_values(mut values in any::<[f32; 16]>(), nan in 0_usize..20) {
            if let Some(value) = values.get_mut(nan) {
                *value = -f32::NAN;
            }
            let absolute = values.map(f32::abs);
            // `f32::max` passes NaN over.
            prop_assert_eq!(magnitude(&values), absolute.iter().copied().fold(0.0, f32::max));
            prop_assert_eq!(magnitude_since_nan(&values).to_bits(), largest_since_nan(absolute).to_bits());
        }
    }

    #[test]
    fn roundings_outside_their_range_are_those_of_the_reference() {
        let cases =
            [(f32::INFINITY, -4_194_304), (f32::NEG_INFINITY, -4_194_304), (f32::from_bits(0x7FC0_0000), 0)];
        for (value, rounded) in cases {
            assert_eq!(round_even(value), rounded, "{value}");
            assert_eq!(truncate(value), i32::MIN, "{value}");
        }
        assert_eq!((round_even(0.5), round_even(1.5), round_even(-2.5)), (0, 2, -2));
    }

    #[test]
    fn maxima_differ_in_what_a_nan_does() {
        let values = [3.0, -5.0, 5.0, f32::NAN, 2.0];
        assert_eq!(extreme(&values), -5.0);
        assert_eq!(largest_since_nan(values), 2.0);
        assert!(largest_since_nan([1.0, f32::NAN]).is_nan());
        assert_eq!(extreme(&[f32::NAN, -0.0]).to_bits(), 0);
    }
}
