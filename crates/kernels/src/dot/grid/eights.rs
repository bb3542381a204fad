//! The IQ2 types: points of 8 weights.

use briq_codec::points;
use briq_format::block::{IQ2_S, IQ2_XS, IQ2_XXS};
use briq_format::scalar::F16;
use zerocopy::transmute;

use super::Signed;
use super::scales::{nibble_scales, odd_scales, upper_scales};
use super::signs::{all_with_parity, even, four_with_parity, of_upper_sevens};
use crate::dot::twice;
use crate::simd::Simd;

/// The index of each point of 8 weights, and the table.
macro_rules! eights {
    ($table:expr, $index:expr) => {
        fn magnitude_bytes(&self, run: usize) -> [u8; 32] {
            let index: fn(&Self, usize) -> usize = $index;
            std::array::from_fn(|i| $table[index(self, 4 * run + i / 8)][i % 8])
        }
    };
}

/// The second numbers of the records.
#[inline(always)]
fn signs_and_scales<S: Simd>(block: &IQ2_XXS, simd: S) -> S::Ints {
    let [first, last]: [[u8; 32]; 2] = transmute!(block.records);
    simd.odd_ints(simd.load(&first), simd.load(&last))
}

impl Signed for IQ2_XXS {
    const UNIT: f32 = 0.125;

    fn scale(&self) -> F16 {
        self.scale
    }
    #[inline(always)]
    fn scales(&self) -> [i8; 16] {
        twice(|run| (self.records[run].signs_and_scale.get() >> 28) as i8 * 2 + 1)
    }
    #[inline(always)]
    fn scale_words<S: Simd>(&self, simd: S) -> S::Ints {
        upper_scales(simd, signs_and_scales(self, simd))
    }
    #[inline(always)]
    fn all_signs<S: Simd>(&self, simd: S) -> S::Ints {
        all_with_parity(simd, signs_and_scales(self, simd))
    }
    #[inline(always)]
    fn signs(&self, run: usize) -> u32 {
        four_with_parity(self.records[run].signs_and_scale.get())
    }
    #[inline(always)]
    fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints {
        simd.eights_at(&points::IQ2_XXS, simd.four_indices(&self.records[run].grid_indices))
    }
    eights!(points::IQ2_XXS, |block, k| usize::from(block.records[k / 4].grid_indices[k % 4]));
}

impl Signed for IQ2_XS {
    const UNIT: f32 = 0.125;

    fn scale(&self) -> F16 {
        self.scale
    }
    #[inline(always)]
    fn scales(&self) -> [i8; 16] {
        odd_scales(&self.scales)
    }
    #[inline(always)]
    fn scale_words<S: Simd>(&self, simd: S) -> S::Ints {
        nibble_scales(simd, self.scales)
    }
    #[inline(always)]
    fn all_signs<S: Simd>(&self, simd: S) -> S::Ints {
        of_upper_sevens(simd, &transmute!(self.grid_indices_and_signs))
    }
    #[inline(always)]
    fn signs(&self, run: usize) -> u32 {
        let index = |i: usize| u32::from(self.grid_indices_and_signs[4 * run + i].get() >> 9);
        even(index(0) | index(1) << 8 | index(2) << 16 | index(3) << 24)
    }
    #[inline(always)]
    fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints {
        let words: [[u8; 8]; 8] = transmute!(self.grid_indices_and_signs);
        simd.eights_at(&points::IQ2_XS, simd.four_words(words[run]))
    }
    eights!(points::IQ2_XS, |block, k| usize::from(block.grid_indices_and_signs[k].get() & 511));
}

impl Signed for IQ2_S {
    const UNIT: f32 = 0.125;

    fn scale(&self) -> F16 {
        self.scale
    }
    #[inline(always)]
    fn scales(&self) -> [i8; 16] {
        odd_scales(&self.scales)
    }
    #[inline(always)]
    fn scale_words<S: Simd>(&self, simd: S) -> S::Ints {
        nibble_scales(simd, self.scales)
    }
    #[inline(always)]
    fn all_signs<S: Simd>(&self, simd: S) -> S::Ints {
        simd.load(&self.signs)
    }
    #[inline(always)]
    fn stored_signs(&self) -> Option<&[u8; 32]> {
        Some(&self.signs)
    }
    #[inline(always)]
    fn signs(&self, run: usize) -> u32 {
        u32::from_le_bytes(self.signs.as_chunks().0[run])
    }
    #[inline(always)]
    fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints {
        let low = &self.grid_indices_low.as_chunks().0[run];
        simd.eights_at(&points::IQ2_S, simd.four_tens(low, self.grid_indices_high[run]))
    }
    eights!(points::IQ2_S, |block, k| {
        let high = usize::from(block.grid_indices_high[k / 4]) >> (2 * (k % 4)) & 3;
        usize::from(block.grid_indices_low[k]) | high << 8
    });
}
