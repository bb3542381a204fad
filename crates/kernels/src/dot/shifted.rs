//! The IQ1 types: ternary points of a grid, shifted by an eighth of a step, and a scale per 16 or 32.

use briq_codec::points;
use briq_format::TensorType;
use briq_format::block::{IQ1_M, IQ1_S};
use briq_format::scalar::F16;

use super::{Dot, add_scaled, chains, joined, quants, sums, tiles_at, twice};
use crate::activations::Tile;
use crate::simd::Simd;

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

fn scalar<B: Shifted>(row: &[B], column: &[Tile]) -> f32 {
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
fn vector<B: Shifted, S: Simd, const C: usize>(simd: S, row: &[B], columns: [&[Tile]; C]) -> [f32; C] {
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
            let products = joined::<S, C>(simd, products[c]);
            totals[c] = add_scaled(simd, totals[c], products, scale * tiles[c].scales[0]);
        }
    }
    sums(simd, totals)
}

over_tiles!(IQ1_S IQ1_M: scalar, vector);

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
        words_of_runs!(simd, run => self.grid_indices_high_and_scales[run].get() >> 12 & 7)
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
