//! Registers of 32 bytes on x86-64.
//!
//! Most operations are the same with AVX2 and AVX-512; macros write those down once for both, by what they are
//! about.
#![allow(unsafe_code)]

mod amx;
mod avx2;
mod avx512;
mod common;
mod floats;
mod indices;
mod instructions;
mod lanes;
mod moves;
mod products;
mod wide;

pub(crate) use amx::{Amx, Registers};

use super::cpu::Work;

/// Does the work with AVX2.
///
/// # Safety
/// The processor has AVX2, FMA, F16C, BMI1, BMI2 and POPCNT.
#[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,popcnt")]
pub(super) unsafe fn run_avx2<W: Work>(work: W) -> W::Output {
    work.vector(avx2::Avx2::new())
}

/// Does the work with AVX-512.
///
/// # Safety
/// The processor has AVX2, FMA, F16C, BMI1, BMI2, POPCNT, GFNI, and AVX-512 with F, BW, VL, VNNI and VBMI.
#[target_feature(
    enable = "avx2,fma,f16c,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,gfni"
)]
pub(super) unsafe fn run_avx512<W: Work>(work: W) -> W::Output {
    work.vector(avx512::Avx512::new())
}
