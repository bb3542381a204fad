//! The IQ1, IQ2 and IQ3 types: points of a grid, with signs or shifts, and a scale per 16 or 32.
//!
//! All of a super-block is summed as integers: magnitudes times quants whose signs were turned, times odd numbers that
//! are the sub-blocks' scales.

use briq_codec::points;
use briq_format::TensorType;
use briq_format::block::{IQ1_M, IQ1_S, IQ2_S, IQ2_XS, IQ2_XXS, IQ3_S, IQ3_XXS};
use briq_format::scalar::F16;

use super::{Dot, chains, joined, quants, sums, tiles_at};
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
            let products = simd.to_floats(joined::<S, C>(simd, products[c]));
            totals[c] = simd.multiply_add(products, simd.splat_float(scale * tiles[c].scales[0]), totals[c]);
        }
    }
    sums(simd, totals)
}

macro_rules! signed {
    ($($name:ident)*) => {
        $(impl Dot for $name {
            const PARTNER: TensorType = TensorType::Q8_K;
            type Element = Tile;

            fn scalar(row: &[Self], column: &[Tile]) -> f32 {
                scalar(row, column)
            }

            #[inline(always)]
            fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
                vector(simd, row, columns)
            }
        })*
    };
}
signed!(IQ2_XXS IQ2_XS IQ2_S IQ3_XXS IQ3_S);

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

/// Each of eight scales twice.
#[inline(always)]
fn twice(scale: impl Fn(usize) -> i8) -> [i8; 16] {
    let mut scales = [0; 16];
    for i in 0..16 {
        scales[i] = scale(i / 2);
    }
    scales
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
        let mut codes = [0_u64; 2];
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            let code = self.records[run].signs_and_scale.get() >> 28;
            codes[run / 4] |= (u64::from(code) * 0x0101) << (16 * (run % 4));
        });
        simd.byte_words(codes)
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
        let mut codes = [0_u64; 2];
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            let code = self.signs_and_scales[run].get() >> 28;
            codes[run / 4] |= (u64::from(code) * 0x0101) << (16 * (run % 4));
        });
        simd.byte_words(codes)
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
        let mut codes = [0_u64; 2];
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            let code = self.scales[run / 2] >> (4 * (run % 2)) & 15;
            codes[run / 4] |= (u64::from(code) * 0x0101) << (16 * (run % 4));
        });
        simd.byte_words(codes)
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

/// A super-block of ternary points whose levels are shifted by an eighth of a step.
///
/// Eight times a shifted level is `8 (digit - 1) ± 1`. As codes these are `8 digit + 2` or `8 digit`, with 9 as zero.
trait Shifted: Copy {
    fn scale(&self) -> F16;

    /// The scale of each 16 weights, twice of what is stored and one more.
    fn scales(&self) -> [i8; 16];

    /// Half of these, rounded down, as words.
    fn halved_scales<S: Simd>(&self, simd: S) -> S::Ints;

    /// Index of the point of each 8 weights, and whether it is shifted down.
    fn point(&self, k: usize) -> (usize, bool);
}

/// The code of a digit, without the shift, for all points.
static CODES: [u64; 2048] = {
    let mut codes = [0; 2048];
    let mut index = 0;
    while index < 2048 {
        codes[index] = u64::from_le_bytes(points::IQ1_DIGITS[index]) << 3;
        index += 1;
    }
    codes
};

/// Two in each of 8 bytes.
const UP: u64 = 0x0202_0202_0202_0202;

/// The codes of 8 weights.
#[inline(always)]
fn code(block: &impl Shifted, k: usize) -> u64 {
    let (index, down) = block.point(k);
    CODES[index] | (UP * u64::from(!down))
}

fn shifted_scalar<B: Shifted>(row: &[B], column: &[Tile]) -> f32 {
    let terms = row.iter().zip(column).map(|(block, tile)| {
        let scales = block.scales();
        let mut sum = 0;
        for (k, quants) in tile.quants.as_chunks::<8>().0.iter().enumerate() {
            let codes = code(block, k).to_le_bytes();
            let products =
                codes.iter().zip(quants).map(|(&code, &quant)| (i32::from(code) - 9) * i32::from(quant));
            sum += i32::from(scales[k / 2]) * products.sum::<i32>();
        }
        block.scale().to_f32() * tile.scales[0] * (0.125 * sum as f32)
    });
    terms.fold(0.0, |sum, term| sum + term)
}

#[inline(always)]
fn shifted_vector<B: Shifted, S: Simd, const C: usize>(
    simd: S,
    row: &[B],
    columns: [&[Tile]; C],
) -> [f32; C] {
    let mut totals = [simd.zeros(); C];
    for (place, block) in row.iter().enumerate() {
        let tiles = tiles_at(columns, place);
        let halved = block.halved_scales(simd);
        let words = simd.add_words(simd.add_words(halved, halved), simd.splat_word(1));
        let scales = simd.by_sixteen(words);
        let scale = simd.half(block.scale().to_bits()) * 0.125;
        let mut products = [[simd.zero(); 4]; C];
        for c in 0..C {
            let excess = simd.add_scaled(simd.zero(), words, simd.load_words(&tiles[c].negative_sums_16));
            products[c][0] = simd.add(simd.shift_left_ints::<3>(excess), excess);
        }
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            let mut codes = [0; 4];
            unrolled!(i in 0 1 2 3 => {
                codes[i] = code(block, 4 * run + i);
            });
            let codes = simd.join_four(codes);
            for c in 0..C {
                let pairs = simd.products(codes, quants(simd, tiles[c], run));
                products[c][run % chains(C)] = simd.add_scaled(products[c][run % chains(C)], pairs, scales[run]);
            }
        });
        for c in 0..C {
            let products = simd.to_floats(joined::<S, C>(simd, products[c]));
            totals[c] = simd.multiply_add(products, simd.splat_float(scale * tiles[c].scales[0]), totals[c]);
        }
    }
    sums(simd, totals)
}

macro_rules! shifted {
    ($($name:ident)*) => {
        $(impl Dot for $name {
            const PARTNER: TensorType = TensorType::Q8_K;
            type Element = Tile;

            fn scalar(row: &[Self], column: &[Tile]) -> f32 {
                shifted_scalar(row, column)
            }

            #[inline(always)]
            fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
                shifted_vector(simd, row, columns)
            }
        })*
    };
}
shifted!(IQ1_S IQ1_M);

impl Shifted for IQ1_S {
    fn scale(&self) -> F16 {
        self.scale
    }
    #[inline(always)]
    fn scales(&self) -> [i8; 16] {
        twice(|run| (self.grid_indices_high_and_scales[run].get() >> 12 & 7) as i8 * 2 + 1)
    }
    #[inline(always)]
    fn halved_scales<S: Simd>(&self, simd: S) -> S::Ints {
        let mut codes = [0_u64; 2];
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            let code = self.grid_indices_high_and_scales[run].get() >> 12 & 7;
            codes[run / 4] |= (u64::from(code) * 0x0101) << (16 * (run % 4));
        });
        simd.byte_words(codes)
    }
    #[inline(always)]
    fn point(&self, k: usize) -> (usize, bool) {
        let high = self.grid_indices_high_and_scales[k / 4].get();
        let index = usize::from(self.grid_indices_low[k]) | usize::from(high >> (3 * (k % 4)) & 7) << 8;
        (index, high & 0x8000 != 0)
    }
}

impl Shifted for IQ1_M {
    fn scale(&self) -> F16 {
        self.scale()
    }
    #[inline(always)]
    fn scales(&self) -> [i8; 16] {
        let mut scales = [0; 16];
        for i in 0..16 {
            scales[i] = (self.scales[i / 4].get() >> (3 * (i % 4)) & 7) as i8 * 2 + 1;
        }
        scales
    }
    #[inline(always)]
    fn halved_scales<S: Simd>(&self, simd: S) -> S::Ints {
        let [a, b, c, d] = &self.scales;
        simd.triple_words([a.get(), b.get(), c.get(), d.get()])
    }
    #[inline(always)]
    fn point(&self, k: usize) -> (usize, bool) {
        let high = self.grid_indices_high_and_shifts[k / 2] >> (4 * (k % 2));
        (usize::from(self.grid_indices_low[k]) | usize::from(high & 7) << 8, high & 8 != 0)
    }
}
