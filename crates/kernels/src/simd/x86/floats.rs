//! Floats, with AVX2, FMA and F16C.
//!
//! For what makes every block sound see [`common`](super::common).

/// The operations of [`Simd`](crate::simd::Simd) that make floats and compute with them.
macro_rules! floats {
    () => {
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
        fn everywhere(self, float: &f32) -> __m256 {
            // SAFETY: see the module.
            unsafe { float_everywhere(float) }
        }
        #[inline(always)]
        fn scaled_halves(self, halves: &[u8; 8], by: f32) -> [f32; 4] {
            let mut scaled = [0.0; 4];
            // SAFETY: 8 readable bytes and 16 writable ones; see the module.
            unsafe {
                let floats = _mm_cvtph_ps(_mm_loadl_epi64(halves.as_ptr().cast()));
                _mm_storeu_ps(scaled.as_mut_ptr(), _mm_mul_ps(floats, _mm_set1_ps(by)));
            }
            scaled
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
        fn load_f16(self, halves: &[u16; 8]) -> __m256 {
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
pub(super) use floats;
