//! Instructions that the compiler would take apart, or replace by others that cost more, written as they are to stay.

use std::arch::asm;
use std::arch::x86_64::*;
use std::ptr;

/// A function of two registers that is one instruction, as an assembler spells it.
macro_rules! of_two {
    (
        $(#[$about:meta])*
        $features:literal
        $visible:vis fn $name:ident($a:ident, $b:ident: $register:ty as $class:ident)
        $spelled:literal
    ) => {
        $(#[$about])*
        #[inline]
        #[target_feature(enable = $features)]
        $visible fn $name($a: $register, $b: $register) -> $register {
            let result: $register;
            // SAFETY: an instruction on registers alone, whose features are enabled.
            unsafe {
                ::std::arch::asm!(
                    $spelled,
                    result = lateout($class) result,
                    $a = in($class) $a,
                    $b = in($class) $b,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
            result
        }
    };
}

/// A function that is one instruction which adds something of two registers to a third.
macro_rules! onto {
    (
        $(#[$about:meta])*
        $features:literal
        $visible:vis fn $name:ident($sum:ident, $a:ident, $b:ident: $register:ty as $class:ident)
        $spelled:literal
    ) => {
        $(#[$about])*
        #[inline]
        #[target_feature(enable = $features)]
        $visible fn $name(mut $sum: $register, $a: $register, $b: $register) -> $register {
            // SAFETY: an instruction on registers alone, whose features are enabled.
            unsafe {
                ::std::arch::asm!(
                    $spelled,
                    $sum = inout($class) $sum,
                    $a = in($class) $a,
                    $b = in($class) $b,
                    options(pure, nomem, nostack, preserves_flags)
                );
            }
            $sum
        }
    };
}

/// A function that is one instruction which reads a number from memory into a register.
macro_rules! from_memory {
    (
        $(#[$about:meta])*
        $features:literal
        $visible:vis fn $name:ident($number:ident: &$type:ty) -> $register:ty as $class:ident
        $spelled:literal
    ) => {
        $(#[$about])*
        #[inline]
        #[target_feature(enable = $features)]
        $visible fn $name($number: &$type) -> $register {
            let result: $register;
            // SAFETY: reads the bytes of a number; the features are enabled.
            unsafe {
                ::std::arch::asm!(
                    $spelled,
                    result = lateout($class) result,
                    $number = in(reg) $number,
                    options(pure, readonly, nostack, preserves_flags)
                );
            }
            result
        }
    };
}

/// A function that reads what a table has at four places, and the operands that its instructions have beside.
macro_rules! from_table {
    (
        $(#[$about:meta])*
        $visible:vis fn $name:ident($table:ident: $element:ty) -> $register:ty as $class:ident
        $($spelled:literal)+,
        $($beside:tt)*
    ) => {
        $(#[$about])*
        ///
        /// # Safety
        /// These are places of the table.
        #[inline]
        #[target_feature(enable = "avx2")]
        $visible unsafe fn $name($table: *const $element, [a, b, c, d]: [usize; 4]) -> $register {
            let result: $register;
            // SAFETY: reads what the caller says is there; the feature is enabled.
            unsafe {
                ::std::arch::asm!(
                    $($spelled,)+
                    result = out($class) result,
                    $($beside)*
                    $table = in(reg) $table,
                    a = in(reg) a,
                    b = in(reg) b,
                    c = in(reg) c,
                    d = in(reg) d,
                    options(readonly, nostack, preserves_flags)
                );
            }
            result
        }
    };
}

pub(super) use {from_memory, of_two, onto};

of_two! {
    /// The bytes of each half at the indices there. Written so, it stays one instruction where the compiler knows two
    /// that it takes for cheaper.
    "avx2" pub(super) fn shuffled(bytes, indices: __m256i as ymm_reg) "vpshufb {result}, {bytes}, {indices}"
}

of_two! {
    /// The lesser of each two unsigned bytes. Where one of them is 1, the compiler would compare and mask.
    "avx2" pub(super) fn least(a, b: __m256i as ymm_reg) "vpminub {result}, {a}, {b}"
}

of_two! {
    /// The words at the indices. Written so, it stays one instruction where the compiler knows two that it takes for
    /// cheaper.
    "avx512vl,avx512bw" pub(super) fn permuted_words(words, indices: __m256i as ymm_reg)
    "vpermw {result}, {indices}, {words}"
}

of_two! {
    /// As [`permuted_words`], of bytes.
    "avx512vl,avx512vbmi" pub(super) fn permuted_bytes(bytes, indices: __m256i as ymm_reg)
    "vpermb {result}, {indices}, {bytes}"
}

onto! {
    /// Adds the sums of two neighbouring products of words to the ints.
    ///
    /// The compiler takes the intrinsic apart into a product and an addition, for a latency that does not matter here,
    /// while the number of operations does.
    "avx512vl,avx512vnni" pub(super) fn multiply_and_sum(ints, a, b: __m256i as ymm_reg) "vpdpwssd {ints}, {a}, {b}"
}

from_memory! {
    /// The number in each of four places, from memory: a load that is spread costs nothing next to the others,
    /// while a move from a general register and a shuffle take as much of the processor's time as three operations on
    /// vectors (measured on Zen 4).
    "avx2" pub(super) fn everywhere(number: &u64) -> __m256i as ymm_reg "vpbroadcastq {result}, qword ptr [{number}]"
}

from_memory! {
    /// As [`everywhere`], of a float in eight places.
    "avx2" pub(super) fn float_everywhere(number: &f32) -> __m256 as ymm_reg
    "vbroadcastss {result}, dword ptr [{number}]"
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

from_table! {
    /// What a table has at four places, read in the order of the program: the compiler would read all that a block
    /// needs at once, and has no registers for so much.
    pub(super) fn eights_at(table: [u8; 8]) -> __m256i as ymm_reg
    "vmovq {result:x}, qword ptr [{table} + 8*{a}]"
    "vmovq {high}, qword ptr [{table} + 8*{c}]"
    "vmovhps {result:x}, {result:x}, qword ptr [{table} + 8*{b}]"
    "vmovhps {high}, {high}, qword ptr [{table} + 8*{d}]"
    "vinserti128 {result}, {result}, {high}, 1",
    high = out(xmm_reg) _,
}

from_table! {
    /// As [`eights_at`], of a table of four bytes each.
    pub(super) fn fours_at(table: [u8; 4]) -> __m128i as xmm_reg
    "vmovd {result}, dword ptr [{table} + 4*{a}]"
    "vpinsrd {result}, {result}, dword ptr [{table} + 4*{b}], 1"
    "vpinsrd {result}, {result}, dword ptr [{table} + 4*{c}], 2"
    "vpinsrd {result}, {result}, dword ptr [{table} + 4*{d}], 3",
}

/// A byte as an index. Bytes that follow each other the compiler would read as a vector, and take them out of it by two
/// operations each.
#[inline(always)]
pub(super) fn index(byte: &u8) -> usize {
    // SAFETY: the reference covers a byte.
    usize::from(unsafe { ptr::read_volatile(byte) })
}

/// The same number, of which the compiler knows nothing.
#[inline(always)]
pub(super) fn opaque(number: u64) -> u64 {
    let mut same = number;
    // SAFETY: no instruction.
    unsafe { asm!("/* {same} */", same = inout(reg) same, options(pure, nomem, nostack, preserves_flags)) }
    same
}
