//! Scale and minimum of codes from zero up. Source: ggml's search for the K types with minimums.
//!
//! Where the codes of a trial count from, and in what, gives the codes again; so these are not kept.

use super::CodeRules;
use super::rounding::{Anything, Floored, Ordinary, Rounding, are_ordinary};
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

/// What the search finds: codes that count steps of `scale` from `minimum` up.
#[derive(Clone, Copy)]
pub(crate) struct Affine<L: Lanes> {
    pub(crate) scale: L,
    pub(crate) minimum: L,
    rule: Rule<L>,
    flat: L::Mask,
}

impl<L: Lanes> Affine<L> {
    /// Zero for everything.
    #[inline(always)]
    pub(crate) fn none() -> Self {
        let zero = L::zero();
        let rule = Rule { origin: zero, steps_per_weight: zero, largest_code: 0.0 };
        Self { scale: zero, minimum: zero, rule, flat: zero.eq(zero) }
    }

    /// What gives the codes of the weights that were searched.
    #[inline(always)]
    pub(crate) fn rules(&self) -> CodeRules {
        CodeRules::new(self.rule.origin, self.rule.steps_per_weight, self.flat)
    }
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
) -> Affine<L> {
    search(x, w, largest_code, trials, |difference| difference * difference)
}

/// The same, except that errors count by magnitude and not by square. The lines stay those of least squares.
#[inline(always)]
pub(crate) fn affine_by_magnitude<L: Lanes, const N: usize>(
    x: &[L; N],
    w: &[L; N],
    largest_code: f32,
    trials: &Trials,
) -> Affine<L> {
    search(x, w, largest_code, trials, L::abs)
}

#[inline(always)]
fn search<L: Lanes, const N: usize>(
    x: &[L; N],
    w: &[L; N],
    largest_code: f32,
    trials: &Trials,
    loss: impl Fn(L) -> L,
) -> Affine<L> {
    let range = Range::of(x, w);
    let Range { lowest, highest, sum_w, sum_x } = range;
    let mut minimum = L::select(lowest.gt(L::zero()), L::zero(), lowest);
    let flat = highest.eq(minimum);
    let flat_minimum = minimum;

    let mut codes = *x;
    let mut rule = Rule::new(largest_code, minimum, highest, largest_code);
    rule.round_and_sum(x, w, &range, flat, &mut codes);
    let mut scale = L::splat(1.0) / rule.steps_per_weight;
    let mut best = error(x, w, &codes, scale, minimum, &loss);
    for trial in 0..=trials.last {
        let steps = trials.first + trials.step * f32::from(trial) + largest_code;
        let trial_rule = Rule::new(steps, minimum, highest, largest_code);
        let sums = trial_rule.round_and_sum(x, w, &range, flat, &mut codes);
        let determinant = sum_w * sums.codes_squared - sums.codes * sums.codes;
        let line_scale = (sum_w * sums.codes_times_x - sum_x * sums.codes) / determinant;
        let line_minimum = (sums.codes_squared * sum_x - sums.codes * sums.codes_times_x) / determinant;
        let above_zero = line_minimum.gt(L::zero());
        let line_minimum = L::select(above_zero, L::zero(), line_minimum);
        let line_scale = L::select(above_zero, sums.codes_times_x / sums.codes_squared, line_scale);
        let error = error(x, w, &codes, line_scale, line_minimum, &loss);
        let better = determinant.gt(L::zero()) & error.lt(best);
        best = L::select(better, error, best);
        rule.origin = L::select(better, trial_rule.origin, rule.origin);
        rule.steps_per_weight = L::select(better, trial_rule.steps_per_weight, rule.steps_per_weight);
        scale = L::select(better, line_scale, scale);
        minimum = L::select(better, line_minimum, minimum);
    }
    let (scale, minimum) = (L::select(flat, L::zero(), scale), L::select(flat, flat_minimum, minimum));
    Affine { scale, minimum, rule, flat }
}

/// What the trials have in common.
struct Range<L> {
    lowest: L,
    highest: L,
    sum_w: L,
    sum_x: L,
}

impl<L: Lanes> Range<L> {
    #[inline(always)]
    fn of<const N: usize>(x: &[L; N], w: &[L; N]) -> Self {
        let (mut lowest, mut highest) = (x[0], x[0]);
        let mut sum_w = w[0];
        let mut sum_x = sum_w * x[0];
        for (&x, &w) in x.iter().zip(w).skip(1) {
            lowest = x.if_less(lowest);
            highest = x.if_greater(highest);
            sum_w = sum_w + w;
            sum_x = sum_x + w * x;
        }
        Self { lowest, highest, sum_w, sum_x }
    }
}

/// How weights become codes.
#[derive(Clone, Copy)]
struct Rule<L> {
    /// What has the code zero.
    origin: L,
    steps_per_weight: L,
    largest_code: f32,
}

impl<L: Lanes> Rule<L> {
    /// What is between `origin` and `highest` takes this many steps.
    #[inline(always)]
    fn new(steps: f32, origin: L, highest: L, largest_code: f32) -> Self {
        Self { origin, steps_per_weight: L::splat(steps) / (highest - origin), largest_code }
    }

    #[inline(always)]
    fn steps(&self, x: L) -> L {
        self.steps_per_weight * (x - self.origin)
    }

    #[inline(always)]
    fn code<R: Rounding>(&self, x: L) -> L {
        R::round(self.steps(x), 0.0, self.largest_code)
    }

    /// Rounds the weights to codes, and sums over these. What becomes of flat blocks does not matter.
    #[inline(always)]
    fn round_and_sum<const N: usize>(
        &self,
        x: &[L; N],
        w: &[L; N],
        range: &Range<L>,
        flat: L::Mask,
        codes: &mut [L; N],
    ) -> Sums<L> {
        // Steps rise or fall with the weights, also when rounded. So these two bound them all, unless a weight is
        // not a number, and then neither is the sum.
        let bounds = [self.steps(range.lowest), self.steps(range.highest)];
        let ordinary = are_ordinary(bounds[0]) & are_ordinary(bounds[1]) & range.sum_x.eq(range.sum_x);
        let over = L::splat(self.largest_code + 0.5);
        if L::any(!(ordinary | flat)) {
            self.sums::<Anything, N>(x, w, codes)
        } else if L::any(!(bounds[0].lt(over) & bounds[1].lt(over) | flat)) {
            self.sums::<Ordinary, N>(x, w, codes)
        } else {
            self.sums::<Floored, N>(x, w, codes)
        }
    }

    #[inline(always)]
    fn sums<R: Rounding, const N: usize>(&self, x: &[L; N], w: &[L; N], codes: &mut [L; N]) -> Sums<L> {
        let mut sums = Sums { codes: L::zero(), codes_squared: L::zero(), codes_times_x: L::zero() };
        for ((&x, &w), code) in x.iter().zip(w).zip(codes) {
            *code = self.code::<R>(x);
            let weighted = w * *code;
            sums.codes = sums.codes + weighted;
            sums.codes_squared = sums.codes_squared + weighted * *code;
            sums.codes_times_x = sums.codes_times_x + weighted * x;
        }
        sums
    }
}

/// Weighted sums over the codes of a trial.
struct Sums<L> {
    codes: L,
    codes_squared: L,
    codes_times_x: L,
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
