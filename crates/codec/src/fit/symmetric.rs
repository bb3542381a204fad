//! The scale of codes with a fixed zero point. Source: ggml's search for the symmetric K types.

use super::rounding::{Anything, Capped, Limited, Limits, Rounding, Unlimited};
use super::{CodeRules, NEGLIGIBLE};
use crate::lanes::Lanes;

/// What the search finds: codes that count steps of `scale`, from `-half` up.
#[derive(Clone, Copy)]
pub(crate) struct Symmetric<L: Lanes> {
    pub(crate) scale: L,
    steps_per_weight: L,
    half: f32,
    negligible: L::Mask,
}

impl<L: Lanes> Symmetric<L> {
    /// Zero for everything.
    #[inline(always)]
    pub(crate) fn none() -> Self {
        let zero = L::zero();
        Self { scale: zero, steps_per_weight: zero, half: 0.0, negligible: zero.eq(zero) }
    }

    /// The codes of the weights that were searched.
    #[inline(always)]
    pub(crate) fn codes<const N: usize>(&self, x: &[L; N]) -> [L; N] {
        let mut codes = *x;
        for code in &mut codes {
            let rounded = (self.steps_per_weight * *code).round_even_within(-self.half, self.half - 1.0);
            *code = L::select(self.negligible, L::zero(), rounded + L::splat(self.half));
        }
        codes
    }

    /// What gives these codes.
    #[inline(always)]
    pub(crate) fn rules(&self) -> CodeRules {
        CodeRules::new(L::zero(), self.steps_per_weight, self.negligible)
    }
}

impl<L: Lanes> Symmetric<L> {
    /// What the extreme is to be in a trial, in steps.
    #[inline(always)]
    fn steps(&self, tenths: i8) -> L {
        L::splat(-(self.half + 0.1 * f32::from(tenths)))
    }

    /// The codes that put `extreme` at `-half`, and the product of their scale.
    #[inline(always)]
    fn first<R: Rounding, const N: usize>(self, block: &Block<'_, L, N>, extreme: L) -> (Self, L) {
        let steps_per_weight = self.steps(0) / extreme;
        let [(product, square)] = block.project::<R, 1>(&[steps_per_weight], self.half);
        let scale = L::select(square.eq(L::zero()), L::zero(), product / square);
        (Self { scale, steps_per_weight, ..self }, scale * product)
    }

    /// Takes each trial that is better than all before: those that put `extreme` at `-half` and so many tenths of a
    /// step below. Three go side by side, so that the sums of one can be worked at while those of the others wait.
    #[inline(always)]
    fn improve<R: Rounding, const N: usize>(
        &mut self,
        block: &Block<'_, L, N>,
        extreme: L,
        tenths: &[[i8; 3]],
        best: &mut L,
    ) {
        for tenths in tenths {
            let mut trials = [L::zero(); 3];
            for (steps_per_weight, &tenths) in trials.iter_mut().zip(tenths) {
                *steps_per_weight = self.steps(tenths) / extreme;
            }
            let sums = block.project::<R, 3>(&trials, self.half);
            for (steps_per_weight, (product, square)) in trials.into_iter().zip(sums) {
                let better = square.gt(L::zero()) & (product * product).gt(*best * square);
                self.steps_per_weight = L::select(better, steps_per_weight, self.steps_per_weight);
                self.scale = L::select(better, product / square, self.scale);
                *best = L::select(better, self.scale * product, *best);
            }
        }
    }
}

/// Minimises the sum of `w (x - scale * (code - half))^2` over codes 0 to 2 half - 1 and the scale.
///
/// For given codes `l = code - half` the best scale is `sum(w x l) / sum(w l l)`, and the error is smallest where
/// `sum(w x l)^2 / sum(w l l)` is largest. Nineteen sets of codes are tried: the ones that put the weight of
/// largest magnitude 0.9 steps below to 0.9 above `-half`. A block of negligible weights gets scale 0 and
/// code 0 everywhere, which is not the code of zero.
#[inline(always)]
pub(crate) fn symmetric<L: Lanes, const N: usize>(x: &[L; N], w: &[L; N], half: f32) -> Symmetric<L> {
    let (mut extreme, mut wx) = (Extreme::none(), [L::zero(); N]);
    for ((wx, &w), &x) in wx.iter_mut().zip(w).zip(x) {
        extreme.see(x);
        *wx = w * x;
    }
    let Extreme { value: extreme, magnitude } = extreme;
    let negligible = magnitude.lt(L::splat(NEGLIGIBLE));
    let block = Block { x, w, wx: &wx, limits: limits(extreme, half) };

    let none = Symmetric { half, negligible, ..Symmetric::none() };
    let (mut found, mut best) = none.first::<Limited, N>(&block, extreme);
    // Unless a weight is infinite or not a number, none takes more steps than the extreme. Where that takes
    // `half - 0.6` or fewer, codes need no limits, and only the higher one where it takes up to `half + 0.4`. Beyond,
    // they would need both. To limit weights takes a third of that then, as it serves three trials; and less than one
    // limit of codes, so that it is done wherever it is the same: see `limits`.
    let ordinary = magnitude.lt(L::splat(f32::INFINITY)) & best.eq(best);
    if L::any(!(ordinary | negligible)) {
        (found, best) = none.first::<Anything, N>(&block, extreme);
        let all = [[-9, -8, -7], [-6, -5, -4], [-3, -2, -1], [1, 2, 3], [4, 5, 6], [7, 8, 9]];
        found.improve::<Anything, N>(&block, extreme, &all, &mut best);
    } else {
        found.improve::<Unlimited, N>(&block, extreme, &[[-9, -8, -7]], &mut best);
        found.improve::<Capped, N>(&block, extreme, &[[-6, -5, -4], [-3, -2, -1]], &mut best);
        found.improve::<Limited, N>(&block, extreme, &[[1, 2, 3], [4, 5, 6], [7, 8, 9]], &mut best);
    }
    found.scale = L::select(negligible, L::zero(), found.scale);
    found
}

/// What the weights are limited to in trials from a tenth of a step above `-half` to nine below: what takes as many
/// steps as the codes reach where the extreme is put four tenths below.
///
/// A weight at its limit takes less than half a step more or less than the last code, so it is rounded to that. A
/// weight further out should be, and one further in is left as it is. Two tenths above `-half` that is no longer so: of
/// `half` steps the limit takes less than `half - 0.5` there.
#[inline(always)]
fn limits<L: Lanes>(extreme: L, half: f32) -> Limits<L> {
    let steps = half + 0.4;
    let (near, far) = (extreme * L::splat(half / steps), extreme * L::splat((1.0 - half) / steps));
    let positive = extreme.gt(L::zero());
    Limits { lowest: L::select(positive, far, near), highest: L::select(positive, near, far) }
}

/// The first value of largest magnitude, or zero when there is none above zero. NaN are passed over.
#[inline(always)]
pub(crate) fn extreme<L: Lanes>(values: &[L]) -> L {
    let mut extreme = Extreme::none();
    for &value in values {
        extreme.see(value);
    }
    extreme.value
}

/// The same, of the values seen so far.
pub(super) struct Extreme<L> {
    pub(super) value: L,
    pub(super) magnitude: L,
}

impl<L: Lanes> Extreme<L> {
    #[inline(always)]
    pub(super) fn none() -> Self {
        Self { value: L::zero(), magnitude: L::zero() }
    }

    #[inline(always)]
    pub(super) fn see(&mut self, value: L) {
        let larger = value.abs().gt(self.magnitude);
        self.value = L::select(larger, value, self.value);
        self.magnitude = value.abs().if_greater(self.magnitude);
    }
}

/// What the trials have in common.
struct Block<'a, L, const N: usize> {
    x: &'a [L; N],
    w: &'a [L; N],
    /// Their products.
    wx: &'a [L; N],
    /// What the weights are limited to where that is what limits the codes.
    limits: Limits<L>,
}

impl<L: Lanes, const N: usize> Block<'_, L, N> {
    /// The weighted sums of weights times codes and of codes squared, for some of the trials.
    #[inline(always)]
    fn project<R: Rounding, const T: usize>(&self, steps_per_weight: &[L; T], half: f32) -> [(L, L); T] {
        let mut sums = [(L::zero(), L::zero()); T];
        for ((&x, &w), &wx) in self.x.iter().zip(self.w).zip(self.wx) {
            let x = R::limit(x, &self.limits);
            for (&steps_per_weight, (product, square)) in steps_per_weight.iter().zip(&mut sums) {
                let steps = R::round(steps_per_weight * x, -half, half - 1.0);
                *product = *product + wx * steps;
                *square = *square + w * steps * steps;
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests;
