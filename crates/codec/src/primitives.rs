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

/// The largest value above zero, or zero. NaN are passed over.
#[inline]
pub(crate) fn largest(values: &[f32]) -> f32 {
    let mut largest = 0.0;
    for &value in values {
        if value > largest {
            largest = value;
        }
    }
    largest
}

/// The largest value above zero, or zero, except that a NaN takes the place of what came before it and gives way
/// to what comes after it.
#[inline]
pub(crate) fn largest_since_nan(values: impl IntoIterator<Item = f32>) -> f32 {
    values.into_iter().fold(0.0, |largest, value| if largest > value { largest } else { value })
}

/// The sum from 0.0 in index order. `Iterator::sum` starts from -0.0.
#[inline]
pub(crate) fn sum(values: impl IntoIterator<Item = f32>) -> f32 {
    values.into_iter().fold(0.0, |sum, value| sum + value)
}

/// The sum of squares in index order.
#[inline]
pub(crate) fn sum_of_squares(values: &[f32]) -> f32 {
    sum(values.iter().map(|value| value * value))
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
        assert_eq!(largest(&values), 5.0);
        assert_eq!(largest_since_nan(values), 2.0);
        assert!(largest_since_nan([1.0, f32::NAN]).is_nan());
        assert_eq!(extreme(&[f32::NAN, -0.0]).to_bits(), 0);
    }
}
