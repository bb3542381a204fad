//! Rows times 64 vectors at a time, where the processor multiplies small matrices.
//!
//! Of sixteen rows a tile is unpacked into bytes, and multiplied with four groups of sixteen vectors before the next
//! sixteen rows are. The vectors' bytes are put in the order that the processor wants once for 128 rows.

mod integers;
mod runs;
mod vectors;

pub(crate) use integers::{Integers, Numbers};
pub(super) use runs::multiply as multiply_runs;
pub(crate) use integers::multiply as multiply_integers;

use crate::simd::matrices;

/// Vectors that are multiplied at once.
pub(crate) const VECTORS: usize = 64;

/// Groups of sixteen of them.
const GROUPS: usize = VECTORS / matrices::ROWS;

/// The most rows that share what is made of the vectors.
pub(crate) const ROWS: usize = 128;

/// The products of some rows with the vectors of each group.
pub(crate) type Sums = [[[[f32; 8]; 2]; GROUPS]; ROWS];

/// Sums to begin with.
pub(crate) const NO_SUMS: Sums = [[[[0.0; 8]; 2]; GROUPS]; ROWS];
