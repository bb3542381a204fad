//! What the end-to-end tests share: the binary under test, folders to run it in, and the fixtures.
//!
//! Each file in `tests/` holds one promise of the project. Nothing here judges; the tests do.

// What fails in here is a test that fails.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod binary;
mod cost;
pub mod costly;
pub mod fire;
pub mod fixtures;
mod folder;
mod imatrix;
pub mod long;
mod safetensors;
pub mod verdict;

pub use binary::briq;
pub use cost::{Cost, cost, measure};
pub use folder::{Folder, Run};
pub use imatrix::legacy_imatrix;
pub use safetensors::{retyped, safetensors, two_rows};
