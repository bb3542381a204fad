//! Types whose codes are points of a grid in 4 or 8 dimensions: several weights are chosen together.
//!
//! | file | what it holds |
//! |---|---|
//! | `points`, `signs` | what decoders need: points from their packed form, signs from a byte |
//! | `neighbours`, `nearest` | the points near any place, collected once, and the nearest of them |
//! | `lines`, `snap` | the nearest of 8 digits for many scales |
//! | `steps` | the same where neighbours are a step of one digit away |
//! | `candidates` | those of them that can be the nearest, also by the sides of digits that weights are on |
//! | `places`, `records`, `fours` | the nearest of 4 digits for many scales |
//! | `trials`, `search` | the scales that the IQ2 and IQ3 types try for a sub-block, and what comes of them |
//! | `blocks` | what these types do around it |
//! | `cut`, `best`, `sums`, `outline` | the best cut of sorted weights in three, for the IQ1 types |
//! | `split` | sub-blocks sorted for it, and what comes of it |
//! | `refit` | scales fitted to the points that were chosen for these types |
//! | `ternary`, `clear` | what these types do around it |
//!
//! Where the reference ends the process, because distances to all neighbours overflow or are not numbers, a search here
//! has no result, and the caller is told which weights it was about.

pub(crate) mod best;
mod blocks;
mod candidates;
mod clear;
pub(crate) mod cut;
mod fours;
mod lines;
mod nearest;
mod neighbours;
mod outline;
mod places;
pub(crate) mod points;
mod records;
pub(crate) mod refit;
mod search;
mod signs;
mod snap;
pub(crate) mod split;
mod steps;
pub(crate) mod sums;
pub(crate) mod ternary;
mod trials;

pub(crate) use blocks::{Fitted, GridBlock, Model, Start, encode_rows};
pub(crate) use neighbours::Grid;
pub(crate) use points::{EIGHTHS, points};

pub use signs::four_with_parity;
pub(crate) use signs::with_parity;
pub(crate) use trials::{Refined, Trials};
