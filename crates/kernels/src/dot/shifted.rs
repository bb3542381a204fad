//! The IQ1 types: ternary points of a grid, shifted by an eighth of a step, and a scale per 16 or 32.

use briq_codec::points;
use briq_format::block::{IQ1_M, IQ1_S};
use briq_format::scalar::F16;
use zerocopy::{transmute, transmute_ref};

use super::batch::{Integers, Numbers};
use super::super_block::super_blocks;
use super::tiles::Parts;
use super::{add_scaled, quants, twice};
use crate::activations::Tile;
use crate::simd::Simd;

/// A super-block of ternary points whose levels are shifted by an eighth of a step.
///
/// Eight times a shifted level is `8 (digit - 1) ± 1`. As codes these are `8 digit + 2` or `8 digit`, with 9 as zero.
trait Shifted: Copy {
    fn scale(&self) -> F16;

    /// The scale of each 16 weights, twice of what is stored and one more.
    fn scales(&self) -> [i8; 16];

    /// The same as words, and times what stands for zero in the codes of each 16.
    fn scale_words<S: Simd>(&self, simd: S) -> [S::Ints; 2];

    /// The lower byte of the index of each point.
    fn low(&self) -> &[u8; 32];

    /// The upper bits of the indices of half of the points, as words; above them may be what [`shifts`](Self::shifts)
    /// looks at.
    fn high<S: Simd>(&self, simd: S, half: usize) -> S::Ints;

    /// Whether [`shifts`](Self::shifts) gives some. If not, 7 or 9 stands for zero in the codes of the super-block,
    /// which then have no shift.
    const HAS_SHIFTS: bool;

    /// Two for each point that is shifted upwards, of half of them, as words.
    fn shifts<S: Simd>(simd: S, high: S::Ints) -> S::Ints;

    /// Index of the point of each 8 weights, and whether it is shifted down.
    fn point(&self, k: usize) -> (usize, bool);
}

/// The code of a digit, without the shift, for all points.
static CODES: [[u8; 8]; 2048] = {
    let mut codes = [[0; 8]; 2048];
    let mut index = 0;
    while index < 2048 {
        codes[index] = (u64::from_le_bytes(points::IQ1_DIGITS[index]) << 3).to_le_bytes();
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
    u64::from_le_bytes(CODES[index]) | (UP * u64::from(!down))
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

/// The points of a super-block, and of the next one. They go through memory; that takes its time, and is done a block
/// ahead.
type Ahead = [Points; 2];

#[inline(always)]
fn ahead<B: Shifted, S: Simd>(simd: S, row: &[[B; 1]]) -> Ahead {
    let mut ahead = [[[0; 32]; 4]; 2];
    if let Some([block]) = row.first() {
        find_points(simd, block, &mut ahead[0]);
    }
    ahead
}

#[inline(always)]
fn add<B: Shifted, S: Simd, const C: usize>(
    simd: S,
    ahead: &mut Ahead,
    row: &[[B; 1]],
    place: usize,
    tiles: [&Tile; C],
    sums: &mut Parts<S, C, 1>,
) {
    let [block] = &row[place];
    let [next] = &row[(place + 1).min(row.len() - 1)];
    // With AVX2 the place makes a tenth of the time: here with shifts, and without them at the end.
    if B::HAS_SHIFTS {
        find_points(simd, next, &mut ahead[(place + 1) % 2]);
    }
    let [words, of_zero] = block.scale_words(simd);
    let scale = simd.half(block.scale().to_bits()) * 0.125;
    let mut products = [simd.zero(); C];
    for c in 0..C {
        products[c] = simd.add_scaled(simd.zero(), of_zero, simd.load_words(&tiles[c].negative_sums_16));
    }
    let scales = simd.scales_by_16(words);
    unrolled!(pair in 0 1 2 3 => {
        let (a, b) = (2 * pair, 2 * pair + 1);
        let codes = [codes::<B, S>(simd, &ahead[place % 2], a), codes::<B, S>(simd, &ahead[place % 2], b)];
        for c in 0..C {
            let quants = [quants(simd, tiles[c], a), quants(simd, tiles[c], b)];
            products[c] = simd.add_pair(products[c], codes, quants, &scales, pair);
        }
    });
    if !B::HAS_SHIFTS {
        find_points(simd, next, &mut ahead[(place + 1) % 2]);
    }
    for c in 0..C {
        sums.0[c][0] = add_scaled(simd, sums.0[c][0], products[c], scale * tiles[c].scales[0]);
    }
}

/// The codes of a run of 32.
#[inline(always)]
fn codes<B: Shifted, S: Simd>(simd: S, points: &Points, run: usize) -> S::Ints {
    // Read where they are needed: a copy of them would cost more.
    let [indices, shifts]: &[[[u8; 8]; 8]; 2] = transmute_ref!(points);
    let codes = simd.eights_at(&CODES, simd.four_words(indices[run]));
    match B::HAS_SHIFTS {
        true => simd.or(codes, simd.eight_times(u64::from_le_bytes(shifts[run]))),
        false => codes,
    }
}

/// Whether there are minimums: what stands for zero in the codes is taken off as one.
const HAS_MINIMUMS: bool = true;

#[inline(always)]
fn numbers<B: Shifted, S: Simd>(simd: S, block: &B) -> Numbers<S> {
    let mut points = [[0; 32]; 4];
    find_points(simd, block, &mut points);
    let mut found = [simd.zero(); 8];
    unrolled!(run in 0 1 2 3 4 5 6 7 => {
        found[run] = codes::<B, S>(simd, &points, run);
    });
    let [scales, of_zero] = block.scale_words(simd);
    let scale = simd.half(block.scale().to_bits()) * 0.125;
    Numbers {
        codes: found,
        scales,
        minimums: [simd.and(of_zero, simd.splat_int(0xFFFF)), simd.shift_right_ints::<16>(of_zero)],
        scale,
        minimum: scale,
    }
}

super_blocks!(ahead IQ1_S IQ1_M);

/// Of each 32 weights the indices of the points, as four words, and then their shifts.
type Points = [[u8; 32]; 4];

#[inline(always)]
fn find_points<B: Shifted, S: Simd>(simd: S, block: &B, points: &mut Points) {
    unrolled!(half in 0 1 => {
        let [a, b]: [[u8; 8]; 2] = transmute!(block.low().as_chunks::<16>().0[half]);
        let low = simd.byte_words([u64::from_le_bytes(a), u64::from_le_bytes(b)]);
        let high = block.high(simd, half);
        simd.store(simd.or(low, simd.shift_left_ints::<8>(high)), &mut points[half]);
        if B::HAS_SHIFTS {
            simd.store(B::shifts(simd, high), &mut points[2 + half]);
        }
    });
}

impl Shifted for IQ1_S {
    fn scale(&self) -> F16 {
        self.scale
    }
    #[inline(always)]
    fn scales(&self) -> [i8; 16] {
        twice(|run| (self.grid_indices_high_and_scales[run].get() >> 12 & 7) as i8 * 2 + 1)
    }
    #[inline(always)]
    fn scale_words<S: Simd>(&self, simd: S) -> [S::Ints; 2] {
        let fields = simd.words_twice(&transmute!(self.grid_indices_high_and_scales));
        let doubled = simd.and(simd.shift_right_ints::<11>(fields), simd.splat_word(14));
        let words = simd.or(doubled, simd.splat_word(1));
        // Codes here have no shift: 7 stands for zero where it is upwards, and 9 where it is downwards.
        let down = simd.and(simd.shift_right_ints::<14>(fields), simd.splat_word(2));
        [words, simd.multiply_words(words, simd.add_words(down, simd.splat_word(7)))]
    }
    #[inline(always)]
    fn low(&self) -> &[u8; 32] {
        &self.grid_indices_low
    }
    #[inline(always)]
    fn high<S: Simd>(&self, simd: S, half: usize) -> S::Ints {
        let [a, b, c, d] = &self.grid_indices_high_and_scales.as_chunks().0[half];
        simd.triple_words([a.get(), b.get(), c.get(), d.get()])
    }
    const HAS_SHIFTS: bool = false;
    #[inline(always)]
    fn shifts<S: Simd>(simd: S, _: S::Ints) -> S::Ints {
        simd.zero()
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
    fn scale_words<S: Simd>(&self, simd: S) -> [S::Ints; 2] {
        let [a, b, c, d] = &self.scales;
        let halved = simd.triple_words([a.get(), b.get(), c.get(), d.get()]);
        let words = simd.or(simd.add_words(halved, halved), simd.splat_word(1));
        [words, simd.multiply_words(words, simd.splat_word(9))]
    }
    #[inline(always)]
    fn low(&self) -> &[u8; 32] {
        &self.grid_indices_low
    }
    #[inline(always)]
    fn high<S: Simd>(&self, simd: S, half: usize) -> S::Ints {
        simd.nibble_words(self.grid_indices_high_and_shifts.as_chunks().0[half])
    }
    const HAS_SHIFTS: bool = true;
    #[inline(always)]
    fn shifts<S: Simd>(simd: S, high: S::Ints) -> S::Ints {
        // The bit above an index says that the shift is downwards.
        let down = simd.shift_right_ints::<2>(simd.and(high, simd.splat_word(8)));
        simd.subtract(simd.splat_word(2), down)
    }
    #[inline(always)]
    fn point(&self, k: usize) -> (usize, bool) {
        let high = self.grid_indices_high_and_shifts[k / 2] >> (4 * (k % 2));
        (usize::from(self.grid_indices_low[k]) | usize::from(high & 7) << 8, high & 8 != 0)
    }
}
