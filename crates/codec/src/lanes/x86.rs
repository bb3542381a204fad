//! Eight lanes of AVX2, sixteen of AVX-512.
//!
//! The bits of `value + 1.5 * 2^23` hold the rounded value; see [`round_even`](crate::primitives::round_even).
//! Its low 23 bits, put under the exponent of 2^23, are a float that can be limited and shifted back without
//! a conversion between registers of integers and of floats. Such floats compare like their bits, and integers are
//! limited by units that have nothing else to do, where floats would keep those that add busy.
#![allow(unsafe_code)]

mod avx2;
mod avx512;
mod gather;
mod look_up;
mod peaks;
mod unpack;

pub(super) use avx2::Avx2;
pub(super) use avx512::Avx512;

use super::operators::operators;

/// 1.5 * 2^23: added to a number, it moves the rounding to whole numbers.
const SHIFT: f32 = 12_582_912.0;
/// The fraction of a float.
const FRACTION: i32 = 0x007F_FFFF;
/// The exponent of 2^23, of floats whose fraction counts ones.
const ONES: i32 = 0x4B00_0000;

/// Makes of every NaN the quiet one of its sign; the processor's conversion keeps a part of the payload.
#[inline(always)]
fn drop_payloads(halves: &mut [u16]) {
    for half in halves {
        if *half & 0x7FFF > 0x7C00 {
            *half = *half & 0x8000 | 0x7E00;
        }
    }
}

/// Runs a kernel with eight lanes.
#[target_feature(enable = "avx2,f16c,popcnt,bmi1,bmi2")]
pub(super) fn run_avx2<K: super::Kernel>(kernel: K) {
    kernel.run::<Avx2>();
}

/// Runs a kernel with sixteen lanes.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,f16c,popcnt,bmi1,bmi2")]
pub(super) fn run_avx512<K: super::Kernel>(kernel: K) {
    kernel.run::<Avx512>();
}
