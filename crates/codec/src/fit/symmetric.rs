//! The scale of codes with a fixed zero point. Source: ggml's search for the symmetric K types.

use super::NEGLIGIBLE;
use super::rounding::{Anything, Capped, Ordinary, Rounding, Unlimited};
use crate::lanes::{Lanes, Pair, numbers};

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
        self.replace_by_codes(&mut codes);
        codes
    }

    /// The same in place.
    #[inline(always)]
    pub(crate) fn replace_by_codes(&self, x: &mut [L]) {
        for x in x {
            *x = self.code(*x);
        }
    }

    /// The code of one of them.
    #[inline(always)]
    pub(crate) fn code(&self, x: L) -> L {
        let rounded = (self.steps_per_weight * x).round_even_within(-self.half, self.half - 1.0);
        L::select(self.negligible, L::zero(), rounded + L::splat(self.half))
    }
}

impl<L: Lanes> Symmetric<Pair<L>> {
    /// The fits of the first lanes, and of the second.
    #[inline(always)]
    pub(crate) fn split(self) -> [Symmetric<L>; 2] {
        let Self { scale, steps_per_weight, half, negligible } = self;
        [
            Symmetric {
                scale: scale.0,
                steps_per_weight: steps_per_weight.0,
                half,
                negligible: negligible.0,
            },
            Symmetric {
                scale: scale.1,
                steps_per_weight: steps_per_weight.1,
                half,
                negligible: negligible.1,
            },
        ]
    }
}

impl<L: Lanes> Symmetric<L> {
    /// The fit of the block in one lane, in all lanes.
    #[inline(always)]
    pub(crate) fn of_block(&self, lane: usize) -> Self {
        let negligible = L::bits(self.negligible) >> lane & 1 == 1;
        Self {
            scale: L::splat(numbers(self.scale)[lane]),
            steps_per_weight: L::splat(numbers(self.steps_per_weight)[lane]),
            half: self.half,
            negligible: L::mask(if negligible { u32::MAX } else { 0 }),
        }
    }

    /// What the extreme is to be in a trial, in steps.
    #[inline(always)]
    fn steps(&self, tenths: i8) -> L {
        L::splat(-(self.half + 0.1 * f32::from(tenths)))
    }

    /// Takes each trial that is better than all before: those that put `extreme` at `-half` and so many tenths of a
    /// step below. Two go side by side, so that the sums of one can be worked at while those of the other wait.
    #[inline(always)]
    fn improve<R: Rounding, const N: usize>(
        &mut self,
        block: &Block<'_, L, N>,
        extreme: L,
        tenths: &[[i8; 2]],
        best: &mut L,
    ) {
        for &[first, second] in tenths {
            let [first, second] = [self.steps(first) / extreme, self.steps(second) / extreme];
            let (products, squares) = block.project::<Pair<L>, R>(Pair(first, second), self.half);
            for (steps, product, square) in [(first, products.0, squares.0), (second, products.1, squares.1)]
            {
                let better = square.gt(L::zero()) & (product * product).gt(*best * square);
                self.steps_per_weight = L::select(better, steps, self.steps_per_weight);
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
    let extreme = extreme(x);
    let negligible = extreme.abs().lt(L::splat(NEGLIGIBLE));
    let mut wx = [L::zero(); N];
    for ((wx, &w), &x) in wx.iter_mut().zip(w).zip(x) {
        *wx = w * x;
    }
    let block = Block { x, w, wx: &wx };

    let mut found = Symmetric { half, negligible, ..Symmetric::none() };
    found.steps_per_weight = L::splat(-half) / extreme;
    let (product, square) = block.project::<L, Anything>(found.steps_per_weight, half);
    found.scale = L::select(square.eq(L::zero()), L::zero(), product / square);
    let mut best = found.scale * product;
    // Unless a weight is infinite or not a number, no step is above that of the extreme, and some limits are beyond
    // all steps: those of `half - 0.6` and below, or of `half + 0.4` and below, are rounded inside them.
    let ordinary = extreme.abs().lt(L::splat(f32::INFINITY)) & product.eq(product);
    if L::any(!(ordinary | negligible)) {
        let all = [[-9, -8], [-7, -6], [-5, -4], [-3, -2], [-1, 1], [2, 3], [4, 5], [6, 7], [8, 9]];
        found.improve::<Anything, N>(&block, extreme, &all, &mut best);
    } else {
        found.improve::<Unlimited, N>(&block, extreme, &[[-9, -8], [-7, -6]], &mut best);
        found.improve::<Capped, N>(&block, extreme, &[[-5, -4], [-3, -2], [-1, 1], [2, 3]], &mut best);
        found.improve::<Ordinary, N>(&block, extreme, &[[4, 5], [6, 7], [8, 9]], &mut best);
    }
    found.scale = L::select(negligible, L::zero(), found.scale);
    found
}

/// The first value of largest magnitude, or zero when there is none above zero. NaN are passed over.
#[inline(always)]
pub(crate) fn extreme<L: Lanes>(values: &[L]) -> L {
    let (mut extreme, mut magnitude) = (L::zero(), L::zero());
    for &value in values {
        let larger = value.abs().gt(magnitude);
        extreme = L::select(larger, value, extreme);
        magnitude = value.abs().if_greater(magnitude);
    }
    extreme
}

/// What the trials have in common.
struct Block<'a, L, const N: usize> {
    x: &'a [L; N],
    w: &'a [L; N],
    /// Their products.
    wx: &'a [L; N],
}

impl<L: Lanes, const N: usize> Block<'_, L, N> {
    /// The weighted sums of weights times codes and of codes squared; of one trial, or of several side by side.
    #[inline(always)]
    fn project<T: Lanes + From<L>, R: Rounding>(&self, steps_per_weight: T, half: f32) -> (T, T) {
        let (mut product, mut square) = (T::zero(), T::zero());
        for ((&x, &w), &wx) in self.x.iter().zip(self.w).zip(self.wx) {
            let steps = R::round(steps_per_weight * T::from(x), -half, half - 1.0);
            product = product + T::from(wx) * steps;
            square = square + T::from(w) * steps * steps;
        }
        (product, square)
    }
}
