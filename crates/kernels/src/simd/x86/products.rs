//! Numbers in registers, and what is added and multiplied of them, with AVX2.
//!
//! For what makes every block sound see [`common`](super::common).

/// The operations of [`Simd`](crate::simd::Simd) that compute with integers.
macro_rules! products {
    () => {
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
            // SAFETY: see the module.
            let [first, last] = unsafe { sum_in_halves(registers) };
            // The first sums of the first registers beside the last ones of the others, and what is missing of each.
            // SAFETY: see the module.
            unsafe {
                let kept = _mm256_blend_epi32::<0xF0>(first, last);
                self.add(kept, _mm256_permute2x128_si256::<0x21>(first, last))
            }
        }
    };
}
pub(super) use products;
