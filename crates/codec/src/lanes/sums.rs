//! Sums over elements, in index order.

use super::Lanes;

/// The sum, lane by lane.
#[inline(always)]
pub(crate) fn sum<L: Lanes>(values: &[L]) -> L {
    let mut sum = L::zero();
    for &value in values {
        sum = sum + value;
    }
    sum
}

/// The sum of squares, lane by lane.
#[inline(always)]
pub(crate) fn sum_of_squares<L: Lanes>(values: &[L]) -> L {
    let mut sum = L::zero();
    for &value in values {
        sum = sum + value * value;
    }
    sum
}

/// The squares.
#[inline(always)]
pub(crate) fn squares<L: Lanes, const N: usize>(values: &[L; N]) -> [L; N] {
    let mut squares = *values;
    for value in &mut squares {
        *value = *value * *value;
    }
    squares
}
