//! 32 bytes side by side: what kernels are written over.
//!
//! A kernel is written once, over [`Simd`], and compiled for each instruction set. A register holds 32 bytes on all of
//! them, because 32 weights are what blocks and sub-blocks are made of: AVX-512 brings its instructions and its
//! registers, and its width only for one vector with Q4_0, IQ4_NL, MXFP4, Q2_K to Q6_K and TQ2_0 ([`Simd::IS_WIDE`]),
//! and for plain floats. All operations on integers are exact under the conditions that they state, so that instruction
//! sets differ only in the order in which floats are summed.
//!
//! The vector types are private to this module, and so is all that is `unsafe`. Generic code meets them only through
//! [`run`], which has proved that the processor has them.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod cpu;
pub(crate) mod matrices;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
mod narrow;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod x86;

use briq_codec::k_scales::{self, ScalesAndMinimums};
pub(crate) use cpu::{Cpu, Work, run};
pub use cpu::{instruction_set, matrix_instructions};
pub(crate) use matrices::Amx;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use narrow::narrow;
use zerocopy::{Immutable, IntoBytes};

/// An instruction set, as a value that exists only where it was detected.
pub(crate) trait Simd: Copy {
    /// 32 bytes: as many `i8` or `u8`, 16 `i16` (words) or 8 `i32` (ints).
    type Ints: Copy;
    /// 8 `f32`.
    type Floats: Copy;
    /// Sums of products, side by side: eight `f32`, or more where registers are as wide.
    type Wide: Copy;
    /// The scales of a super-block, each where [`add_pair`](Self::add_pair) needs it.
    type Scales: Copy;

    /// Asks for a line of the cache that is to be read soon, at any address.
    fn fetch_line(self, place: *const u8);
    /// Asks for as many bytes as a value has, so many bytes behind where it begins. There may be nothing.
    #[inline(always)]
    fn fetch<T>(self, value: &T, behind: usize) {
        const LINE: usize = 64;
        let place = (&raw const *value).cast::<u8>().wrapping_add(behind);
        let mut at = 0;
        while at < size_of::<T>() {
            self.fetch_line(place.wrapping_add(at));
            at += LINE;
        }
    }
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
    /// A bit per byte, from the lowest on: 1 where it is set, else zero.
    #[inline(always)]
    fn ones_where(self, bits: u32) -> Self::Ints {
        self.bytes_where(bits, 1)
    }
    /// Four times eight bytes.
    fn join_four(self, eights: [u64; 4]) -> Self::Ints;
    /// The same number. The compiler does not know that, and makes no vectors of its parts.
    fn opaque(self, number: u64) -> u64;
    /// Four bytes, each as an index. Read as one number they leave more of the processor to loads of other things.
    #[inline(always)]
    fn four_indices(self, bytes: &[u8; 4]) -> [usize; 4] {
        let number = self.opaque(u32::from_le_bytes(*bytes).into());
        let (a, b, c, d) = (number as u8, (number >> 8) as u8, (number >> 16) as u8, (number >> 24) as u8);
        [usize::from(a), usize::from(b), usize::from(c), usize::from(d)]
    }
    /// Four words of 16 bits, each as an index.
    #[inline(always)]
    fn four_words(self, words: [u8; 8]) -> [usize; 4] {
        let words = self.opaque(u64::from_le_bytes(words));
        let (a, b, c, d) = (words as u16, (words >> 16) as u16, (words >> 32) as u16, (words >> 48) as u16);
        [usize::from(a), usize::from(b), usize::from(c), usize::from(d)]
    }
    /// Four indices of ten bits: the lower bytes, and a byte with the other two bits of each.
    #[inline(always)]
    fn four_tens(self, low: &[u8; 4], high: u8) -> [usize; 4] {
        let mut indices = [0; 4];
        let mut i = 0;
        while i < 4 {
            indices[i] = usize::from(low[i]) | (usize::from(high) >> (2 * i) & 3) << 8;
            i += 1;
        }
        indices
    }
    /// What a table has at four places. It is as long as a power of two, and lower bits count alone.
    fn eights_at<const N: usize>(self, table: &[[u8; 8]; N], places: [usize; 4]) -> Self::Ints;
    /// As [`eights_at`](Self::eights_at), of eight places with four bytes each.
    #[inline(always)]
    fn fours_at<const N: usize>(self, table: &[[u8; 4]; N], places: [usize; 8]) -> Self::Ints {
        let mut fours = [0; 8];
        for i in 0..8 {
            fours[i] = u32::from_le_bytes(table[places[i] % N]);
        }
        self.join_eight(fours)
    }
    /// Eight times four bytes.
    fn join_eight(self, fours: [u32; 8]) -> Self::Ints;
    /// The lower byte of each of four words, eight times.
    fn eight_times(self, words: u64) -> Self::Ints;
    /// Eight words, each twice.
    fn words_twice(self, words: &[u8; 16]) -> Self::Ints;
    /// Every second int, from the second on, of `a` and then of `b`.
    fn odd_ints(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// The upper seven bits of each word of `a` and then of `b`, as bytes.
    fn upper_sevens(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Bytes below 128, with the highest bit set where the number of the others is odd.
    fn made_even(self, bytes: Self::Ints) -> Self::Ints;
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
    fn subtract_bytes(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// The lower words of the products.
    fn multiply_words(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
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
    /// Fractions of 256 as [`add_digits`](Self::add_digits) takes them. [Three times](Self::three_times) these are
    /// again such.
    #[inline(always)]
    fn fractions(self, bytes: Self::Ints) -> Self::Ints {
        bytes
    }
    /// Three times each byte, without what does not fit.
    fn three_times(self, bytes: Self::Ints) -> Self::Ints;
    /// Of each half the first int of `a`, the second of `b`, the third of `c` and the fourth of `d`.
    fn one_of_each(self, ints: [Self::Ints; 4]) -> Self::Ints;
    /// Adds products with signed bytes of the first digits after the point of fractions of 256 in base three, to sums
    /// that [`digit_sums`](Self::digit_sums) gives: at most eight times. `next` is three times the fraction, less its
    /// digit.
    fn add_digits(
        self,
        sums: [Self::Ints; 2],
        fractions: Self::Ints,
        next: Self::Ints,
        signed: Self::Ints,
    ) -> [Self::Ints; 2];
    /// Ints that sum to what was added.
    fn digit_sums(self, sums: [Self::Ints; 2]) -> Self::Ints;
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
    /// A table of 16 bytes, for [`look_up`](Self::look_up).
    fn table(self, levels: &[i8; 16]) -> Self::Ints;
    /// The byte at each index below 16.
    fn look_up(self, table: Self::Ints, indices: Self::Ints) -> Self::Ints;
    /// A scale for each 16 weights of a super-block.
    fn scales_by_16(self, words: Self::Ints) -> Self::Scales;
    /// The scales and the minimums of a super-block, as ints: what follows two half-precision numbers in a header of
    /// Q4_K and Q5_K.
    #[inline(always)]
    fn k_numbers(self, header: &[u8; 16]) -> [Self::Ints; 2] {
        let [scales, minimums] = k_numbers(header);
        [self.ints(scales), self.ints(minimums)]
    }
    /// As [`k_numbers`](Self::k_numbers), with the scale of each 32 weights as [`add_pair`](Self::add_pair) takes it.
    fn k_scales(self, header: &[u8; 16]) -> (Self::Scales, Self::Ints);
    /// Adds sums of products of codes with signed bytes, times their scales, of runs `2 pair` and `2 pair + 1` of 32.
    /// Codes are at most 64, and no signed byte is -128.
    fn add_pair(
        self,
        ints: Self::Ints,
        codes: [Self::Ints; 2],
        signed: [Self::Ints; 2],
        scales: &Self::Scales,
        pair: usize,
    ) -> Self::Ints;
    /// Whether [`add_codes`](Self::add_codes), [`add_k_codes`](Self::add_k_codes) and
    /// [`add_scaled_nibbles`](Self::add_scaled_nibbles) do something: where registers are of 64 bytes.
    const IS_WIDE: bool = false;
    /// Adds the products of a super-block's codes with signed bytes to the ints, times the scale of each 16 if there
    /// are such, as words, and all of that to the sum, times one scale more. No signed byte is -128.
    #[inline(always)]
    fn add_codes(
        self,
        _sum: &mut Self::Wide,
        _ints: Self::Ints,
        _bits: Bits<'_>,
        _scales: Option<Self::Ints>,
        _signed: &[i8; 256],
        _by: &f32,
    ) {
    }
    /// As [`add_codes`](Self::add_codes), with the scale of each 32 that a header has, whose minimums it gives: see
    /// [`k_numbers`](Self::k_numbers).
    #[inline(always)]
    fn add_k_codes(
        self,
        _sum: &mut Self::Wide,
        _header: &[u8; 16],
        _bits: Bits<'_>,
        _signed: &[i8; 256],
        _by: &f32,
    ) -> Self::Ints {
        self.zero()
    }
    /// Adds the products of eight blocks of nibbles with signed bytes that have eight more scales. A nibble is a code,
    /// or the place of one in a [table](Self::table) of codes without sign. For either half of the blocks there are 16
    /// signed bytes for the low nibbles of each of four, and then 16 for the high ones of each. Int `4 * b + i` of zero
    /// point `h`, doubled so many times, is added to four products with low nibbles of block `4 * h + b` and four with
    /// high ones, before they are scaled.
    #[inline(always)]
    fn add_scaled_nibbles(
        self,
        _sum: &mut Self::Wide,
        _blocks: EightBlocks<'_>,
        _table: Option<Self::Ints>,
        _signed: &[i8; 256],
        _zero_points: (&[[i32; 16]; 2], i32),
        _scales: &[f32; 8],
    ) {
    }
    fn wide_zeros(self) -> Self::Wide;
    fn add_wide(self, a: Self::Wide, b: Self::Wide) -> Self::Wide;
    /// Eight sums of all that were carried on side by side.
    fn folded(self, wide: Self::Wide) -> Self::Floats;
    /// Four half-precision numbers, times a number.
    fn scaled_halves(self, halves: &[u8; 8], by: f32) -> [f32; 4];

    /// The bytes with the sign turned where a bit is set, of those for a run of 32. No byte is -128.
    fn negate_where(self, bytes: Self::Ints, bits: &[u8; 32], run: usize) -> Self::Ints;
    /// Sums of two neighbouring products, as words: codes up to 127 with signed bytes.
    fn products(self, codes: Self::Ints, signed: Self::Ints) -> Self::Ints;
    /// As [`products`](Self::products), of signed bytes; none of `b` is -128 where that of `a` is negative.
    fn signed_products(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;
    /// Adds the sums of two neighbouring products of words to the ints.
    fn add_scaled(self, ints: Self::Ints, words: Self::Ints, scales: Self::Ints) -> Self::Ints;
    /// Adds sums of four neighbouring products to the ints: codes up to 127 with signed bytes.
    fn add_dot(self, ints: Self::Ints, codes: Self::Ints, signed: Self::Ints) -> Self::Ints;
    /// Adds sums of products of codes up to 12 with signed bytes to sums that [`small_sums`](Self::small_sums) gives:
    /// at most eight times.
    fn add_small(self, sums: Self::Ints, codes: Self::Ints, signed: Self::Ints) -> Self::Ints;
    /// Ints that sum to what was added.
    fn small_sums(self, sums: Self::Ints) -> Self::Ints;
    /// Ints that sum to what was added to the first, and a quarter of what was added to the second, where codes were
    /// four times theirs.
    fn small_sums_and_quarters(self, sums: Self::Ints, fourfold: Self::Ints) -> Self::Ints;
    fn multiply_ints(self, a: Self::Ints, b: Self::Ints) -> Self::Ints;

    /// What weights and tables of weights go through before [`add_biased_dot`](Self::add_biased_dot).
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
    /// A number from memory in all places: a load that is spread takes no time from operations on vectors.
    fn everywhere(self, float: &f32) -> Self::Floats;
    /// The first four times, then the second four times.
    fn two_floats(self, floats: [f32; 2]) -> Self::Floats;
    fn load_floats(self, floats: &[f32; 8]) -> Self::Floats;
    fn store_floats(self, floats: Self::Floats, to: &mut [f32; 8]);
    /// Eight half-precision numbers, by their bits.
    fn load_f16(self, halves: &[u16; 8]) -> Self::Floats;
    /// Eight half-precision numbers, with which as many blocks begin.
    #[inline(always)]
    fn leading_halves<B: IntoBytes + Immutable>(self, blocks: &[B; 8]) -> Self::Floats {
        let mut halves = [0; 8];
        for (half, block) in halves.iter_mut().zip(blocks) {
            *half = block.as_bytes().first_chunk().map_or(0, |bytes| u16::from_le_bytes(*bytes).into());
        }
        self.low_halves(self.gather(halves))
    }
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
    /// Adds the products of 32 single-precision numbers, rounded after each.
    fn add_f32(self, sum: Self::Wide, a: &[u8; 128], b: &[u8; 128]) -> Self::Wide;
    /// Adds the products of 32 half-precision numbers with single-precision ones, rounded after each.
    fn add_f16(self, sum: Self::Wide, a: &[u8; 64], b: &[u8; 128]) -> Self::Wide;
    /// Adds the products of 32 bfloat16 numbers in single precision, rounded after each at most. Where that is an
    /// instruction, numbers and sums below 2^-126 are taken for zero.
    fn add_bf16(self, sum: Self::Wide, a: &[u8; 64], b: &[u8; 64]) -> Self::Wide;
    /// Whether [`add_bf16`](Self::add_bf16) is an instruction.
    #[inline(always)]
    fn multiplies_bf16(self) -> bool {
        false
    }

    /// The sum of the eight, in one order on all instruction sets.
    #[inline(always)]
    fn sum(self, floats: Self::Floats) -> f32 {
        let mut eight = [0.0; 8];
        self.store_floats(floats, &mut eight);
        let [a, b, c, d, e, f, g, h] = eight;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
}

/// As [`Simd::k_numbers`], one number at a time.
#[inline(always)]
fn k_numbers([_, _, _, _, packed @ ..]: &[u8; 16]) -> [[u8; 8]; 2] {
    let ScalesAndMinimums { scales, minimums } = k_scales::unpack(packed);
    [scales, minimums]
}

/// The bits of the codes of a super-block, in runs of 32 codes.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "read where registers are of 64 bytes"))]
pub(crate) enum Bits<'a> {
    /// Two of each: the first four runs are in 32 bytes, from the lowest bits on, the last four in 32 more.
    Twos(&'a [u8; 64]),
    /// Two as [`Twos`](Self::Twos), and above them a third: the eight runs are in 32 bytes, from the lowest bit on.
    Threes(&'a [u8; 64], &'a [u8; 32]),
    /// Four of each: of each 32 bytes the low nibbles are a run, and the high ones the next.
    Fours(&'a [u8; 128]),
    /// Four as [`Fours`](Self::Fours), and above them a fifth as the third of [`Threes`](Self::Threes).
    Fives(&'a [u8; 128], &'a [u8; 32]),
    /// Four, and above them two as [`Twos`](Self::Twos): of each 64 bytes the low nibbles are two runs, and the high
    /// ones the next two.
    Sixes(&'a [u8; 128], &'a [u8; 64]),
}

/// Eight blocks of 32 nibbles, each behind a scale: of each 16 bytes the low nibbles, then the high ones.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "read where registers are of 64 bytes"))]
pub(crate) enum EightBlocks<'a> {
    /// Scales are half-precision numbers.
    Halves(&'a [u8; 144]),
    /// Scales are `2^(e - 128)`, of which a byte holds `e`.
    Powers(&'a [u8; 136]),
}

/// Of 32 bytes in each half of a register that has the same 16 bytes twice: the byte that holds the bit of each, for
/// four runs of 32 bits.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static BYTES_OF_BITS: [[u8; 32]; 4] = {
    let mut bytes = [[0; 32]; 4];
    let mut i = 0;
    while i < 4 * 32 {
        bytes[i / 32][i % 32] = (i / 8) as u8;
        i += 1;
    }
    bytes
};

/// Bit `i` in byte `i` of eight.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const ONE_BIT_EACH: u64 = 0x8040_2010_0804_0201;
