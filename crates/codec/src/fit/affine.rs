//! Scale and minimum of codes from zero up. Source: ggml's search for the K types with minimums.

use super::Affine;
use crate::lanes::Lanes;

/// The scales that [`affine`] tries: such that the range takes `largest_code + first + i * step` steps,
/// for i from 0 to `last` inclusive.
pub(crate) struct Trials {
    pub(crate) first: f32,
    pub(crate) step: f32,
    pub(crate) last: u8,
}

impl Trials {
    /// The trials of every type when an importance matrix is given.
    pub(crate) const WITH_IMPORTANCE: Self = Self { first: -0.9, step: 0.05, last: 36 };
}

/// Minimises the sum of `w (x - scale * code - minimum)^2` over codes 0 to `largest_code`, the scale, and a
/// minimum of at most zero.
///
/// Each trial scale rounds the weights to codes; through these the best line is drawn by weighted least squares,
/// and if its minimum is above zero, the best line through the origin. An improvement also moves the minimum from
/// which later trials count, while the maximum stays: trials depend on each other and on their order.
#[inline(always)]
pub(crate) fn affine<L: Lanes, const N: usize>(
    x: &[L; N],
    w: &[L; N],
    largest_code: f32,
    trials: &Trials,
) -> Affine<L, N> {
    search(x, w, largest_code, trials, |difference| difference * difference)
}

/// The same, except that errors count by magnitude and not by square. The lines stay those of least squares.
#[inline(always)]
pub(crate) fn affine_by_magnitude<L: Lanes, const N: usize>(
    x: &[L; N],
    w: &[L; N],
    largest_code: f32,
    trials: &Trials,
) -> Affine<L, N> {
    search(x, w, largest_code, trials, L::abs)
}

#[inline(always)]
fn search<L: Lanes, const N: usize>(
    x: &[L; N],
    w: &[L; N],
    largest_code: f32,
    trials: &Trials,
    loss: impl Fn(L) -> L,
) -> Affine<L, N> {
    let Range { minimum, maximum, sum_w, sum_x } = Range::of(x, w);
    let flat = maximum.eq(minimum);
    let lowest = minimum;

    let mut steps_per_weight = L::splat(largest_code) / (maximum - minimum);
    // Where the best codes count from, and in what: the codes themselves follow from these two.
    let (mut best_origin, mut best_steps) = (minimum, steps_per_weight);
    let (mut scale, mut minimum) = (L::splat(1.0) / steps_per_weight, minimum);
    let mut codes = *x;
    round(x, minimum, steps_per_weight, largest_code, &mut codes);
    let mut best = error(x, w, &codes, scale, minimum, &loss);
    for trial in 0..=trials.last {
        let steps = trials.first + trials.step * f32::from(trial) + largest_code;
        steps_per_weight = L::splat(steps) / (maximum - minimum);
        let sums = round_and_sum(x, w, minimum, steps_per_weight, largest_code, &mut codes);
        let determinant = sum_w * sums.codes_squared - sums.codes * sums.codes;
        let line_scale = (sum_w * sums.codes_times_x - sum_x * sums.codes) / determinant;
        let line_minimum = (sums.codes_squared * sum_x - sums.codes * sums.codes_times_x) / determinant;
        let above_zero = line_minimum.gt(L::zero());
        let line_minimum = L::select(above_zero, L::zero(), line_minimum);
        let line_scale = L::select(above_zero, sums.codes_times_x / sums.codes_squared, line_scale);
        let error = error(x, w, &codes, line_scale, line_minimum, &loss);
        let better = determinant.gt(L::zero()) & error.lt(best);
        best = L::select(better, error, best);
        best_origin = L::select(better, minimum, best_origin);
        best_steps = L::select(better, steps_per_weight, best_steps);
        scale = L::select(better, line_scale, scale);
        minimum = L::select(better, line_minimum, minimum);
    }
    round(x, best_origin, best_steps, largest_code, &mut codes);
    for code in &mut codes {
        *code = L::select(flat, L::zero(), *code);
    }
    Affine { scale: L::select(flat, L::zero(), scale), minimum: L::select(flat, lowest, minimum), codes }
}

/// What the trials have in common.
struct Range<L> {
    /// The smallest weight, or zero.
    minimum: L,
    maximum: L,
    sum_w: L,
    sum_x: L,
}

impl<L: Lanes> Range<L> {
    #[inline(always)]
    fn of<const N: usize>(x: &[L; N], w: &[L; N]) -> Self {
        let (mut minimum, mut maximum) = (x[0], x[0]);
        let mut sum_w = w[0];
        let mut sum_x = sum_w * x[0];
        for (&x, &w) in x.iter().zip(w).skip(1) {
            minimum = L::select(x.lt(minimum), x, minimum);
            maximum = L::select(x.gt(maximum), x, maximum);
            sum_w = sum_w + w;
            sum_x = sum_x + w * x;
        }
        Self { minimum: L::select(minimum.gt(L::zero()), L::zero(), minimum), maximum, sum_w, sum_x }
    }
}

#[inline(always)]
fn round<L: Lanes, const N: usize>(
    x: &[L; N],
    minimum: L,
    steps_per_weight: L,
    largest_code: f32,
    codes: &mut [L; N],
) {
    for (code, &x) in codes.iter_mut().zip(x) {
        *code = (steps_per_weight * (x - minimum)).round_even_within(0.0, largest_code);
    }
}

#[inline(always)]
fn error<L: Lanes, const N: usize>(
    x: &[L; N],
    w: &[L; N],
    codes: &[L; N],
    scale: L,
    minimum: L,
    loss: impl Fn(L) -> L,
) -> L {
    let mut sum = L::zero();
    for ((&x, &w), &code) in x.iter().zip(w).zip(codes) {
        sum = sum + w * loss(scale * code + minimum - x);
    }
    sum
}

/// Weighted sums over the codes of a trial.
struct Sums<L> {
    codes: L,
    codes_squared: L,
    codes_times_x: L,
}

#[inline(always)]
fn round_and_sum<L: Lanes, const N: usize>(
    x: &[L; N],
    w: &[L; N],
    minimum: L,
    steps_per_weight: L,
    largest_code: f32,
    codes: &mut [L; N],
) -> Sums<L> {
    let mut sums = Sums { codes: L::zero(), codes_squared: L::zero(), codes_times_x: L::zero() };
    for ((&x, &w), code) in x.iter().zip(w).zip(codes) {
        *code = (steps_per_weight * (x - minimum)).round_even_within(0.0, largest_code);
        let weighted = w * *code;
        sums.codes = sums.codes + weighted;
        sums.codes_squared = sums.codes_squared + weighted * *code;
        sums.codes_times_x = sums.codes_times_x + weighted * x;
    }
    sums
}
