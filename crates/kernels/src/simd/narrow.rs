//! What an instruction set has whose widest registers are of 32 bytes.

use super::{PAIRED, Simd};

/// [`Simd::add_nibbles`] on registers of 32 bytes.
#[inline(always)]
pub(super) fn add_nibbles<S: Simd<Wide = <S as Simd>::Floats>, const C: usize>(
    simd: S,
    sums: &mut [S::Floats; C],
    nibbles: &[u8; 128],
    [first, last]: [u64; 2],
    signed: [&[i8; 256]; C],
    by: [S::Floats; C],
) -> S::Ints {
    let (scales, minimums) = simd.k_scales(first, last);
    let mut products = [simd.zero(); C];
    let mut pair = 0;
    while pair < 4 {
        let bytes = simd.load(&nibbles.as_chunks().0[pair]);
        let codes = [simd.bits::<0, 4, 0>(bytes), simd.bits::<4, 4, 0>(bytes)];
        for c in 0..C {
            let runs = signed[c].as_chunks().0;
            let (low, high) = (&runs[PAIRED[2 * pair]], &runs[PAIRED[2 * pair + 1]]);
            let signed = [simd.load_signed(low), simd.load_signed(high)];
            products[c] = simd.add_pair(products[c], codes, signed, &scales, pair);
        }
        pair += 1;
    }
    for c in 0..C {
        sums[c] = simd.multiply_add(simd.to_floats(products[c]), by[c], sums[c]);
    }
    minimums
}

/// What an implementation has whose widest registers are of 32 bytes.
macro_rules! narrow {
    () => {
        type Wide = Self::Floats;

        #[inline(always)]
        fn add_nibbles<const C: usize>(
            self,
            sums: &mut [Self::Floats; C],
            nibbles: &[u8; 128],
            scales_and_minimums: [u64; 2],
            signed: [&[i8; 256]; C],
            by: [Self::Floats; C],
        ) -> Self::Ints {
            $crate::simd::narrow::add_nibbles(self, sums, nibbles, scales_and_minimums, signed, by)
        }
        #[inline(always)]
        fn wide_zeros(self) -> Self::Floats {
            self.zeros()
        }
        #[inline(always)]
        fn folded(self, wide: Self::Floats) -> Self::Floats {
            wide
        }
    };
}
pub(super) use narrow;
