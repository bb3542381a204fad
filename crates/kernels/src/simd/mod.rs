//! 32 bytes side by side: what kernels are written over.
//!
//! A kernel is written once, over [`Simd`], and compiled for each instruction set. A register holds 32 bytes on all of
//! them, because 32 weights are what blocks and sub-blocks are made of: AVX-512 brings its instructions and its
//! registers, not its width. All operations on integers are exact under the conditions that they state, so that
//! instruction sets differ only in the order in which floats are summed.
//!
//! The vector types are private to this module, and so is all that is `unsafe`. Generic code meets them only through
//! [`run`], which has proved that the processor has them.

mod cpu;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use cpu::{Cpu, Work, run};

/// An instruction set, as a value that exists only where it was detected.
pub(crate) trait Simd: Copy {
    /// 32 bytes: as many `i8` or `u8`, 16 `i16` (words) or 8 `i32` (ints).
    type Ints: Copy;
    /// 8 `f32`.
    type Floats: Copy;

    fn load(self, bytes: &[u8; 32]) -> Self::Ints;
    fn load_signed(self, bytes: &[i8; 32]) -> Self::Ints;
    fn store(self, bytes: Self::Ints, to: &mut [u8; 32]);
    fn store_signed(self, bytes: Self::Ints, to: &mut [i8; 32]);
    fn load_words(self, words: &[i16; 16]) -> Self::Ints;
    fn load_ints(self, ints: &[i32; 8]) -> Self::Ints;
    fn store_ints(self, ints: Self::Ints, to: &mut [i32; 8]);
    fn store_words(self, words: Self::Ints, to: &mut [i16; 16]);
    /// The same 16 bytes twice.
    fn load_twice(self, bytes: &[u8; 16]) -> Self::Ints;
    /// 32 codes of 4 bits: the low nibbles, then the high ones.
    fn load_nibbles(self, bytes: &[u8; 16]) -> Self::Ints;
    /// As [`load_nibbles`](Self::load_nibbles), but the high ones may be left where they are, as 16 times their value.
    fn load_raised_nibbles(self, bytes: &[u8; 16]) -> Self::Ints;
    /// 32 codes of 4 bits from two runs of 8 bytes: the low nibbles of a run, then its high ones.
    fn load_nibbles_by_eight(self, bytes: &[u8; 16]) -> Self::Ints;
    /// A bit per byte, from the lowest on: `byte` where it is set, else zero.
    fn bytes_where(self, bits: u32, byte: u8) -> Self::Ints;
    /// Four times eight bytes.
    fn join_four(self, eights: [u64; 4]) -> Self::Ints;
    /// Eight times four bytes.
    fn join_eight(self, fours: [u32; 8]) -> Self::Ints;
    /// Eight ints from memory.
    fn gather(self, ints: [u32; 8]) -> Self::Ints;
    /// 16 signed bytes as words.
    fn words(self, bytes: &[i8; 16]) -> Self::Ints;
    /// 16 unsigned bytes, eight in each number, as words.
    fn byte_words(self, eights: [u64; 2]) -> Self::Ints;
    /// 16 unsigned nibbles as words, of each byte the lower one first.
    fn nibble_words(self, bytes: [u8; 8]) -> Self::Ints;
    /// Of each of four words of 16 bits the lower four fields of 3 bits, as words.
    fn triple_words(self, words: [u16; 4]) -> Self::Ints;
    fn add_words(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// 8 unsigned bytes as ints.
    fn ints(self, bytes: [u8; 8]) -> Self::Ints;

    fn zero(self) -> Self::Ints;
    fn splat(self, byte: u8) -> Self::Ints;
    fn splat_word(self, word: i16) -> Self::Ints;
    fn splat_int(self, int: i32) -> Self::Ints;
    /// The first int, and seven zeros.
    fn first(self, int: i32) -> Self::Ints;
    fn and(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    fn or(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    fn add_bytes(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    fn add(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    fn subtract(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Bits `FROM` to `FROM + COUNT` of each byte, moved to `TO` and what is above; the others are zero.
    fn bits<const FROM: u32, const COUNT: u32, const TO: u32>(self, bytes: Self::Ints) -> Self::Ints;
    /// Rounds down.
    fn shift_right_ints<const BITS: i32>(self, ints: Self::Ints) -> Self::Ints;
    fn shift_left_ints<const BITS: i32>(self, ints: Self::Ints) -> Self::Ints;
    /// The lower words of the ints of `a` and `b` in turn.
    fn alternate_words(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// The first 16 bytes of `a`, then the last 16 of `b`.
    fn halves(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// All bits where an unsigned byte is larger than `limit`, else none.
    fn greater(self, bytes: Self::Ints, limit: u8) -> Self::Ints;

    /// A table of 16 bytes, for [`look_up`](Self::look_up).
    fn table(self, levels: &[i8; 16]) -> Self::Ints;
    /// The byte at each index below 16.
    fn look_up(self, table: Self::Ints, indices: Self::Ints) -> Self::Ints;
    /// Register `j` holds word `2 j` eight times, then word `2 j + 1`.
    fn by_sixteen(self, words: Self::Ints) -> [Self::Ints; 8];
    /// Takes apart the first 16 bytes of a Q4_K or Q5_K block: scale and minimum for
    /// [`scaled_pair`](Self::scaled_pair), the scale of each 32 weights in all words of a register, and the minimums of
    /// each 32 as ints.
    fn k_header(self, header: &[u8; 16]) -> (Self::Ints, [Self::Ints; 8], Self::Ints);
    /// The first two half-precision numbers times a number, each in all places of a register.
    fn scaled_pair(self, halves: Self::Ints, by: f32) -> [Self::Floats; 2];

    /// The bytes with the sign turned where a bit is set. None of these is -128.
    fn negate_where(self, bytes: Self::Ints, bits: u32) -> Self::Ints;
    /// Sums of two neighbouring products, as words: codes up to 127 with signed bytes.
    fn products(self, codes: Self::Ints, signed: Self::Ints) -> Self::Ints;
    /// As [`products`](Self::products), of signed bytes; none of `b` is -128 where that of `a` is negative.
    fn signed_products(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Adds the sums of two neighbouring products of words to the ints.
    fn add_scaled(self, ints: Self::Ints, words: Self::Ints, scales: Self::Ints) -> Self::Ints;
    /// Adds sums of four neighbouring products to the ints: codes up to 127 with signed bytes.
    fn add_dot(self, ints: Self::Ints, codes: Self::Ints, signed: Self::Ints) -> Self::Ints;
    fn multiply_ints(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;

    /// What weights and tables of weights go through before [`biased_dot`](Self::biased_dot).
    fn bias(self, signed: Self::Ints) -> Self::Ints;
    /// Adds sums of four neighbouring products to the ints: biased weights with signed bytes, none of them -128, up to
    /// what [`unbias`](Self::unbias) adds.
    fn add_biased_dot(self, ints: Self::Ints, biased: Self::Ints, signed: Self::Ints) -> Self::Ints;
    /// Takes off what the bias has added to eight dot products, from the sums of the signed bytes with the sign turned.
    fn unbias(self, products: Self::Ints, negative_sums: Self::Ints) -> Self::Ints;
    /// Register `i` holds int `i` of each of the eight.
    fn transpose(self, registers: [Self::Ints; 8]) -> [Self::Ints; 8];
    /// The sum of the ints of each of eight registers.
    fn sum_eight(self, registers: [Self::Ints; 8]) -> Self::Ints;
    /// As [`sum_eight`](Self::sum_eight), of products with [raised nibbles](Self::load_raised_nibbles).
    fn sum_raised(self, registers: [Self::Ints; 8]) -> Self::Ints;

    fn to_floats(self, ints: Self::Ints) -> Self::Floats;
    fn zeros(self) -> Self::Floats;
    fn splat_float(self, float: f32) -> Self::Floats;
    /// The first four times, then the second four times.
    fn two_floats(self, floats: [f32; 2]) -> Self::Floats;
    fn load_floats(self, floats: &[f32; 8]) -> Self::Floats;
    fn store_floats(self, floats: Self::Floats, to: &mut [f32; 8]);
    /// Eight half-precision numbers, by their bits.
    fn load_halves(self, halves: &[u16; 8]) -> Self::Floats;
    /// Eight bfloat16 numbers, by their bits.
    fn load_brains(self, brains: &[u16; 8]) -> Self::Floats;
    /// The half-precision numbers whose bits are the lower ones of each int.
    fn low_halves(self, ints: Self::Ints) -> Self::Floats;
    /// The half-precision numbers whose bits are the upper ones of each int.
    fn high_halves(self, ints: Self::Ints) -> Self::Floats;
    /// A half-precision number, by its bits.
    fn half(self, bits: u16) -> f32;
    /// The bits of the floats.
    fn float_bits(self, floats: Self::Floats) -> Self::Ints;
    /// The floats with these bits.
    fn reinterpret(self, ints: Self::Ints) -> Self::Floats;
    fn multiply(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b + c`, rounded once.
    fn multiply_add(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    fn add_floats(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// The sum of the eight.
    fn sum(self, floats: Self::Floats) -> f32;
}
