//! How scales and minimums are chosen: each file holds one way, named for the model it fits.
//!
//! | file | model of a weight | minimises |
//! |---|---|---|
//! | `direct` | `scale * code` or `scale * code + minimum` | nothing: the range decides |
//! | `symmetric` | `scale * (code - half)` | the weighted squared error over 19 trial scales |
//! | `affine` | `scale * code + minimum` | the weighted squared error over trial scales, line fitted for each |
//! | `descent` | `scale * (code - half)` | the same for weights of their own square, code by code |
//! | `levels` | `scale * level` | the weighted squared error over 16 trial scales |
//! | `nonnegative` | `scale * code` | the weighted squared error over 9 trial scales, then code by code |
//!
//! A search sees a block or sub-block as an array of fixed length, one block per lane, and nothing else. The
//! sequence of operations in a lane is the reference's, sums in index order. What the reference skips for one
//! block is computed and not taken.

mod affine;
mod descent;
mod direct;
mod levels;
mod nonnegative;
mod rounding;
mod symmetric;

use crate::lanes::Lanes;
use crate::primitives::sum_of_squares;

pub(crate) use affine::{Affine, Trials, affine, affine_by_magnitude};
pub(crate) use descent::descent;
pub(crate) use direct::{direct_affine, direct_symmetric};
pub(crate) use levels::{levels, nearest_codes};
pub(crate) use nonnegative::nonnegative;
pub(crate) use symmetric::{extreme, symmetric};

/// Codes and the scale they count in. What code stands for zero is part of the fit that made them. Codes are whole
/// numbers from 0 to 255.
pub(crate) struct Scaled<L, const N: usize> {
    pub(crate) scale: L,
    pub(crate) codes: [L; N],
}

/// One block after its fit, out of its lane.
pub(crate) struct Fitted<const N: usize> {
    pub(crate) scale: f32,
    /// Zero in types without.
    pub(crate) minimum: f32,
    pub(crate) codes: [u8; N],
}

/// Magnitudes below this are taken as zero by the searches.
pub(crate) const NEGLIGIBLE: f32 = 1e-15;

/// The variance that [`importance_weights`] takes from a row of a type without super-blocks.
pub(crate) fn mean_square(row: &[f32]) -> f32 {
    sum_of_squares(row) / row.len() as f32
}

/// How much the error of each weight counts: its importance, times a magnitude that is bounded from below by the
/// root of `variance` so that small weights count too.
#[inline(always)]
pub(crate) fn importance_weights<L: Lanes, const N: usize>(
    importance: &[L; N],
    variance: L,
    x: &[L; N],
) -> [L; N] {
    let mut w = *importance;
    for (w, &x) in w.iter_mut().zip(x) {
        *w = *w * (variance + x * x).sqrt();
    }
    w
}
