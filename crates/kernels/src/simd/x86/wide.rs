//! Registers of 64 bytes. On Zen 4 an operation on them takes as long as two on 32 bytes, but half the room in the
//! queues that operations wait in, which are what many short ones fill.

use std::arch::asm;
use std::arch::x86_64::*;

/// 64 bytes, at any address. Only for those who know that the processor has AVX-512.
#[inline(always)]
pub(super) fn load(bytes: &[u8; 64]) -> __m512i {
    // SAFETY: the reference covers 64 readable bytes.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// As [`load`].
#[inline(always)]
pub(super) fn load_signed(bytes: &[i8; 64]) -> __m512i {
    // SAFETY: the reference covers 64 readable bytes.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

/// The number in each of eight places, by way of memory: see [`everywhere`](super::instructions::everywhere).
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) fn everywhere(number: u64) -> __m512i {
    let eight: __m512i;
    // SAFETY: reads the eight bytes of a number; the feature is enabled.
    unsafe {
        asm!(
            "vpbroadcastq {eight}, qword ptr [{number}]",
            eight = lateout(zmm_reg) eight,
            number = in(reg) &raw const number,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    eight
}

/// As [`shuffled`](super::instructions::shuffled).
#[inline]
#[target_feature(enable = "avx512bw")]
pub(super) fn shuffled(bytes: __m512i, indices: __m512i) -> __m512i {
    let shuffled: __m512i;
    // SAFETY: an instruction on registers alone, whose feature is enabled.
    unsafe {
        asm!(
            "vpshufb {shuffled}, {bytes}, {indices}",
            shuffled = lateout(zmm_reg) shuffled,
            bytes = in(zmm_reg) bytes,
            indices = in(zmm_reg) indices,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    shuffled
}

/// As [`multiply_and_sum`](super::instructions::multiply_and_sum).
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
pub(super) fn multiply_and_sum(ints: __m512i, a: __m512i, b: __m512i) -> __m512i {
    let mut sum = ints;
    // SAFETY: an instruction on registers alone, whose features are enabled.
    unsafe {
        asm!(
            "vpdpwssd {sum}, {a}, {b}",
            sum = inout(zmm_reg) sum,
            a = in(zmm_reg) a,
            b = in(zmm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}
