//! Scale and minimum of codes from zero up. Source: ggml's search for the K types with minimums.

use super::Affine;
use crate::primitives::round_even;

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
pub(crate) fn affine<const N: usize>(
    x: &[f32; N],
    w: &[f32; N],
    largest_code: i32,
    trials: &Trials,
) -> Affine<N> {
    let (mut minimum, mut maximum) = (x[0], x[0]);
    let mut sum_w = w[0];
    let mut sum_x = sum_w * x[0];
    for (&x, w) in x.iter().zip(w).skip(1) {
        if x < minimum {
            minimum = x;
        }
        if x > maximum {
            maximum = x;
        }
        sum_w += w;
        sum_x += w * x;
    }
    if minimum > 0.0 {
        minimum = 0.0;
    }
    if maximum == minimum {
        return Affine { scale: 0.0, minimum, codes: [0; N] };
    }
    let steps = largest_code as f32;
    let steps_per_weight = steps / (maximum - minimum);
    let mut scale = 1.0 / steps_per_weight;
    let mut codes = round(x, minimum, steps_per_weight, largest_code);
    let mut best = error(x, w, &codes, scale, minimum);
    for trial in 0..=trials.last {
        let steps_per_weight = (trials.first + trials.step * f32::from(trial) + steps) / (maximum - minimum);
        let tried = round(x, minimum, steps_per_weight, largest_code);
        let sums = Sums::new(x, w, &tried);
        let determinant = sum_w * sums.codes_squared - sums.codes * sums.codes;
        if determinant > 0.0 {
            let mut line_scale = (sum_w * sums.codes_times_x - sum_x * sums.codes) / determinant;
            let mut line_minimum =
                (sums.codes_squared * sum_x - sums.codes * sums.codes_times_x) / determinant;
            if line_minimum > 0.0 {
                line_minimum = 0.0;
                line_scale = sums.codes_times_x / sums.codes_squared;
            }
            let error = error(x, w, &tried, line_scale, line_minimum);
            if error < best {
                best = error;
                codes = tried;
                scale = line_scale;
                minimum = line_minimum;
            }
        }
    }
    Affine { scale, minimum, codes }
}

fn round<const N: usize>(x: &[f32; N], minimum: f32, steps_per_weight: f32, largest_code: i32) -> [u8; N] {
    x.map(|x| round_even(steps_per_weight * (x - minimum)).min(largest_code).max(0) as u8)
}

fn error<const N: usize>(x: &[f32; N], w: &[f32; N], codes: &[u8; N], scale: f32, minimum: f32) -> f32 {
    let mut sum = 0.0;
    for ((x, w), code) in x.iter().zip(w).zip(codes) {
        let difference = scale * f32::from(*code) + minimum - x;
        sum += w * (difference * difference);
    }
    sum
}

/// Weighted sums over the codes of a trial.
#[derive(Default)]
struct Sums {
    codes: f32,
    codes_squared: f32,
    codes_times_x: f32,
}

impl Sums {
    fn new<const N: usize>(x: &[f32; N], w: &[f32; N], codes: &[u8; N]) -> Self {
        let mut sums = Self::default();
        for ((x, w), code) in x.iter().zip(w).zip(codes) {
            let code = f32::from(*code);
            sums.codes += w * code;
            sums.codes_squared += w * code * code;
            sums.codes_times_x += w * code * x;
        }
        sums
    }
}
