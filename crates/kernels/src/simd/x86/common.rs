//! What AVX2 and AVX-512 do alike.
//!
//! # Safety
//! Every block is one intrinsic. A token such as `Avx2` is made only inside a function that enables its features, and
//! that function is called only where they were detected; what an intrinsic needs of memory is the size of the array
//! that it is given, at any address.

/// The operations of [`Simd`](crate::simd::Simd) that need AVX2, FMA and F16C alone.
macro_rules! common {
    () => {
        type Ints = __m256i;
        type Floats = __m256;

        #[inline(always)]
        fn load(self, bytes: &[u8; 32]) -> __m256i {
            // SAFETY: 32 readable bytes; see the module.
            unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
        }
        #[inline(always)]
        fn load_signed(self, bytes: &[i8; 32]) -> __m256i {
            // SAFETY: 32 readable bytes; see the module.
            unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
        }
        #[inline(always)]
        fn load_words(self, words: &[i16; 16]) -> __m256i {
            // SAFETY: 32 readable bytes; see the module.
            unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
        }
        #[inline(always)]
        fn load_ints(self, ints: &[i32; 8]) -> __m256i {
            // SAFETY: 32 readable bytes; see the module.
            unsafe { _mm256_loadu_si256(ints.as_ptr().cast()) }
        }
        #[inline(always)]
        fn store(self, bytes: __m256i, to: &mut [u8; 32]) {
            // SAFETY: 32 writable bytes; see the module.
            unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), bytes) }
        }
        #[inline(always)]
        fn store_signed(self, bytes: __m256i, to: &mut [i8; 32]) {
            // SAFETY: 32 writable bytes; see the module.
            unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), bytes) }
        }
        #[inline(always)]
        fn store_ints(self, ints: __m256i, to: &mut [i32; 8]) {
            // SAFETY: 32 writable bytes; see the module.
            unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), ints) }
        }
        #[inline(always)]
        fn store_words(self, words: __m256i, to: &mut [i16; 16]) {
            // SAFETY: 32 writable bytes; see the module.
            unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), words) }
        }
        #[inline(always)]
        fn k_scales(self, first: u64, last: u64) -> (Self::Scales, __m256i) {
            const HALF: usize = RUNS.len();
            // SAFETY: see the module.
            let (first, last) = unsafe { (everywhere(first), everywhere(last)) };
            let mut spread = [first; 2 * HALF];
            let mut i = 0;
            while i < 2 * HALF {
                let bytes = if i < HALF { first } else { last };
                // SAFETY: see the module.
                spread[i] = unsafe { shuffled(bytes, self.load(&RUNS[i % HALF])) };
                i += 1;
            }
            (spread, self.look_up(self.halves(first, last), self.load(&MINIMUMS)))
        }
        #[inline(always)]
        fn load_twice(self, bytes: &[u8; 16]) -> __m256i {
            let once = load_16(bytes);
            // SAFETY: see the module.
            unsafe { _mm256_broadcastsi128_si256(once) }
        }
        #[inline(always)]
        fn join_four(self, [a, b, c, d]: [u64; 4]) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_setr_epi64x(a.cast_signed(), b.cast_signed(), c.cast_signed(), d.cast_signed()) }
        }
        #[inline(always)]
        fn three_times(self, bytes: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { three_times(bytes) }
        }
        #[inline(always)]
        fn one_of_each(self, [a, b, c, d]: [__m256i; 4]) -> __m256i {
            // SAFETY: see the module.
            unsafe {
                let (ab, cd) = (_mm256_blend_epi32::<0x22>(a, b), _mm256_blend_epi32::<0x88>(c, d));
                _mm256_blend_epi32::<0xCC>(ab, cd)
            }
        }
        #[inline(always)]
        fn opaque(self, number: u64) -> u64 {
            opaque(number)
        }
        #[inline(always)]
        fn join_eight(self, fours: [u32; 8]) -> __m256i {
            let [a, b, c, d, e, f, g, h] = fours;
            // SAFETY: see the module.
            unsafe {
                _mm256_setr_epi32(
                    a.cast_signed(),
                    b.cast_signed(),
                    c.cast_signed(),
                    d.cast_signed(),
                    e.cast_signed(),
                    f.cast_signed(),
                    g.cast_signed(),
                    h.cast_signed(),
                )
            }
        }
        #[inline(always)]
        fn eight_times(self, words: u64) -> __m256i {
            self.look_up(self.join_four([words; 4]), self.load(&LOWER_EIGHT_TIMES))
        }
        #[inline(always)]
        fn words_twice(self, words: &[u8; 16]) -> __m256i {
            self.look_up(self.load_twice(words), self.load(&WORDS_TWICE))
        }
        #[inline(always)]
        fn odd_ints(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe {
                let (a, b) = (_mm256_castsi256_ps(a), _mm256_castsi256_ps(b));
                let odd = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(a, b));
                _mm256_permute4x64_epi64::<0b11_01_10_00>(odd)
            }
        }
        #[inline(always)]
        fn upper_sevens(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe {
                let packed = _mm256_packus_epi16(_mm256_srli_epi16::<9>(a), _mm256_srli_epi16::<9>(b));
                _mm256_permute4x64_epi64::<0b11_01_10_00>(packed)
            }
        }
        #[inline(always)]
        fn words(self, bytes: &[i8; 16]) -> __m256i {
            let bytes = load_16(&bytes.map(i8::cast_unsigned));
            // SAFETY: see the module.
            unsafe { _mm256_cvtepi8_epi16(bytes) }
        }
        #[inline(always)]
        fn byte_words(self, [first, last]: [u64; 2]) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_cvtepu8_epi16(_mm_set_epi64x(last.cast_signed(), first.cast_signed())) }
        }
        #[inline(always)]
        fn nibble_words(self, bytes: [u8; 8]) -> __m256i {
            let bytes = u64::from_le_bytes(bytes);
            let (low, high) = (bytes & NIBBLES, bytes >> 4 & NIBBLES);
            // SAFETY: see the module.
            unsafe {
                let (low, high) =
                    (_mm_cvtsi64_si128(low.cast_signed()), _mm_cvtsi64_si128(high.cast_signed()));
                _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(low, high))
            }
        }
        #[inline(always)]
        fn triple_words(self, [a, b, c, d]: [u16; 4]) -> __m256i {
            let four = u64::from(a) | u64::from(b) << 16 | u64::from(c) << 32 | u64::from(d) << 48;
            // A field is moved to the upper end of its word, past what is above it, and then to the lower end.
            // SAFETY: see the module.
            unsafe {
                let spread = self.look_up(_mm256_set1_epi64x(four.cast_signed()), self.load(&FOUR_TIMES));
                let moved = _mm256_mullo_epi16(spread, _mm256_set1_epi64x(0x0010_0080_0400_2000));
                _mm256_srli_epi16::<13>(moved)
            }
        }
        #[inline(always)]
        fn add_words(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_add_epi16(a, b) }
        }
        #[inline(always)]
        fn multiply_words(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_mullo_epi16(a, b) }
        }
        #[inline(always)]
        fn ints(self, bytes: [u8; 8]) -> __m256i {
            // SAFETY: see the module.
            let bytes = unsafe { _mm_cvtsi64_si128(i64::from_le_bytes(bytes)) };
            // SAFETY: see the module.
            unsafe { _mm256_cvtepu8_epi32(bytes) }
        }

        #[inline(always)]
        fn zero(self) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_setzero_si256() }
        }
        #[inline(always)]
        fn splat(self, byte: u8) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_set1_epi8(byte.cast_signed()) }
        }
        #[inline(always)]
        fn splat_word(self, word: i16) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_set1_epi16(word) }
        }
        #[inline(always)]
        fn splat_int(self, int: i32) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_set1_epi32(int) }
        }
        #[inline(always)]
        fn first(self, int: i32) -> __m256i {
            // SAFETY: see the module.
            let int = unsafe { _mm_cvtsi32_si128(int) };
            // SAFETY: see the module.
            unsafe { _mm256_zextsi128_si256(int) }
        }
        #[inline(always)]
        fn and(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_and_si256(a, b) }
        }
        #[inline(always)]
        fn or(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_or_si256(a, b) }
        }
        #[inline(always)]
        fn add(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_add_epi32(a, b) }
        }
        #[inline(always)]
        fn subtract(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_sub_epi32(a, b) }
        }
        #[inline(always)]
        fn shift_right_ints<const BITS: i32>(self, ints: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_srai_epi32::<BITS>(ints) }
        }
        #[inline(always)]
        fn shift_left_ints<const BITS: i32>(self, ints: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_slli_epi32::<BITS>(ints) }
        }
        #[inline(always)]
        fn alternate_words(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_blend_epi16::<0xAA>(a, _mm256_slli_epi32::<16>(b)) }
        }
        #[inline(always)]
        fn halves(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_blend_epi32::<0xF0>(a, b) }
        }

        #[inline(always)]
        fn table(self, levels: &[i8; 16]) -> __m256i {
            self.load_twice(&levels.map(i8::cast_unsigned))
        }
        #[inline(always)]
        fn look_up(self, table: __m256i, indices: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_shuffle_epi8(table, indices) }
        }
        #[inline(always)]
        fn scaled_pair(self, halves: u32, by: f32) -> [f32; 2] {
            // SAFETY: see the module.
            unsafe {
                let floats = _mm_cvtph_ps(_mm_cvtsi32_si128(halves.cast_signed()));
                let floats = _mm_mul_ps(floats, _mm_set1_ps(by));
                [_mm_cvtss_f32(floats), _mm_cvtss_f32(_mm_movehdup_ps(floats))]
            }
        }

        #[inline(always)]
        fn products(self, codes: __m256i, signed: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_maddubs_epi16(codes, signed) }
        }
        #[inline(always)]
        fn signed_products(self, a: __m256i, b: __m256i) -> __m256i {
            // The sign goes over to the other factor. A magnitude of 128 is a byte without sign, and two products
            // with -127 stay above -2^15.
            // SAFETY: see the module.
            let (magnitude, b) = unsafe { (_mm256_abs_epi8(a), _mm256_sign_epi8(b, a)) };
            self.products(magnitude, b)
        }
        #[inline(always)]
        fn multiply_ints(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_mullo_epi32(a, b) }
        }

        #[inline(always)]
        fn transpose(self, [a, b, c, d, e, f, g, h]: [__m256i; 8]) -> [__m256i; 8] {
            /// Int `i` of each half of the four, in the half of register `i`.
            #[inline(always)]
            fn fours([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
                // SAFETY: see the module.
                unsafe {
                    let (low, high) = (_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
                    let (low_2, high_2) = (_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
                    [
                        _mm256_unpacklo_epi64(low, low_2),
                        _mm256_unpackhi_epi64(low, low_2),
                        _mm256_unpacklo_epi64(high, high_2),
                        _mm256_unpackhi_epi64(high, high_2),
                    ]
                }
            }
            let (first, last) = (fours([a, b, c, d]), fours([e, f, g, h]));
            let mut transposed = [a; 8];
            let mut i = 0;
            while i < 4 {
                // SAFETY: see the module.
                unsafe {
                    transposed[i] = _mm256_permute2x128_si256::<0x20>(first[i], last[i]);
                    transposed[i + 4] = _mm256_permute2x128_si256::<0x31>(first[i], last[i]);
                }
                i += 1;
            }
            transposed
        }
        #[inline(always)]
        fn sum_eight(self, registers: [__m256i; 8]) -> __m256i {
            let [low, high] = sum_in_halves(registers);
            self.add(low, high)
        }

        #[inline(always)]
        fn to_floats(self, ints: __m256i) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_cvtepi32_ps(ints) }
        }
        #[inline(always)]
        fn zeros(self) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_setzero_ps() }
        }
        #[inline(always)]
        fn splat_float(self, float: f32) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_set1_ps(float) }
        }
        #[inline(always)]
        fn two_floats(self, [a, b]: [f32; 2]) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_setr_ps(a, a, a, a, b, b, b, b) }
        }
        #[inline(always)]
        fn load_floats(self, floats: &[f32; 8]) -> __m256 {
            // SAFETY: 32 readable bytes; see the module.
            unsafe { _mm256_loadu_ps(floats.as_ptr()) }
        }
        #[inline(always)]
        fn store_floats(self, floats: __m256, to: &mut [f32; 8]) {
            // SAFETY: 32 writable bytes; see the module.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), floats) }
        }
        #[inline(always)]
        fn load_halves(self, halves: &[u16; 8]) -> __m256 {
            // SAFETY: 16 readable bytes; see the module.
            let halves = unsafe { _mm_loadu_si128(halves.as_ptr().cast()) };
            // SAFETY: see the module.
            unsafe { _mm256_cvtph_ps(halves) }
        }
        #[inline(always)]
        fn half(self, bits: u16) -> f32 {
            // Left to itself, the compiler inserts the word into a register that a sum is in, and waits for that.
            let bits = opaque(bits.into()) as i32;
            // SAFETY: see the module.
            let bits = unsafe { _mm_cvtsi32_si128(bits) };
            // SAFETY: see the module.
            unsafe { _mm_cvtss_f32(_mm_cvtph_ps(bits)) }
        }
        #[inline(always)]
        fn float_bits(self, floats: __m256) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_castps_si256(floats) }
        }
        #[inline(always)]
        fn reinterpret(self, ints: __m256i) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_castsi256_ps(ints) }
        }
        #[inline(always)]
        fn multiply(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_mul_ps(a, b) }
        }
        #[inline(always)]
        fn multiply_add(self, a: __m256, b: __m256, c: __m256) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_fmadd_ps(a, b, c) }
        }
        #[inline(always)]
        fn add_floats(self, a: __m256, b: __m256) -> __m256 {
            // SAFETY: see the module.
            unsafe { _mm256_add_ps(a, b) }
        }
    };
}
pub(super) use common;

/// The sums of the first four ints of each register, then those of the last four: `[a, b]` has these of register `i` in
/// lane `i`. Only for those who know that the processor has AVX2.
#[inline(always)]
pub(super) fn sum_in_halves(registers: [__m256i; 8]) -> [__m256i; 2] {
    /// Sums neighbours: those of `a` in the even lanes, those of `b` in the odd ones.
    #[inline(always)]
    fn neighbours(a: __m256i, b: __m256i) -> __m256i {
        // Two blends and a shuffle instead of two shuffles: blends run on every port.
        // SAFETY: see the module.
        unsafe {
            let (same, other) = (_mm256_blend_epi32::<0xAA>(a, b), _mm256_blend_epi32::<0x55>(a, b));
            _mm256_add_epi32(same, _mm256_shuffle_epi32::<0xB1>(other))
        }
    }
    /// Sums every second: those of `a` in the first two lanes of a half, those of `b` in the last two.
    #[inline(always)]
    fn seconds(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: see the module.
        unsafe { _mm256_add_epi32(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)) }
    }
    let [a, b, c, d, e, f, g, h] = registers;
    let first = seconds(neighbours(a, b), neighbours(c, d));
    let last = seconds(neighbours(e, f), neighbours(g, h));
    // SAFETY: see the module.
    unsafe {
        [_mm256_permute2x128_si256::<0x20>(first, last), _mm256_permute2x128_si256::<0x31>(first, last)]
    }
}

use std::arch::x86_64::*;

/// 16 bytes, at any address. The instruction is in every x86-64.
#[inline(always)]
pub(super) fn load_16(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the reference covers 16 readable bytes.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}
