//! AVX-512 with VNNI, VBMI and GFNI on registers of 32 bytes: four products at once, masks, bits moved inside bytes,
//! and bytes taken from anywhere.
//!
//! For what makes every block sound see [`common`](super::common).

use std::arch::x86_64::*;

use super::common::{common, load_16, sum_in_halves};
use super::indices::{FOUR_TIMES, LOWER_EIGHT_TIMES, NIBBLES, NONE, WORDS_TWICE};
use super::instructions::{
    float_everywhere, multiply_and_sum, opaque, permuted_bytes, permuted_words, three_times,
};
use super::wide;
use crate::simd::{Bits, EightBlocks, Simd};

/// Proof that the processor has AVX2, FMA, F16C, BMI1, BMI2, POPCNT, GFNI, and AVX-512 with F, BW, VL, VNNI and VBMI.
#[derive(Clone, Copy)]
pub(super) struct Avx512 {
    /// Whether it also has AVX512_BF16.
    bf16: bool,
}

impl Avx512 {
    /// Called only where these features are enabled.
    #[target_feature(
        enable = "avx2,fma,f16c,bmi1,bmi2,popcnt,avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi,gfni"
    )]
    pub(super) fn new() -> Self {
        Self { bf16: is_x86_feature_detected!("avx512bf16") }
    }
}

impl Simd for Avx512 {
    type Scales = [__m256i; 4];
    type Wide = __m512;

    common!();

    const IS_WIDE: bool = true;
    #[inline(always)]
    fn add_codes(
        self,
        sum: &mut __m512,
        ints: __m256i,
        bits: Bits<'_>,
        scales: Option<__m256i>,
        signed: &[i8; 256],
        by: &f32,
    ) {
        // SAFETY: see the module.
        let scales = scales.map(|scales| unsafe { wide::scales_of_sixteens(scales) });
        // SAFETY: see the module.
        unsafe { wide::add_codes(sum, ints, bits, scales, signed, by) }
    }
    #[inline(always)]
    fn add_k_codes(
        self,
        sum: &mut __m512,
        header: &[u8; 16],
        bits: Bits<'_>,
        signed: &[i8; 256],
        by: &f32,
    ) -> __m256i {
        let numbers = self.taken_apart(header);
        // SAFETY: see the module.
        let scales = unsafe { wide::scales_of_runs(numbers) };
        // SAFETY: see the module.
        unsafe { wide::add_codes(sum, self.zero(), bits, Some(scales), signed, by) };
        let [minimums] = self.picked(numbers, &[MINIMUMS]);
        minimums
    }
    #[inline(always)]
    fn add_scaled_nibbles(
        self,
        sum: &mut __m512,
        blocks: EightBlocks<'_>,
        table: Option<__m256i>,
        signed: &[i8; 256],
        (zero_points, doublings): (&[[i32; 16]; 2], i32),
        scales: &[f32; 8],
    ) {
        // SAFETY: see the module.
        unsafe {
            let zero_points = wide::doubled(zero_points, doublings);
            wide::add_scaled_nibbles(sum, blocks, table, signed, zero_points, scales);
        }
    }
    #[inline(always)]
    fn wide_zeros(self) -> __m512 {
        // SAFETY: see the module.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    fn folded(self, wide: __m512) -> __m256 {
        // SAFETY: see the module.
        let bits = unsafe { _mm512_castps_si512(wide) };
        // SAFETY: see the module.
        let last = unsafe { _mm256_castsi256_ps(_mm512_extracti64x4_epi64::<1>(bits)) };
        // SAFETY: see the module.
        self.add_floats(unsafe { _mm512_castps512_ps256(wide) }, last)
    }
    #[inline(always)]
    fn add_wide(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the module.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn add_f32(self, sum: __m512, a: &[u8; 128], b: &[u8; 128]) -> __m512 {
        // SAFETY: see the module.
        unsafe { wide::add_f32(sum, a, b) }
    }
    #[inline(always)]
    fn add_f16(self, sum: __m512, a: &[u8; 64], b: &[u8; 128]) -> __m512 {
        // SAFETY: see the module.
        unsafe { wide::add_f16(sum, a, b) }
    }
    #[inline(always)]
    fn add_bf16(self, sum: __m512, a: &[u8; 64], b: &[u8; 64]) -> __m512 {
        match self.bf16 {
            // SAFETY: the processor has the instruction; for the others see the module.
            true => unsafe { wide::add_bf16(sum, a, b) },
            // SAFETY: see the module.
            false => unsafe { wide::add_widened(sum, a, b) },
        }
    }
    #[inline(always)]
    fn multiplies_bf16(self) -> bool {
        self.bf16
    }

    #[inline(always)]
    fn scales_by_16(self, words: __m256i) -> [__m256i; 4] {
        self.permuted(words, &BY_16)
    }
    #[inline(always)]
    fn k_numbers(self, header: &[u8; 16]) -> [__m256i; 2] {
        self.picked(self.taken_apart(header), &[SCALES, MINIMUMS])
    }
    #[inline(always)]
    fn k_scales(self, header: &[u8; 16]) -> ([__m256i; 4], __m256i) {
        let numbers = self.taken_apart(header);
        let [minimums] = self.picked(numbers, &[MINIMUMS]);
        (self.picked(numbers, &RUNS), minimums)
    }
    #[inline(always)]
    fn add_pair(
        self,
        ints: __m256i,
        [a, b]: [__m256i; 2],
        [x, y]: [__m256i; 2],
        scales: &[__m256i; 4],
        pair: usize,
    ) -> __m256i {
        // Four products of 64 and 127 fit a word: both runs are scaled at once.
        let (a, b) = (self.add_dot(self.zero(), a, x), self.add_dot(self.zero(), b, y));
        // SAFETY: see the module.
        unsafe { multiply_and_sum(ints, _mm256_packs_epi32(a, b), scales[pair]) }
    }
    #[inline(always)]
    fn load_nibbles(self, bytes: &[u8; 16]) -> __m256i {
        self.transform(self.load_twice(bytes), [LOW, LOW, HIGH, HIGH])
    }
    #[inline(always)]
    fn load_nibbles_by_eight(self, bytes: &[u8; 16]) -> __m256i {
        let twice = self.load_twice(bytes);
        // SAFETY: see the module.
        let eights = unsafe { _mm256_permute4x64_epi64::<0b01_01_00_00>(twice) };
        self.transform(eights, [LOW, HIGH, LOW, HIGH])
    }
    #[inline(always)]
    fn bits<const FROM: u32, const COUNT: u32, const TO: u32>(self, bytes: __m256i) -> __m256i {
        if FROM == TO {
            return self.and(bytes, self.splat((((1_u32 << COUNT) - 1) << TO) as u8));
        }
        self.transform(bytes, [const { moved(FROM, COUNT, TO) }; 4])
    }
    #[inline(always)]
    fn bytes_where(self, bits: u32, byte: u8) -> __m256i {
        // SAFETY: see the module.
        unsafe { _mm256_maskz_mov_epi8(bits, self.splat(byte)) }
    }
    #[inline(always)]
    fn four_tens(self, low: &[u8; 4], high: u8) -> [usize; 4] {
        let low = u32::from_le_bytes(*low).into();
        // SAFETY: see the module.
        let words =
            unsafe { _pdep_u64(low, 0x00FF_00FF_00FF_00FF) | _pdep_u64(high.into(), 0x0300_0300_0300_0300) };
        self.four_words(words.to_le_bytes())
    }
    #[inline(always)]
    fn eights_at<const N: usize>(self, table: &[[u8; 8]; N], places: [usize; 4]) -> __m256i {
        let [a, b, c, d] = places.map(|place| i64::from_le_bytes(table[place % N]));
        // SAFETY: see the module.
        unsafe {
            let one = _mm256_castsi128_si256(_mm_cvtsi64_si128(a));
            let two = _mm256_mask_set1_epi64(one, 0b0010, b);
            let three = _mm256_mask_set1_epi64(two, 0b0100, c);
            _mm256_mask_set1_epi64(three, 0b1000, d)
        }
    }
    #[inline(always)]
    fn made_even(self, bytes: __m256i) -> __m256i {
        // Seven bits stay, and their sum is the eighth.
        const EVEN: u64 = moved(0, 7, 0) | 0x7F;
        self.transform(bytes, [EVEN; 4])
    }
    #[inline(always)]
    fn negate_where(self, bytes: __m256i, bits: &[u8; 32], run: usize) -> __m256i {
        let bits = u32::from_le_bytes(bits.as_chunks().0[run]);
        // SAFETY: see the module.
        unsafe { _mm256_mask_sub_epi8(bytes, bits, self.zero(), bytes) }
    }
    #[inline(always)]
    fn add_scaled(self, ints: __m256i, words: __m256i, scales: __m256i) -> __m256i {
        // SAFETY: see the module.
        unsafe { multiply_and_sum(ints, words, scales) }
    }
    #[inline(always)]
    fn add_dot(self, ints: __m256i, codes: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: see the module.
        unsafe { _mm256_dpbusd_epi32(ints, codes, signed) }
    }
    #[inline(always)]
    fn add_small(self, sums: __m256i, codes: __m256i, signed: __m256i) -> __m256i {
        self.add_dot(sums, codes, signed)
    }
    #[inline(always)]
    fn small_sums(self, sums: __m256i) -> __m256i {
        sums
    }
    #[inline(always)]
    fn small_sums_and_quarters(self, sums: __m256i, fourfold: __m256i) -> __m256i {
        self.add(sums, self.shift_right_ints::<2>(fourfold))
    }
    #[inline(always)]
    fn add_digits(
        self,
        [first, last]: [__m256i; 2],
        fractions: __m256i,
        next: __m256i,
        signed: __m256i,
    ) -> [__m256i; 2] {
        [self.add_dot(first, fractions, signed), self.add_dot(last, next, signed)]
    }
    #[inline(always)]
    fn digit_sums(self, [first, last]: [__m256i; 2]) -> __m256i {
        // Three times the fraction is 256 times the digit and the next fraction. So are the sums of products.
        let thrice = self.add(first, self.add(first, first));
        self.shift_right_ints::<8>(self.subtract(thrice, last))
    }
    #[inline(always)]
    fn bias(self, signed: __m256i) -> __m256i {
        // As a byte without sign this is 128 more.
        // SAFETY: see the module.
        unsafe { _mm256_xor_si256(signed, _mm256_set1_epi8(i8::MIN)) }
    }
    #[inline(always)]
    fn add_biased_dot(self, ints: __m256i, biased: __m256i, signed: __m256i) -> __m256i {
        self.add_dot(ints, biased, signed)
    }
    #[inline(always)]
    fn unbias(self, products: __m256i, negative_sums: __m256i) -> __m256i {
        self.add(products, self.shift_left_ints::<7>(negative_sums))
    }
    #[inline(always)]
    fn load_raised_nibbles(self, bytes: &[u8; 16]) -> __m256i {
        // SAFETY: see the module.
        let kept = unsafe { _mm256_set_m128i(_mm_set1_epi8(0xF0_u8.cast_signed()), _mm_set1_epi8(0x0F)) };
        self.and(self.load_twice(bytes), kept)
    }
    #[inline(always)]
    fn sum_raised(self, registers: [__m256i; 8]) -> __m256i {
        // SAFETY: see the module.
        let [first, last] = unsafe { sum_in_halves(registers) };
        // SAFETY: see the module.
        unsafe {
            let low = _mm256_permute2x128_si256::<0x20>(first, last);
            let high = _mm256_permute2x128_si256::<0x31>(first, last);
            self.add(low, _mm256_srai_epi32::<4>(high))
        }
    }
    #[inline(always)]
    fn gather(self, ints: [u32; 8]) -> __m256i {
        let mut gathered = self.splat_int(ints[0].cast_signed());
        let mut lane = 1;
        while lane < 8 {
            // SAFETY: see the module.
            gathered = unsafe { _mm256_mask_set1_epi32(gathered, 1 << lane, ints[lane].cast_signed()) };
            lane += 1;
        }
        gathered
    }
    #[inline(always)]
    fn low_halves(self, ints: __m256i) -> __m256 {
        // SAFETY: see the module.
        unsafe { _mm256_cvtph_ps(_mm256_cvtepi32_epi16(ints)) }
    }
    #[inline(always)]
    fn high_halves(self, ints: __m256i) -> __m256 {
        // SAFETY: see the module.
        unsafe { _mm256_cvtph_ps(_mm256_cvtepi32_epi16(_mm256_srli_epi32::<16>(ints))) }
    }
}

impl Avx512 {
    /// Scales and minimums of a super-block, four of each and then the others: see [`Simd::k_numbers`].
    #[inline(always)]
    fn taken_apart(self, header: &[u8; 16]) -> __m128i {
        let header = load_16(header);
        // SAFETY: see the module.
        unsafe {
            // The first four of each, and above them the high bits of the last, which are those of a nibble.
            let sixes = _mm_shuffle_epi32::<0b10_01_10_01>(header);
            let moves = _mm_set_epi64x(moved(6, 2, 4).cast_signed(), moved(0, 6, 0).cast_signed());
            let sixes = _mm_gf2p8affine_epi64_epi8::<0>(sixes, moves);
            let places = _mm_set_epi64x(0x3C34_2C24_3830_2820, 0);
            let fours = _mm_multishift_epi64_epi8(places, header);
            _mm_or_si128(sixes, _mm_and_si128(fours, _mm_set_epi64x(NIBBLES.cast_signed(), 0)))
        }
    }

    /// The bytes at each of the indices.
    #[inline(always)]
    fn picked<const N: usize>(self, bytes: __m128i, indices: &[[u8; 32]; N]) -> [__m256i; N] {
        // SAFETY: see the module.
        let bytes = unsafe { _mm256_zextsi128_si256(bytes) };
        let mut picked = [self.zero(); N];
        let mut i = 0;
        while i < N {
            // SAFETY: see the module.
            picked[i] = unsafe { permuted_bytes(bytes, self.load(&indices[i])) };
            i += 1;
        }
        picked
    }

    /// The words at each of the indices.
    #[inline(always)]
    fn permuted<const N: usize>(self, words: __m256i, indices: &[[i16; 16]; N]) -> [__m256i; N] {
        let mut permuted = [words; N];
        let mut i = 0;
        while i < N {
            // SAFETY: see the module.
            permuted[i] = unsafe { permuted_words(words, self.load_words(&indices[i])) };
            i += 1;
        }
        permuted
    }

    /// Moves bits inside bytes: each eight of them by a matrix of their own.
    #[inline(always)]
    fn transform(self, bytes: __m256i, [a, b, c, d]: [u64; 4]) -> __m256i {
        let matrices = self.join_four([a, b, c, d]);
        // SAFETY: see the module.
        unsafe { _mm256_gf2p8affine_epi64_epi8::<0>(bytes, matrices) }
    }
}

/// The matrix that moves bits `from` to `from + count` of a byte to `to`. Its bytes, the last one first, say which bits
/// go into each bit of the result.
pub(super) const fn moved(from: u32, count: u32, to: u32) -> u64 {
    let mut rows = [0; 8];
    let mut i = 0;
    while i < count {
        rows[(7 - to - i) as usize] = 1 << (from + i);
        i += 1;
    }
    u64::from_le_bytes(rows)
}

/// Keeps the lower nibble, or brings down the higher one.
pub(super) const LOW: u64 = moved(0, 4, 0);
pub(super) const HIGH: u64 = moved(4, 4, 0);

/// Where two runs of sums are packed, each four in turn: the word that is the scale of each 16 weights.
static BY_16: [[i16; 16]; 4] = {
    let mut indices = [[0; 16]; 4];
    let mut i = 0;
    while i < 4 * 16 {
        let (pair, half, second) = (i / 16, i / 8 % 2, i / 4 % 2);
        indices[pair][i % 16] = (4 * pair + 2 * second + half) as i16;
        i += 1;
    }
    indices
};

/// Where the scales of a super-block are when they are taken apart, as ints.
const SCALES: [u8; 32] = ints_from([0, 1, 2, 3, 8, 9, 10, 11]);

/// There, where the minimums are.
const MINIMUMS: [u8; 32] = ints_from([4, 5, 6, 7, 12, 13, 14, 15]);

/// There, where the scale of a run of 32 weights is.
pub(super) const fn scale_of(run: usize) -> u8 {
    (run / 4 * 8 + run % 4) as u8
}

/// The indices that make ints of bytes at eight places.
const fn ints_from(places: [u8; 8]) -> [u8; 32] {
    let mut indices = [NONE; 32];
    let mut i = 0;
    while i < 8 {
        indices[4 * i] = places[i];
        i += 1;
    }
    indices
}

/// Where two runs of sums are packed, the byte that becomes the word that is the scale of each 32 weights.
const RUNS: [[u8; 32]; 4] = {
    let mut indices = [[NONE; 32]; 4];
    let mut i = 0;
    while i < 4 * 16 {
        let (pair, second) = (i / 16, i / 4 % 2);
        indices[pair][i % 16 * 2] = scale_of(2 * pair + second);
        i += 1;
    }
    indices
};
