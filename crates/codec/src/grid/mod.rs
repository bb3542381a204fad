//! Types whose codes are points of a grid in 4 or 8 dimensions: several weights are chosen together.

mod blocks;
mod nearest;
mod neighbours;
mod points;
mod search;
mod signs;
pub(crate) mod split;
pub(crate) mod ternary;

pub(crate) use blocks::{Fitted, GridBlock, Model, Start, encode_rows};
pub(crate) use neighbours::Grid;
pub(crate) use points::{EIGHTHS, pair, points};
pub(crate) use search::{Refined, Trials};
pub(crate) use signs::{signed, with_parity};
