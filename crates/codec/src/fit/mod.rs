//! How scales and minimums are chosen. Each way has a file, named for the model it fits:
//!
//! | file | model of a weight | minimises |
//! |---|---|---|
//! | `symmetric` | `scale * (code - half)` | the weighted squared error over 19 trial scales |
//! | `affine` | `scale * code + minimum` | the weighted squared error over trial scales, line fitted for each |
//! | `descent` | `scale * (code - half)` | the same for weights of their own square, code by code |
//! | `levels` | `scale * level` | the weighted squared error over 16 trial scales |
//! | `nonnegative` | `scale * code` | the weighted squared error over 9 trial scales, then code by code |
//!
//! Of the other files `first_step` tells which blocks need a descent, `rounding` has the ways in which trials round,
//! `sweep` the sums of the trials of `levels`, and `rules` what gives the codes of K types again once their scales are
//! stored.
//!
//! A search sees a block or sub-block as an array of fixed length, one block per lane, and nothing else. The
//! sequence of operations in a lane is the reference's, sums in index order. What the reference skips for one
//! block is computed and not taken.

mod affine;
mod descent;
mod first_step;
mod levels;
mod nonnegative;
mod rounding;
mod rules;
mod sweep;
mod symmetric;

use briq_format::block::Block;
use briq_format::scalar::F16;

use crate::lanes::Lanes;

pub(crate) use affine::{Affine, Trials, affine, affine_by_magnitude};
pub(crate) use descent::descents;
pub(crate) use first_step::first_step;
pub(crate) use levels::{levels, nearest_codes};
pub(crate) use nonnegative::{largest_since_nan, nonnegative};
pub(crate) use rules::{CodeRules, Found, Reach, Stored};
pub(crate) use symmetric::{extreme, symmetric};

/// Codes and the scale they count in. What code stands for zero is part of the fit that made them. Codes are whole
/// numbers from 0 to 255.
pub(crate) struct Scaled<L, const N: usize> {
    pub(crate) scale: L,
    pub(crate) codes: [L; N],
}

/// A block that is made of the fit of its 32 weights.
pub(crate) trait FromFit: Block {
    /// Puts the parts where they belong. `minimum` is of no interest to types without. Mark it, and all it calls,
    /// `#[inline(always)]`.
    fn from_fit(scale: F16, minimum: F16, codes: &[u8; 32]) -> Self;
}

/// Magnitudes below this are taken as zero by the searches.
pub(crate) const NEGLIGIBLE: f32 = 1e-15;

/// A limit below everything that is rounded.
pub(crate) const NO_LIMIT: f32 = -4_194_304.0;

/// How much the error of each weight counts: its importance, times a magnitude that is bounded from below by the
/// root of `variance` so that small weights count too.
#[inline(always)]
pub(crate) fn importance_weights<L: Lanes, const N: usize>(
    importance: &[L; N],
    variance: L,
    x: &[L; N],
) -> [L; N] {
    let mut w = *importance;
    weigh(&mut w, variance, x);
    w
}

/// The same in place: makes of the importance in `w` how much the error counts.
#[inline(always)]
pub(crate) fn weigh<L: Lanes, const N: usize>(w: &mut [L; N], variance: L, x: &[L; N]) {
    for (w, &x) in w.iter_mut().zip(x) {
        *w = *w * (variance + x * x).sqrt();
    }
}
