//! Types whose codes are points of a grid in 4 or 8 dimensions: several weights are chosen together.

mod points;
mod signs;
pub(crate) mod ternary;

pub(crate) use points::{EIGHTHS, pair, points};
pub(crate) use signs::{signed, with_parity};
