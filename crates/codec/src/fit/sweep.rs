//! The sums of trials that follow one another closely.

use super::levels::{LEVELS, MIDDLES, nearest, terms};
use crate::lanes::Lanes;

/// A block whose trials take the weight of largest magnitude from `FIRST_TRIAL` to `LAST_TRIAL`.
///
/// From the first trial to the last, the magnitude of a weight over its scale shrinks to 120/134 of what it was. No
/// two middles between levels lie that near together, so that every weight goes from its first level to the next one
/// towards zero at most, and all its terms can be worked out beforehand.
pub(super) struct Sweep<L, const N: usize> {
    magnitudes: [L; N],
    /// What the magnitude of the weight over the scale is at least while it has its first level.
    bounds: [L; N],
    /// The terms of the first level, and of the next one.
    outer: [(L, L); N],
    inner: [(L, L); N],
}

impl<L: Lanes, const N: usize> Sweep<L, N> {
    /// The weights are finite. `levels_per_weight` is that of the first trial.
    #[inline(always)]
    pub(super) fn new(x: &[L; N], w: &[L; N], levels_per_weight: L) -> Self {
        let zero = L::zero();
        let mut sweep = Self {
            magnitudes: [zero; N],
            bounds: [zero; N],
            outer: [(zero, zero); N],
            inner: [(zero, zero); N],
        };
        for i in 0..N {
            let code = nearest(levels_per_weight * x[i]);
            sweep.magnitudes[i] = x[i].abs();
            sweep.bounds[i] = L::look_up_16(&INNER_BOUNDS, code);
            sweep.outer[i] = terms(x[i], w[i], L::look_up_16(&LEVELS, code));
            sweep.inner[i] = terms(x[i], w[i], L::look_up_16(&INNER_LEVELS, code));
        }
        sweep
    }

    /// The weighted sums of weights times levels and of levels squared, for some of the trials.
    #[inline(always)]
    pub(super) fn project<const T: usize>(&self, levels_per_weight: &[L; T]) -> [(L, L); T] {
        let mut factors = *levels_per_weight;
        for factor in &mut factors {
            *factor = factor.abs();
        }
        let mut sums = [(L::zero(), L::zero()); T];
        for i in 0..N {
            let (outer, inner) = (self.outer[i], self.inner[i]);
            for (factor, (product, square)) in factors.iter().zip(&mut sums) {
                let inside = (*factor * self.magnitudes[i]).lt(self.bounds[i]);
                *product = *product + L::select(inside, inner.0, outer.0);
                *square = *square + L::select(inside, inner.1, outer.1);
            }
        }
        sums
    }
}

/// The code of the level nearest to zero, which is nearest to numbers of either sign.
const INNERMOST: usize = 8;

/// The next level towards zero.
const INNER_LEVELS: [f32; 16] = {
    let mut levels = LEVELS;
    let mut code = 0;
    while code < 16 {
        if code < INNERMOST {
            levels[code] = LEVELS[code + 1];
        } else if code > INNERMOST {
            levels[code] = LEVELS[code - 1];
        }
        code += 1;
    }
    levels
};

/// The least magnitude to which no level further inside is nearest. A middle belongs to the level above it: among
/// numbers below zero that is the inner one.
const INNER_BOUNDS: [f32; 16] = {
    let mut bounds = [0.0; 16];
    let mut code = 0;
    while code < 16 {
        if code < INNERMOST {
            bounds[code] = (-MIDDLES[code]).next_up();
        } else if code > INNERMOST {
            bounds[code] = MIDDLES[code - 1];
        }
        code += 1;
    }
    bounds
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::levels::{FIRST_TRIAL, LAST_TRIAL};

    #[test]
    fn a_weight_passes_one_middle_at_most() {
        // The quotients and products of two trials are rounded, each by less than a millionth.
        let shrink = f32::from(LAST_TRIAL) / f32::from(FIRST_TRIAL) - 4e-6;
        for pair in MIDDLES.windows(2) {
            let (near, far) = if pair[0] < 0.0 { (-pair[1], -pair[0]) } else { (pair[0], pair[1]) };
            assert!(far * shrink > near, "{pair:?}");
        }
        const { assert!(MIDDLES[INNERMOST - 1] < 0.0 && MIDDLES[INNERMOST] > 0.0) };
    }
}
