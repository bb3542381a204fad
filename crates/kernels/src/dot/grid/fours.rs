//! The IQ3 types: points of 4 weights.

use briq_codec::points;
use briq_format::block::{IQ3_S, IQ3_XXS};
use briq_format::scalar::F16;
use zerocopy::transmute;

use super::Signed;
use super::scales::{nibble_scales, nibbles_twice, odd, upper_scales};
use super::signs::{all_with_parity, four_with_parity};
use crate::dot::twice;
use crate::simd::Simd;

/// Eight points of 4 weights each.
macro_rules! fours {
    ($table:expr, $index:expr) => {
        #[inline(always)]
        fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints {
            let index: fn(&Self, usize) -> usize = $index;
            let mut places = [0; 8];
            unrolled!(i in 0 1 2 3 4 5 6 7 => {
                places[i] = index(self, 8 * run + i);
            });
            simd.fours_at(&$table, places)
        }

        fn magnitude_bytes(&self, run: usize) -> [u8; 32] {
            let index: fn(&Self, usize) -> usize = $index;
            std::array::from_fn(|i| $table[index(self, 8 * run + i / 4)][i % 4])
        }
    };
}

impl Signed for IQ3_XXS {
    const UNIT: f32 = 0.25;

    fn scale(&self) -> F16 {
        self.scale
    }
    #[inline(always)]
    fn scales(&self) -> [i8; 16] {
        twice(|run| (self.signs_and_scales[run].get() >> 28) as i8 * 2 + 1)
    }
    #[inline(always)]
    fn scale_words<S: Simd>(&self, simd: S) -> S::Ints {
        upper_scales(simd, simd.load(&transmute!(self.signs_and_scales)))
    }
    #[inline(always)]
    fn all_signs<S: Simd>(&self, simd: S) -> S::Ints {
        all_with_parity(simd, simd.load(&transmute!(self.signs_and_scales)))
    }
    #[inline(always)]
    fn signs(&self, run: usize) -> u32 {
        four_with_parity(self.signs_and_scales[run].get())
    }
    fours!(points::IQ3_XXS, |block, j| usize::from(block.grid_indices[j]));
}

impl Signed for IQ3_S {
    const UNIT: f32 = 1.0;

    fn scale(&self) -> F16 {
        self.scale
    }
    #[inline(always)]
    fn scales(&self) -> [i8; 16] {
        twice(|run| odd(&self.scales, run))
    }
    #[inline(always)]
    fn scale_words<S: Simd>(&self, simd: S) -> S::Ints {
        let [a, b, c, d] = self.scales;
        nibble_scales(simd, nibbles_twice([a, b, c, d]))
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
    fours!(points::IQ3_S, |block, j| {
        let high = usize::from(block.grid_indices_high[j / 8]) >> (j % 8) & 1;
        usize::from(block.grid_indices_low[j]) | high << 8
    });
}
