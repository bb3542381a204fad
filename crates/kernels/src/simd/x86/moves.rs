//! Loading, storing, and bytes that go to other places, with AVX2.
//!
//! For what makes every block sound see [`common`](super::common).

/// The operations of [`Simd`](crate::simd::Simd) that move bytes.
macro_rules! moves {
    () => {
        #[inline(always)]
        fn fetch_line(self, place: *const u8) {
            // SAFETY: nothing is read; see the module.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) }
        }
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
        fn subtract_bytes(self, a: __m256i, b: __m256i) -> __m256i {
            // SAFETY: see the module.
            unsafe { _mm256_sub_epi8(a, b) }
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
    };
}
pub(super) use moves;
