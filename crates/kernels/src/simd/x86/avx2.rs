//! AVX2: products of bytes are summed as words, and words as ints.
//!
//! For what makes every block sound see [`common`](super::common).

use std::arch::x86_64::*;

use super::common::{FOUR_TIMES, NIBBLES, PAIRS, SINGLES, common, load_16, shuffled, sum_in_halves};
use crate::simd::Simd;

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
    common!();

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
        let spread = self.look_up(self.splat_int(bits.cast_signed()), self.load(&BYTE_OF_BIT));
        let single = self.join_four([0x8040_2010_0804_0201; 4]);
        // SAFETY: see the module.
        let set = unsafe { _mm256_cmpeq_epi8(self.and(spread, single), single) };
        self.and(set, self.splat(byte))
    }
    #[inline(always)]
    fn negate_where(self, bytes: __m256i, bits: u32) -> __m256i {
        let negative = self.bytes_where(bits, 0xFF);
        // SAFETY: see the module.
        unsafe { _mm256_sub_epi8(_mm256_xor_si256(bytes, negative), negative) }
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

impl Avx2 {
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

/// The byte, in each half of a register with the same four bytes all over, that holds bit `i`.
static BYTE_OF_BIT: [u8; 32] = {
    let mut bytes = [0; 32];
    let mut i = 0;
    while i < 32 {
        bytes[i] = (i / 8) as u8;
        i += 1;
    }
    bytes
};
