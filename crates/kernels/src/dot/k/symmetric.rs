//! Q3_K and Q6_K: a scale for each 16 weights, and no minimum.

use briq_codec::Quants;
use briq_codec::points::q3_k_scales;
use briq_format::block::{Q3_K, Q6_K};
use briq_format::scalar::F16;

use super::{LEVELLED, add_lanes, all_planes, lanes, nibbles, runs};
use crate::activations::Tile;
use crate::dot::batch::{Integers, Numbers};
use crate::dot::super_block::{SuperBlock, super_blocks};
use crate::dot::tiles::{WideSums, wide};
use crate::dot::{add_times, products, trailer};
use crate::simd::{Bits, Simd};

super_blocks!(Q6_K Q3_K);

impl SuperBlock for Q6_K {
    const TERMS: usize = 1;
    type Sums<S: Simd, const C: usize> = WideSums<S, C, 1>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        symmetric(row, column, |block| (block.scale, block.scales.map(i32::from)))
    }

    #[inline(always)]
    fn add<S: Simd, const C: usize>(simd: S, block: &Self, tiles: [&Tile; C], sums: &mut WideSums<S, C, 1>) {
        let scales = simd.words(&block.scales);
        // A zero point of 32.
        let excess = excess::<S, C, 5>(simd, scales, tiles);
        if !wide::<S, C>() {
            let products = products(simd, simd.scales_by_16(scales), q6_k_codes(simd, block), tiles, excess);
            for c in 0..C {
                let (sum, [_, _, _, scale]) =
                    (&mut sums.narrow.0[c][0], &simd.scaled_halves(trailer(block), tiles[c].scales[0]));
                *sum = add_times(simd, *sum, products[c], scale);
            }
            return;
        }
        let [_, _, _, scale] = &simd.scaled_halves(trailer(block), tiles[0].scales[0]);
        let bits = Bits::Sixes(&block.low_bits, &block.high_bits);
        simd.add_codes(&mut sums.wide, excess[0], bits, Some(scales), &tiles[0].quants, scale);
    }
}

impl Integers for Q6_K {
    const HAS_MINIMUMS: bool = false;

    #[inline(always)]
    fn numbers<S: Simd>(&self, simd: S) -> Numbers<S> {
        let mut codes = q6_k_codes(simd, self);
        for run in 0..8 {
            codes[run] = simd.subtract_bytes(codes[run], simd.splat(32));
        }
        symmetric_numbers(simd, codes, simd.words(&self.scales), simd.half(self.scale.to_bits()))
    }
}

/// Four low bits of each code, and two high ones.
#[inline(always)]
fn q6_k_codes<S: Simd>(simd: S, block: &Q6_K) -> [S::Ints; 8] {
    let (low, high) = (runs(&block.low_bits), runs(&block.high_bits));
    let mut codes = [simd.zero(); 8];
    unrolled!(half in 0 1 => {
        let high = simd.load(&high[half]);
        // Half of the codes are moved by products, the others by shifts: on Zen 4 either of them alone is a
        // bottleneck.
        let a = simd.load(&low[2 * half]);
        let [a, c] = [simd.bits::<0, 4, 0>(a), simd.bits::<4, 4, 0>(a)];
        let [b, d] = nibbles(simd, &low[2 * half + 1]);
        codes[4 * half] = simd.or(a, simd.bits::<0, 2, 4>(high));
        codes[4 * half + 1] = simd.or(b, simd.bits::<2, 2, 4>(high));
        codes[4 * half + 2] = simd.or(c, simd.bits::<4, 2, 4>(high));
        codes[4 * half + 3] = simd.or(d, simd.bits::<6, 2, 4>(high));
    });
    codes
}

impl SuperBlock for Q3_K {
    const TERMS: usize = 1;
    type Sums<S: Simd, const C: usize> = WideSums<S, C, 1>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let scales = |block: &Self| q3_k_scales(&block.scales).map(|scale| i32::from(scale) - 32);
        symmetric(row, column, |block| (block.scale, scales(block)))
    }

    #[inline(always)]
    fn add<S: Simd, const C: usize>(simd: S, block: &Self, tiles: [&Tile; C], sums: &mut WideSums<S, C, 1>) {
        let scales = simd.add_words(q3_k_words(simd, &block.scales), simd.splat_word(-32));
        if wide::<S, C>() {
            // A zero point of 4.
            let excess = excess::<S, C, 2>(simd, scales, tiles)[0];
            let [_, _, _, scale] = &simd.scaled_halves(trailer(block), tiles[0].scales[0]);
            let bits = Bits::Threes(&block.low_bits, &block.high_bits);
            return simd.add_codes(&mut sums.wide, excess, bits, Some(scales), &tiles[0].quants, scale);
        }
        let codes = q3_k_codes(simd, block);
        let levelled = simd.multiply_words(scales, simd.load_words(&LEVELLED));
        // A zero point of 4, four times.
        let products =
            products(simd, simd.scales_by_16(levelled), codes, tiles, excess::<S, C, 4>(simd, scales, tiles));
        for c in 0..C {
            let [_, _, _, scale] = &simd.scaled_halves(trailer(block), 0.25 * tiles[c].scales[0]);
            let sum = &mut sums.narrow.0[c][0];
            *sum = add_times(simd, *sum, products[c], scale);
        }
    }
}

impl Integers for Q3_K {
    const HAS_MINIMUMS: bool = false;

    #[inline(always)]
    fn numbers<S: Simd>(&self, simd: S) -> Numbers<S> {
        let mut codes = q3_k_codes(simd, self);
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            // The zero point of 4, as often as [`LEVELLED`] says.
            codes[run] = simd.subtract_bytes(codes[run], simd.splat(16 / LEVELLED[2 * run] as u8));
        });
        let scales = simd.add_words(q3_k_words(simd, &self.scales), simd.splat_word(-32));
        let levelled = simd.multiply_words(scales, simd.load_words(&LEVELLED));
        symmetric_numbers(simd, codes, levelled, simd.half(self.scale.to_bits()) * 0.25)
    }
}

/// Codes with two low bits and a high one, where [`all_planes`] leaves them.
#[inline(always)]
fn q3_k_codes<S: Simd>(simd: S, block: &Q3_K) -> [S::Ints; 8] {
    let high = simd.load(&block.high_bits);
    let high = [
        simd.bits::<0, 1, 2>(high),
        simd.bits::<1, 1, 4>(high),
        simd.bits::<2, 1, 4>(high),
        simd.bits::<3, 1, 2>(high),
        simd.bits::<4, 1, 2>(high),
        simd.bits::<5, 1, 4>(high),
        simd.bits::<6, 1, 4>(high),
        simd.bits::<7, 1, 2>(high),
    ];
    let mut codes = all_planes(simd, &block.low_bits);
    unrolled!(run in 0 1 2 3 4 5 6 7 => {
        codes[run] = simd.or(codes[run], high[run]);
    });
    codes
}

/// Codes and scales without minimums.
#[inline(always)]
fn symmetric_numbers<S: Simd>(simd: S, codes: [S::Ints; 8], scales: S::Ints, scale: f32) -> Numbers<S> {
    Numbers { codes, scales, minimums: [simd.zero(); 2], scale, minimum: 0.0 }
}

/// Q3_K and Q6_K one number at a time: a scale for each 16 weights, and no minimum.
fn symmetric<B: Quants<256>>(row: &[B], column: &[Tile], header: impl Fn(&B) -> (F16, [i32; 16])) -> f32 {
    let mut sums = [0.0; 8];
    for (weights, tile) in row.iter().zip(column) {
        let (scale, scales) = header(weights);
        let products = lanes(&weights.quants(), &scales, tile);
        add_lanes(&mut sums, scale.to_f32() * tile.scales[0], products);
    }
    sums.iter().fold(0.0, |sum, lane| sum + lane)
}

/// What a zero point of `2^ZERO` adds to sums over a super-block, from the scale of each 16 codes, to be taken off all
/// at once: where those sums begin.
#[inline(always)]
fn excess<S: Simd, const C: usize, const ZERO: i32>(
    simd: S,
    scales: S::Ints,
    tiles: [&Tile; C],
) -> [S::Ints; C] {
    let mut excess = [simd.zero(); C];
    for c in 0..C {
        let negative_sums = simd.load_words(&tiles[c].negative_sums_16);
        excess[c] = simd.shift_left_ints::<ZERO>(simd.add_scaled(simd.zero(), scales, negative_sums));
    }
    excess
}

/// The scales of Q3_K, 32 added, as words.
#[inline(always)]
fn q3_k_words<S: Simd>(simd: S, packed: &[u8; 12]) -> S::Ints {
    let [a, b, c, d, e, f, g, h, high @ ..] = *packed;
    let low = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let high = u64::from(u32::from_le_bytes(high));
    let (first, last) = (low & 0x0F0F_0F0F_0F0F_0F0F, low >> 4 & 0x0F0F_0F0F_0F0F_0F0F);
    // Bits 0 and 1, then 2 and 3 of the four bytes go to the first eight scales, the others to the last.
    let pair = |high: u64| (high & 0x0303_0303 | (high >> 2 & 0x0303_0303) << 32) << 4;
    simd.byte_words([first | pair(high), last | pair(high >> 4)])
}
