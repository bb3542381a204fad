//! The IQ2 and IQ3 types: points of a grid with signs, and a scale per 16 or 32.
//!
//! All of a super-block is summed as integers: magnitudes times quants whose signs were turned, times odd numbers that
//! are the sub-blocks' scales.

use briq_codec::points;
use briq_format::TensorType;
use briq_format::block::{IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS};
use briq_format::scalar::F16;
use zerocopy::transmute;

use super::signs::{all_with_parity, even, four_with_parity, of_upper_sevens, plain_signs};
use super::{Dot, add_scaled, quants, sums, tiles_at, trimmed, twice};
use crate::activations::Tile;
use crate::simd::Simd;

/// A super-block of magnitudes and signs, each 32 weights in turn.
trait Signed: Copy {
    /// What a unit of the integer sums is worth, beside the block's scale.
    const UNIT: f32;

    fn scale(&self) -> F16;

    /// The scale of each 16 weights, twice of what is stored and one more.
    fn scales(&self) -> [i8; 16];

    /// The same, as words.
    fn scale_words<S: Simd>(&self, simd: S) -> S::Ints;

    /// The magnitudes of a run of 32 weights.
    fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints;

    /// A bit per weight of the run, set where it is negative.
    fn signs(&self, run: usize) -> u32;

    /// The same of all runs.
    fn all_signs<S: Simd>(&self, simd: S) -> [u32; 8];

    /// The magnitudes, as bytes.
    fn magnitude_bytes(&self, run: usize) -> [u8; 32];
}

/// The sum over a super-block of scale times magnitude times sign times quant.
fn integers<B: Signed>(block: &B, tile: &Tile) -> i32 {
    let scales = block.scales();
    let mut sum = 0;
    for (run, quants) in tile.in_order().as_chunks::<32>().0.iter().enumerate() {
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
    let columns = trimmed(columns, row.len());
    for place in 0..row.len() {
        let block = &row[place];
        let tiles = tiles_at(columns, place);
        let scales = simd.scales_by_16(block.scale_words(simd));
        let scale = simd.half(block.scale().to_bits()) * B::UNIT;
        let signs = block.all_signs(simd);
        let mut products = [simd.zero(); C];
        unrolled!(pair in 0 1 2 3 => {
            let (a, b) = (2 * pair, 2 * pair + 1);
            let magnitudes = [block.magnitudes(simd, a), block.magnitudes(simd, b)];
            for c in 0..C {
                let quants = [
                    simd.negate_where(quants(simd, tiles[c], a), signs[a]),
                    simd.negate_where(quants(simd, tiles[c], b), signs[b]),
                ];
                products[c] = simd.add_pair(products[c], magnitudes, quants, &scales, pair);
            }
        });
        for c in 0..C {
            totals[c] = add_scaled(simd, totals[c], products[c], scale * tiles[c].scales[0]);
        }
    }
    sums(simd, totals)
}

over_tiles!(IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S: scalar, vector);

/// Each nibble twice.
#[inline(always)]
fn nibbles_twice(bytes: [u8; 4]) -> [u8; 8] {
    // Bytes are moved apart, each into the lower half of a word, and then their nibbles.
    let wide = u64::from(u32::from_le_bytes(bytes));
    let wide = (wide | wide << 16) & 0x0000_FFFF_0000_FFFF;
    let wide = (wide | wide << 8) & 0x00FF_00FF_00FF_00FF;
    let nibbles = (wide | wide << 4) & 0x0F0F_0F0F_0F0F_0F0F;
    (nibbles | nibbles << 4).to_le_bytes()
}

/// Nibble `i` of some bytes, doubled and with 1 added.
#[inline(always)]
fn odd(bytes: &[u8], i: usize) -> i8 {
    (bytes[i / 2] >> (4 * (i % 2)) & 15).cast_signed() * 2 + 1
}

/// The scales of each 16 weights, from eight numbers of which the upper four bits belong to 32.
#[inline(always)]
fn upper_scales<S: Simd>(simd: S, numbers: S::Ints) -> S::Ints {
    let doubled = simd.and(simd.shift_right_ints::<27>(numbers), simd.splat_int(0x1E));
    odd_words(simd, simd.or(doubled, simd.shift_left_ints::<16>(doubled)))
}

/// One more than each word, of which none is odd.
#[inline(always)]
fn odd_words<S: Simd>(simd: S, even: S::Ints) -> S::Ints {
    simd.or(even, simd.splat_word(1))
}

/// The scales of each 16 weights, from nibbles.
#[inline(always)]
fn nibble_scales<S: Simd>(simd: S, nibbles: [u8; 8]) -> S::Ints {
    let halved = simd.nibble_words(nibbles);
    odd_words(simd, simd.add_words(halved, halved))
}

/// Four points of 8 weights, from a number with their indices of 16 bits, of which the lower bits count.
#[inline(always)]
pub(super) fn four_points<S: Simd, const N: usize>(simd: S, table: &[[u8; 8]; N], indices: u64) -> S::Ints {
    const { assert!(N.is_power_of_two()) };
    let indices = simd.opaque(indices);
    let mut eights = [&[0; 8]; 4];
    unrolled!(i in 0 1 2 3 => {
        eights[i] = &table[(indices >> (16 * i)) as usize % N];
    });
    simd.load_eights(eights)
}

/// The index of each point of 8 weights, and the table.
macro_rules! eights {
    ($table:expr, $index:expr) => {
        fn magnitude_bytes(&self, run: usize) -> [u8; 32] {
            let index: fn(&Self, usize) -> usize = $index;
            std::array::from_fn(|i| $table[index(self, 4 * run + i / 8)][i % 8])
        }
    };
}

/// Four points of 8 weights each.
macro_rules! loaded_eights {
    ($table:expr, $index:expr) => {
        #[inline(always)]
        fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints {
            let index: fn(&Self, usize) -> usize = $index;
            let mut eights = [&[0; 8]; 4];
            unrolled!(i in 0 1 2 3 => {
                eights[i] = &$table[index(self, 4 * run + i)];
            });
            simd.load_eights(eights)
        }
        eights!($table, $index);
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
    fn all_signs<S: Simd>(&self, simd: S) -> [u32; 8] {
        all_with_parity(simd, signs_and_scales(self, simd))
    }
    #[inline(always)]
    fn signs(&self, run: usize) -> u32 {
        four_with_parity(self.records[run].signs_and_scale.get())
    }
    #[inline(always)]
    fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints {
        let indices = simd.opaque(u32::from_le_bytes(self.records[run].grid_indices).into());
        let mut eights = [&[0; 8]; 4];
        unrolled!(i in 0 1 2 3 => {
            eights[i] = &points::IQ2_XXS[usize::from((indices >> (8 * i)) as u8)];
        });
        simd.load_eights(eights)
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
    fn scale_words<S: Simd>(&self, simd: S) -> S::Ints {
        nibble_scales(simd, self.scales)
    }
    #[inline(always)]
    fn all_signs<S: Simd>(&self, simd: S) -> [u32; 8] {
        of_upper_sevens(simd, &transmute!(self.grid_indices_and_signs))
    }
    #[inline(always)]
    fn signs(&self, run: usize) -> u32 {
        let index = |i: usize| u32::from(self.grid_indices_and_signs[4 * run + i].get() >> 9);
        even(index(0) | index(1) << 8 | index(2) << 16 | index(3) << 24)
    }
    #[inline(always)]
    fn magnitudes<S: Simd>(&self, simd: S, run: usize) -> S::Ints {
        let numbers: [[u8; 8]; 8] = transmute!(self.grid_indices_and_signs);
        four_points(simd, &points::IQ2_XS, u64::from_le_bytes(numbers[run]))
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
    fn scale_words<S: Simd>(&self, simd: S) -> S::Ints {
        nibble_scales(simd, self.scales)
    }
    #[inline(always)]
    fn all_signs<S: Simd>(&self, _: S) -> [u32; 8] {
        plain_signs(&self.signs)
    }
    #[inline(always)]
    fn signs(&self, run: usize) -> u32 {
        u32::from_le_bytes(self.signs.as_chunks().0[run])
    }
    loaded_eights!(points::IQ2_S, |block, k| {
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
    fn scale_words<S: Simd>(&self, simd: S) -> S::Ints {
        upper_scales(simd, simd.load(&transmute!(self.signs_and_scales)))
    }
    #[inline(always)]
    fn all_signs<S: Simd>(&self, simd: S) -> [u32; 8] {
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
    fn all_signs<S: Simd>(&self, _: S) -> [u32; 8] {
        plain_signs(&self.signs)
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
