//! AVX2: products of bytes are summed as words, and words as ints.
//!
//! For what makes every block sound see [`common`](super::common).

use std::arch::x86_64::*;

use super::common::{common, load_16, sum_in_halves};
use super::indices::{FOUR_TIMES, LOWER_EIGHT_TIMES, NIBBLES, NONE, WORDS_TWICE};
use super::instructions::{
    eights_at, everywhere, float_everywhere, fours_at, index, least, opaque, shuffled, three_times,
};
use crate::simd::{BYTES_OF_BITS, ONE_BIT_EACH, Simd, narrow};

/// Proof that the processor has AVX2, FMA, F16C, BMI1, BMI2 and POPCNT.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// Called only where these features are enabled.
    #[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,popcnt")]
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl Simd for Avx2 {
    type Scales = Scales;

    common!();
    narrow!();

    #[inline(always)]
    fn scales_by_16(self, words: __m256i) -> Scales {
        // SAFETY: see the module.
        let halves = unsafe {
            [_mm256_permute2x128_si256::<0x00>(words, words), _mm256_permute2x128_si256::<0x11>(words, words)]
        };
        Scales { halves, places: &PAIRS }
    }
    #[inline(always)]
    fn k_scales(self, header: &[u8; 16]) -> (Scales, __m256i) {
        let [first, last] = taken_apart(header);
        // SAFETY: see the module.
        let halves = unsafe { [everywhere(&first), everywhere(&last)] };
        let minimums = self.look_up(self.halves(halves[0], halves[1]), self.load(&MINIMUMS));
        (Scales { halves, places: &RUNS }, minimums)
    }
    #[inline(always)]
    fn add_pair(
        self,
        ints: __m256i,
        [a, b]: [__m256i; 2],
        [x, y]: [__m256i; 2],
        scales: &Scales,
        pair: usize,
    ) -> __m256i {
        let ints = self.add_scaled(ints, self.products(a, x), self.spread(scales, 2 * pair));
        self.add_scaled(ints, self.products(b, y), self.spread(scales, 2 * pair + 1))
    }
    #[inline(always)]
    fn load_nibbles(self, bytes: &[u8; 16]) -> __m256i {
        let twice = self.load_twice(bytes);
        // SAFETY: see the module.
        let counts = unsafe { _mm256_setr_epi64x(0, 0, 4, 4) };
        // SAFETY: see the module.
        let shifted = unsafe { _mm256_srlv_epi64(twice, counts) };
        self.and(shifted, self.splat(15))
    }
    #[inline(always)]
    fn load_nibbles_by_eight(self, bytes: &[u8; 16]) -> __m256i {
        let twice = self.load_twice(bytes);
        // SAFETY: see the module.
        let eights = unsafe { _mm256_permute4x64_epi64::<0b01_01_00_00>(twice) };
        // SAFETY: see the module.
        let counts = unsafe { _mm256_setr_epi64x(0, 4, 0, 4) };
        // SAFETY: see the module.
        let shifted = unsafe { _mm256_srlv_epi64(eights, counts) };
        self.and(shifted, self.splat(15))
    }
    #[inline(always)]
    fn bits<const FROM: u32, const COUNT: u32, const TO: u32>(self, bytes: __m256i) -> __m256i {
        // Bits move inside words; what comes over from the other byte is masked.
        let mask = self.splat((((1_u32 << COUNT) - 1) << TO) as u8);
        // SAFETY: see the module.
        let count = unsafe { _mm_cvtsi32_si128(FROM.abs_diff(TO).cast_signed()) };
        let moved = match FROM > TO {
            // SAFETY: see the module.
            true => unsafe { _mm256_srl_epi16(bytes, count) },
            // SAFETY: see the module.
            false => unsafe { _mm256_sll_epi16(bytes, count) },
        };
        self.and(moved, mask)
    }
    #[inline(always)]
    fn bytes_where(self, bits: u32, byte: u8) -> __m256i {
        let [bit, single] = self.one_bit_each(bits);
        // SAFETY: see the module.
        let set = unsafe { _mm256_cmpeq_epi8(bit, single) };
        self.and(set, self.splat(byte))
    }
    #[inline(always)]
    fn ones_where(self, bits: u32) -> __m256i {
        let [bit, _] = self.one_bit_each(bits);
        // SAFETY: see the module.
        unsafe { least(bit, self.splat(1)) }
    }
    #[inline(always)]
    fn four_indices(self, [a, b, c, d]: &[u8; 4]) -> [usize; 4] {
        // Here the number of instructions is what counts, and each byte read on its own saves some.
        [index(a), index(b), index(c), index(d)]
    }
    #[inline(always)]
    fn four_tens(self, [a, b, c, d]: &[u8; 4], high: u8) -> [usize; 4] {
        let high = usize::from(high);
        [
            index(a) | (high & 3) << 8,
            index(b) | (high >> 2 & 3) << 8,
            index(c) | (high >> 4 & 3) << 8,
            index(d) | high >> 6 << 8,
        ]
    }
    #[inline(always)]
    fn eights_at<const N: usize>(self, table: &[[u8; 8]; N], places: [usize; 4]) -> __m256i {
        // SAFETY: remainders are places of the table; see the module.
        unsafe { eights_at(table.as_ptr(), places.map(|place| place % N)) }
    }
    #[inline(always)]
    fn fours_at<const N: usize>(self, table: &[[u8; 4]; N], places: [usize; 8]) -> __m256i {
        let [a, b, c, d, e, f, g, h] = places.map(|place| place % N);
        // SAFETY: remainders are places of the table; see the module.
        unsafe {
            let low = fours_at(table.as_ptr(), [a, b, c, d]);
            _mm256_set_m128i(fours_at(table.as_ptr(), [e, f, g, h]), low)
        }
    }
    #[inline(always)]
    fn made_even(self, bytes: __m256i) -> __m256i {
        /// The highest bit where a nibble has an odd number of bits.
        const ODD: [i8; 16] = {
            let mut odd = [0; 16];
            let mut nibble: usize = 0;
            while nibble < 16 {
                odd[nibble] = if nibble.count_ones() % 2 == 1 { i8::MIN } else { 0 };
                nibble += 1;
            }
            odd
        };
        let odd = self.table(&ODD);
        let (low, high) = (self.bits::<0, 4, 0>(bytes), self.bits::<4, 4, 0>(bytes));
        // SAFETY: see the module.
        let parity = unsafe { _mm256_xor_si256(self.look_up(odd, low), self.look_up(odd, high)) };
        self.or(bytes, parity)
    }
    #[inline(always)]
    fn negate_where(self, bytes: __m256i, bits: &[u8; 32], run: usize) -> __m256i {
        let half = self.load_twice(&bits.as_chunks().0[run / 4]);
        // SAFETY: see the module.
        let spread = unsafe { shuffled(half, self.load(&BYTES_OF_BITS[run % 4])) };
        let bit = self.and(spread, self.join_four([ONE_BIT_EACH; 4]));
        // What is added makes a number that is negative where the bit is set, and positive where it is not.
        // SAFETY: see the module.
        unsafe { _mm256_sign_epi8(bytes, _mm256_add_epi8(bit, self.join_four([LESS_THAN_NEGATIVE; 4]))) }
    }
    #[inline(always)]
    fn add_scaled(self, ints: __m256i, words: __m256i, scales: __m256i) -> __m256i {
        // SAFETY: see the module.
        self.add(ints, unsafe { _mm256_madd_epi16(words, scales) })
    }
    #[inline(always)]
    fn add_dot(self, ints: __m256i, codes: __m256i, signed: __m256i) -> __m256i {
        self.add_scaled(ints, self.products(codes, signed), self.splat_word(1))
    }
    #[inline(always)]
    fn add_small(self, sums: __m256i, codes: __m256i, signed: __m256i) -> __m256i {
        // Eight times two products of 12 and 128 fit a word.
        self.add_words(sums, self.products(codes, signed))
    }
    #[inline(always)]
    fn small_sums(self, sums: __m256i) -> __m256i {
        self.add_scaled(self.zero(), sums, self.splat_word(1))
    }
    #[inline(always)]
    fn small_sums_and_quarters(self, sums: __m256i, fourfold: __m256i) -> __m256i {
        // SAFETY: see the module.
        self.small_sums(self.add_words(sums, unsafe { _mm256_srai_epi16::<2>(fourfold) }))
    }
    #[inline(always)]
    fn fractions(self, bytes: __m256i) -> __m256i {
        // With the highest bit turned, bytes with a sign are in the order of those without. It is 128 that is added,
        // and so it stays by three times as much. SAFETY: see the module.
        unsafe { _mm256_xor_si256(bytes, _mm256_set1_epi8(i8::MIN)) }
    }
    #[inline(always)]
    fn add_digits(
        self,
        [sums, other]: [__m256i; 2],
        fractions: __m256i,
        _: __m256i,
        signed: __m256i,
    ) -> [__m256i; 2] {
        // Above 85 a digit is at least 1, above 170 it is 2. What holds is -1.
        // SAFETY: see the module.
        let digits = unsafe {
            let one_or_two = _mm256_cmpgt_epi8(fractions, _mm256_set1_epi8((85_u8 ^ 0x80).cast_signed()));
            let two = _mm256_cmpgt_epi8(fractions, _mm256_set1_epi8((170_u8 ^ 0x80).cast_signed()));
            _mm256_abs_epi8(_mm256_add_epi8(one_or_two, two))
        };
        [self.add_small(sums, digits, signed), other]
    }
    #[inline(always)]
    fn digit_sums(self, [sums, _]: [__m256i; 2]) -> __m256i {
        self.small_sums(sums)
    }
    #[inline(always)]
    fn bias(self, signed: __m256i) -> __m256i {
        signed
    }
    #[inline(always)]
    fn add_biased_dot(self, ints: __m256i, biased: __m256i, signed: __m256i) -> __m256i {
        self.add_scaled(ints, self.signed_products(biased, signed), self.splat_word(1))
    }
    #[inline(always)]
    fn unbias(self, products: __m256i, _: __m256i) -> __m256i {
        products
    }
    #[inline(always)]
    fn load_raised_nibbles(self, bytes: &[u8; 16]) -> __m256i {
        // Raised, two products would not fit a word.
        self.load_nibbles(bytes)
    }
    #[inline(always)]
    fn sum_raised(self, registers: [__m256i; 8]) -> __m256i {
        self.sum_eight(registers)
    }
    #[inline(always)]
    fn gather(self, ints: [u32; 8]) -> __m256i {
        self.join_eight(ints)
    }
    #[inline(always)]
    fn low_halves(self, ints: __m256i) -> __m256 {
        // SAFETY: see the module.
        self.halves_of(self.and(ints, unsafe { _mm256_set1_epi32(0xFFFF) }))
    }
    #[inline(always)]
    fn high_halves(self, ints: __m256i) -> __m256 {
        // SAFETY: see the module.
        self.halves_of(unsafe { _mm256_srli_epi32::<16>(ints) })
    }
}

/// The scales of a super-block: those of four runs of 32 in each register, and where in it those of a run are. They are
/// spread where they are needed, since eight registers of them would leave none for other things.
#[derive(Clone, Copy)]
pub(super) struct Scales {
    halves: [__m256i; 2],
    places: &'static [[u8; 32]; 4],
}

impl Avx2 {
    /// The scales of a run, as words.
    #[inline(always)]
    fn spread(self, scales: &Scales, run: usize) -> __m256i {
        // SAFETY: see the module.
        unsafe { shuffled(scales.halves[run / 4], self.load(&scales.places[run % 4])) }
    }

    /// Of each bit the byte that it is in, less the others, and which one it is.
    #[inline(always)]
    fn one_bit_each(self, bits: u32) -> [__m256i; 2] {
        let spread = self.look_up(self.splat_int(bits.cast_signed()), self.load(&BYTES_OF_BITS[0]));
        let single = self.join_four([ONE_BIT_EACH; 4]);
        [self.and(spread, single), single]
    }

    /// The half-precision numbers with these bits, all below 2^16.
    #[inline(always)]
    fn halves_of(self, ints: __m256i) -> __m256 {
        // SAFETY: see the module.
        unsafe {
            let (low, high) = (_mm256_castsi256_si128(ints), _mm256_extracti128_si256::<1>(ints));
            _mm256_cvtph_ps(_mm_packus_epi32(low, high))
        }
    }
}

/// The largest bytes that are not negative before a bit of [`ONE_BIT_EACH`] is added, and are where it is; but 1 where
/// the bit itself is negative.
const LESS_THAN_NEGATIVE: u64 = 0x0140_6070_787C_7E7F;

/// Where the bytes of word `2 j` are, eight times, then those of word `2 j + 1`, for four pairs.
static PAIRS: [[u8; 32]; 4] = {
    let mut pairs = [[0; 32]; 4];
    let mut i = 0;
    while i < 4 * 32 {
        let (pair, byte) = (i / 32, i % 32);
        pairs[pair][byte] = (4 * pair + 2 * (byte / 16) + byte % 2) as u8;
        i += 1;
    }
    pairs
};

/// Scales and minimums of a super-block, four scales and then four minimums in either number, from the low end: see
/// [`Simd::k_numbers`]. Plain numbers are taken apart while vectors compute.
#[inline(always)]
fn taken_apart(header: &[u8; 16]) -> [u64; 2] {
    let [_, _, _, _, first @ .., a, b, c, d] = *header;
    let (first, last) = (u64::from_le_bytes(first), u64::from(u32::from_le_bytes([a, b, c, d])));
    // The first four of each, and then the others: a nibble, and two bits from the top of the first.
    let low = first & 0x3F3F_3F3F_3F3F_3F3F;
    let high = (last | last << 28) & NIBBLES | first >> 2 & 0x3030_3030_3030_3030;
    [low, high]
}

/// There, where byte `j` is, as a word sixteen times, for each four of the scales.
static RUNS: [[u8; 32]; 4] = {
    let mut indices = [[NONE; 32]; 4];
    let mut i = 0;
    while i < 4 * 16 {
        indices[i / 16][i % 16 * 2] = (i / 16) as u8;
        i += 1;
    }
    indices
};

/// There, where the last four of eight bytes are, in each half of a register, as ints.
static MINIMUMS: [u8; 32] = {
    let mut indices = [NONE; 32];
    let mut i = 0;
    while i < 8 {
        indices[4 * i] = (4 + i % 4) as u8;
        i += 1;
    }
    indices
};
