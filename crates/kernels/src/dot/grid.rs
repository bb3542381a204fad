//! The IQ2 and IQ3 types: points of a grid with signs, and a scale per 16 or 32.
//!
//! All of a super-block is summed as integers: magnitudes times quants whose signs were turned, times odd numbers that
//! are the sub-blocks' scales.

use briq_codec::points;
use briq_format::TensorType;
use briq_format::block::{IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS};
use briq_format::scalar::F16;

use super::{Dot, add_scaled, chains, joined, quants, sums, tiles_at, twice};
use crate::activations::Tile;
use crate::simd::Simd;

/// A super-block of magnitudes and signs, each 32 weights in turn.
trait Signed: Copy {
    /// What a unit of the integer sums is worth, beside the block's scale.
    const UNIT: f32;

    fn scale(&self) -> F16;

    /// The scale of each 16 weights, twice of what is stored and one more.
    fn scales(&self) -> [i8; 16];

    /// Half of these, rounded down, as words.
    fn halved_scales<S: Simd>(&self, simd: S) -> S::Ints;

    /// The magnitudes of a run of 32 weights.
    fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints;

    /// A bit per weight of the run, set where it is negative.
    fn signs(&self, run: usize) -> u32;

    /// The magnitudes, as bytes.
    fn magnitude_bytes(&self, run: usize) -> [u8; 32];
}

/// The sum over a super-block of scale times magnitude times sign times quant.
fn integers<B: Signed>(block: &B, tile: &Tile) -> i32 {
    let scales = block.scales();
    let mut sum = 0;
    for (run, quants) in tile.quants_32().iter().enumerate() {
        let (magnitudes, signs) = (block.magnitude_bytes(run), block.signs(run));
        for (i, (magnitude, quant)) in magnitudes.iter().zip(quants).enumerate() {
            let product = i32::from(scales[2 * run + i / 16]) * i32::from(*magnitude) * i32::from(*quant);
            sum += if signs >> i & 1 == 1 { -product } else { product };
        }
    }
    sum
}

fn scalar<B: Signed>(row: &[B], column: &[Tile]) -> f32 {
    let terms = row
        .iter()
        .zip(column)
        .map(|(block, tile)| block.scale().to_f32() * tile.scales[0] * integers(block, tile) as f32);
    B::UNIT * terms.fold(0.0, |sum, term| sum + term)
}

#[inline(always)]
fn vector<B: Signed, S: Simd, const C: usize>(simd: S, row: &[B], columns: [&[Tile]; C]) -> [f32; C] {
    let mut totals = [simd.zeros(); C];
    for (place, block) in row.iter().enumerate() {
        let tiles = tiles_at(columns, place);
        let halved = block.halved_scales(simd);
        let scales = simd.add_words(simd.add_words(halved, halved), simd.splat_word(1));
        let scales = simd.by_sixteen(scales);
        let scale = simd.half(block.scale().to_bits()) * B::UNIT;
        let mut products = [[simd.zero(); 4]; C];
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            let (magnitudes, signs) = (block.magnitudes(simd, run), block.signs(run));
            for c in 0..C {
                let quants = simd.negate_where(quants(simd, tiles[c], run), signs);
                let pairs = simd.products(magnitudes, quants);
                products[c][run % chains(C)] = simd.add_scaled(products[c][run % chains(C)], pairs, scales[run]);
            }
        });
        for c in 0..C {
            let products = joined::<S, C>(simd, products[c]);
            totals[c] = add_scaled(simd, totals[c], products, scale * tiles[c].scales[0]);
        }
    }
    sums(simd, totals)
}

over_tiles!(IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S: scalar, vector);

/// The sign bytes of four indices of 7 bits, from the low end on.
#[inline(always)]
fn four_with_parity(indices: u32) -> u32 {
    let field = |i: u32| (indices & (0x7F << (7 * i))) << i;
    even(field(0) | field(1) | field(2) | field(3))
}

/// Sets the highest bit of the bytes in which the number of bits is odd; in none is it set.
#[inline(always)]
fn even(bytes: u32) -> u32 {
    // Halves are folded over each other; what comes over from the next byte does not reach the lowest bit.
    let fold = bytes ^ bytes >> 4;
    let fold = fold ^ fold >> 2;
    let fold = fold ^ fold >> 1;
    bytes | (fold & 0x0101_0101) << 7
}

/// Nibble `i` of some bytes, doubled and with 1 added.
#[inline(always)]
fn odd(bytes: &[u8], i: usize) -> i8 {
    (bytes[i / 2] >> (4 * (i % 2)) & 15).cast_signed() * 2 + 1
}

/// Four points of 8 weights each.
macro_rules! eights {
    ($table:expr, $index:expr) => {
        #[inline(always)]
        fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints {
            let index: fn(&Self, usize) -> usize = $index;
            let mut eights = [0; 4];
            unrolled!(i in 0 1 2 3 => {
                eights[i] = u64::from_le_bytes($table[index(self, 4 * run + i)]);
            });
            simd.join_four(eights)
        }

        fn magnitude_bytes(&self, run: usize) -> [u8; 32] {
            let index: fn(&Self, usize) -> usize = $index;
            std::array::from_fn(|i| $table[index(self, 4 * run + i / 8)][i % 8])
        }
    };
}

/// Eight points of 4 weights each.
macro_rules! fours {
    ($table:expr, $index:expr) => {
        #[inline(always)]
        fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints {
            let index: fn(&Self, usize) -> usize = $index;
            let mut fours = [0; 8];
            unrolled!(i in 0 1 2 3 4 5 6 7 => {
                fours[i] = u32::from_le_bytes($table[index(self, 8 * run + i)]);
            });
            simd.join_eight(fours)
        }

        fn magnitude_bytes(&self, run: usize) -> [u8; 32] {
            let index: fn(&Self, usize) -> usize = $index;
            std::array::from_fn(|i| $table[index(self, 8 * run + i / 4)][i % 4])
        }
    };
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
    fn halved_scales<S: Simd>(&self, simd: S) -> S::Ints {
        words_of_runs!(simd, run => self.records[run].signs_and_scale.get() >> 28)
    }
    #[inline(always)]
    fn signs(&self, run: usize) -> u32 {
        four_with_parity(self.records[run].signs_and_scale.get())
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
        let mut scales = [0; 16];
        for i in 0..16 {
            scales[i] = odd(&self.scales, i);
        }
        scales
    }
    #[inline(always)]
    fn halved_scales<S: Simd>(&self, simd: S) -> S::Ints {
        simd.nibble_words(self.scales)
    }
    #[inline(always)]
    fn signs(&self, run: usize) -> u32 {
        let index = |i: usize| u32::from(self.grid_indices_and_signs[4 * run + i].get() >> 9);
        even(index(0) | index(1) << 8 | index(2) << 16 | index(3) << 24)
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
        let mut scales = [0; 16];
        for i in 0..16 {
            scales[i] = odd(&self.scales, i);
        }
        scales
    }
    #[inline(always)]
    fn halved_scales<S: Simd>(&self, simd: S) -> S::Ints {
        simd.nibble_words(self.scales)
    }
    #[inline(always)]
    fn signs(&self, run: usize) -> u32 {
        u32::from_le_bytes(self.signs.as_chunks().0[run])
    }
    eights!(points::IQ2_S, |block, k| {
        let high = usize::from(block.grid_indices_high[k / 4]) >> (2 * (k % 4)) & 3;
        usize::from(block.grid_indices_low[k]) | high << 8
    });
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
    fn halved_scales<S: Simd>(&self, simd: S) -> S::Ints {
        words_of_runs!(simd, run => self.signs_and_scales[run].get() >> 28)
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
    fn halved_scales<S: Simd>(&self, simd: S) -> S::Ints {
        words_of_runs!(simd, run => self.scales[run / 2] >> (4 * (run % 2)) & 15)
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
