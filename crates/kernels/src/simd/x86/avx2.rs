//! AVX2: products of bytes are summed as words, and words as ints.
//!
//! For what makes every block sound see [`common`](super::common).

use std::arch::x86_64::*;

use super::common::{PAIRS, SINGLES, common, load_16};
use crate::simd::Simd;

/// Proof that the processor has AVX2, FMA and F16C.
#[derive(Clone, Copy)]
pub(super) struct Avx2(());

impl Avx2 {
    /// Called only where these features are enabled.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn new() -> Self {
        Self(())
    }
}

impl Simd for Avx2 {
    common!();

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
    fn biased_dot(self, biased: __m256i, signed: __m256i, _: i32) -> __m256i {
        self.add_scaled(self.zero(), self.signed_products(biased, signed), self.splat_word(1))
    }
}

impl Avx2 {
    #[inline(always)]
    fn splat_int(self, int: i32) -> __m256i {
        // SAFETY: see the module.
        unsafe { _mm256_set1_epi32(int) }
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
