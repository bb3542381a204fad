//! Instructions that the compiler would take apart, or replace by others that cost more, written as they are to stay.

use std::arch::asm;
use std::arch::x86_64::*;

/// The bytes of each half at the indices there. Written so, it stays one instruction where the compiler knows two that
/// it takes for cheaper.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn shuffled(bytes: __m256i, indices: __m256i) -> __m256i {
    let shuffled: __m256i;
    // SAFETY: an instruction on registers alone, whose feature is enabled.
    unsafe {
        asm!(
            "vpshufb {shuffled}, {bytes}, {indices}",
            shuffled = lateout(ymm_reg) shuffled,
            bytes = in(ymm_reg) bytes,
            indices = in(ymm_reg) indices,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    shuffled
}

/// The lesser of each two unsigned bytes. Where one of them is 1, the compiler would compare and mask.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn least(a: __m256i, b: __m256i) -> __m256i {
    let least: __m256i;
    // SAFETY: an instruction on registers alone, whose feature is enabled.
    unsafe {
        asm!(
            "vpminub {least}, {a}, {b}",
            least = lateout(ymm_reg) least,
            a = in(ymm_reg) a,
            b = in(ymm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    least
}

/// Three times each byte, as sums: of several in a row the compiler would make products of words, which cost more.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn three_times(bytes: __m256i) -> __m256i {
    let thrice: __m256i;
    // SAFETY: instructions on registers alone, whose feature is enabled.
    unsafe {
        asm!(
            "vpaddb {thrice}, {bytes}, {bytes}",
            "vpaddb {thrice}, {thrice}, {bytes}",
            thrice = out(ymm_reg) thrice,
            bytes = in(ymm_reg) bytes,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    thrice
}

/// The number in each of four places, by way of memory: a load that is spread costs nothing next to the others, while a
/// move from a general register and a shuffle take as much of the processor's time as three operations on vectors
/// (measured on Zen 4).
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn everywhere(number: u64) -> __m256i {
    let four: __m256i;
    // SAFETY: reads the eight bytes of a number; the feature is enabled.
    unsafe {
        asm!(
            "vpbroadcastq {four}, qword ptr [{number}]",
            four = lateout(ymm_reg) four,
            number = in(reg) &raw const number,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    four
}

/// The bytes of a number as ints, by way of memory: see [`everywhere`].
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn widened(bytes: u64) -> __m256i {
    let ints: __m256i;
    // SAFETY: reads the eight bytes of a number; the feature is enabled.
    unsafe {
        asm!(
            "vpmovzxbd {ints}, qword ptr [{bytes}]",
            ints = lateout(ymm_reg) ints,
            bytes = in(reg) &raw const bytes,
            options(pure, readonly, nostack, preserves_flags)
        );
    }
    ints
}

/// The same number, of which the compiler knows nothing.
#[inline(always)]
pub(super) fn opaque(number: u64) -> u64 {
    let mut same = number;
    // SAFETY: no instruction.
    unsafe { asm!("/* {same} */", same = inout(reg) same, options(pure, nomem, nostack, preserves_flags)) }
    same
}

/// Adds the sums of two neighbouring products of words to the ints.
///
/// The compiler takes the intrinsic apart into a product and an addition, for a latency that does not matter here, while
/// the number of operations does.
#[inline]
#[target_feature(enable = "avx512vl,avx512vnni")]
pub(super) fn multiply_and_sum(ints: __m256i, a: __m256i, b: __m256i) -> __m256i {
    let mut sum = ints;
    // SAFETY: an instruction on registers alone, whose features are enabled.
    unsafe {
        asm!(
            "vpdpwssd {sum}, {a}, {b}",
            sum = inout(ymm_reg) sum,
            a = in(ymm_reg) a,
            b = in(ymm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

/// Adds the products of two neighbouring bfloat16 numbers to the sums. The intrinsic could only be inlined into functions
/// that enable its feature, which would be one more copy of all kernels.
///
/// # Safety
/// The processor has AVX512_BF16 with VL.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
pub(super) unsafe fn multiply_and_sum_brains(sums: __m256, a: __m256i, b: __m256i) -> __m256 {
    let mut sum = sums;
    // SAFETY: an instruction on registers alone, which the caller says is there.
    unsafe {
        asm!(
            "vdpbf16ps {sum}, {a}, {b}",
            sum = inout(ymm_reg) sum,
            a = in(ymm_reg) a,
            b = in(ymm_reg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}

/// The words at the indices. Written so, it stays one instruction where the compiler knows two that it takes for
/// cheaper.
#[inline]
#[target_feature(enable = "avx512vl,avx512bw")]
pub(super) fn permuted_words(words: __m256i, indices: __m256i) -> __m256i {
    let permuted: __m256i;
    // SAFETY: an instruction on registers alone, whose features are enabled.
    unsafe {
        asm!(
            "vpermw {permuted}, {indices}, {words}",
            permuted = lateout(ymm_reg) permuted,
            indices = in(ymm_reg) indices,
            words = in(ymm_reg) words,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    permuted
}
