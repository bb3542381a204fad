//! How scales and minimums are chosen: each file holds one way, named for the model it fits.
//!
//! | file | model of a weight | minimises |
//! |---|---|---|
//! | `direct` | `scale * code` or `scale * code + minimum` | nothing: the range decides |
//! | `symmetric` | `scale * (code - half)` | the weighted squared error over 19 trial scales |
//! | `affine` | `scale * code + minimum` | the weighted squared error over trial scales, line fitted for each |
//! | `nonnegative` | `scale * code` | the weighted squared error over 9 trial scales, then code by code |
//!
//! A fit sees one block or sub-block as an array of fixed length and nothing else, and does all of its work
//! inside: the sequence of operations is the reference's, sums in index order. Several blocks may run through it
//! side by side, one per vector lane; the operations of one block may not be reordered.

mod affine;
mod direct;
mod nonnegative;
mod symmetric;

use crate::primitives::sum_of_squares;

pub(crate) use affine::{Trials, affine};
pub(crate) use direct::{direct_affine, direct_symmetric};
pub(crate) use nonnegative::nonnegative;
pub(crate) use symmetric::symmetric;

/// Codes and the scale they count in. What code stands for zero is part of the fit that made them.
pub(crate) struct Scaled<const N: usize> {
    pub(crate) scale: f32,
    pub(crate) codes: [u8; N],
}

/// Codes that count steps of `scale` from `minimum` up.
pub(crate) struct Affine<const N: usize> {
    pub(crate) scale: f32,
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
pub(crate) fn importance_weights<const N: usize>(
    importance: &[f32; N],
    variance: f32,
    x: &[f32; N],
) -> [f32; N] {
    std::array::from_fn(|i| importance[i] * (variance + x[i] * x[i]).sqrt())
}
