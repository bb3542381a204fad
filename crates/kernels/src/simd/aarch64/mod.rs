//! Registers of 32 bytes on AArch64: pairs of registers of 16.
//!
//! The baseline of the architecture is enough: no instruction here is optional. Macros hold the operations by what they
//! are about, for they all belong to one implementation.
#![allow(unsafe_code)]

mod floats;
mod moves;
mod neon;
mod products;
mod view;

use super::cpu::Work;

/// Does the work with NEON.
///
/// # Safety
/// The processor has NEON.
#[target_feature(enable = "neon")]
pub(super) unsafe fn run_neon<W: Work>(work: W) -> W::Output {
    work.vector(neon::Neon::new())
}
