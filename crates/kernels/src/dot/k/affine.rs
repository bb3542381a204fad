//! Q4_K and Q5_K: a scale and a minimum for each 32 weights.

use briq_codec::{Quants, k_scales};
use briq_format::block::{Block, Q4_K, Q5_K};
use briq_format::scalar::F16;

use super::{add_lanes, all_nibbles, lanes};
use crate::activations::Tile;
use crate::dot::batch::{Integers, Numbers};
use crate::dot::super_block::{SuperBlock, super_blocks};
use crate::dot::tiles::{Parts, WideSums, wide};
use crate::dot::{add_times, header, products};
use crate::simd::{Bits, Simd};

super_blocks!(Q4_K Q5_K);

impl SuperBlock for Q4_K {
    const TERMS: usize = 2;
    type Sums<S: Simd, const C: usize> = WideSums<S, C, 2>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        affine(row, column, |block| (block.scale, block.minimum, block.scales_and_minimums))
    }

    #[inline(always)]
    fn add<S: Simd, const C: usize>(simd: S, block: &Self, tiles: [&Tile; C], sums: &mut WideSums<S, C, 2>) {
        match wide::<S, C>() {
            true => add_wide(simd, block, Bits::Fours(&block.quants), tiles[0], sums),
            false => add_affine(simd, block, all_nibbles(simd, &block.quants), tiles, &mut sums.narrow),
        }
    }
}

impl Integers for Q4_K {
    const HAS_MINIMUMS: bool = true;

    #[inline(always)]
    fn numbers<S: Simd>(&self, simd: S) -> Numbers<S> {
        affine_numbers(simd, [self.scale, self.minimum], header(self), all_nibbles(simd, &self.quants))
    }
}

impl SuperBlock for Q5_K {
    const TERMS: usize = 2;
    type Sums<S: Simd, const C: usize> = WideSums<S, C, 2>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        affine(row, column, |block| (block.scale, block.minimum, block.scales_and_minimums))
    }

    #[inline(always)]
    fn add<S: Simd, const C: usize>(simd: S, block: &Self, tiles: [&Tile; C], sums: &mut WideSums<S, C, 2>) {
        match wide::<S, C>() {
            true => add_wide(simd, block, Bits::Fives(&block.low_bits, &block.high_bits), tiles[0], sums),
            false => add_affine(simd, block, q5_k_codes(simd, block), tiles, &mut sums.narrow),
        }
    }
}

impl Integers for Q5_K {
    const HAS_MINIMUMS: bool = true;

    #[inline(always)]
    fn numbers<S: Simd>(&self, simd: S) -> Numbers<S> {
        affine_numbers(simd, [self.scale, self.minimum], header(self), q5_k_codes(simd, self))
    }
}

/// Four low bits of each code, and a high one.
#[inline(always)]
fn q5_k_codes<S: Simd>(simd: S, block: &Q5_K) -> [S::Ints; 8] {
    let high = simd.load(&block.high_bits);
    // Bit `run` of a byte, moved to where the fifth bit of a code is.
    let high = [
        simd.bits::<0, 1, 4>(high),
        simd.bits::<1, 1, 4>(high),
        simd.bits::<2, 1, 4>(high),
        simd.bits::<3, 1, 4>(high),
        simd.bits::<4, 1, 4>(high),
        simd.bits::<5, 1, 4>(high),
        simd.bits::<6, 1, 4>(high),
        simd.bits::<7, 1, 4>(high),
    ];
    let mut codes = all_nibbles(simd, &block.low_bits);
    unrolled!(run in 0 1 2 3 4 5 6 7 => {
        codes[run] = simd.or(codes[run], high[run]);
    });
    codes
}

/// Q4_K and Q5_K one number at a time: the minimums times the sums of activations are taken off block by block.
fn affine<B: Quants<256>>(row: &[B], column: &[Tile], header: impl Fn(&B) -> (F16, F16, [u8; 12])) -> f32 {
    let mut sum = 0.0;
    let mut sums = [0.0; 8];
    for (weights, tile) in row.iter().zip(column) {
        let (scale, minimum, packed) = header(weights);
        let unpacked = k_scales::unpack(&packed);
        let products = lanes(&weights.quants(), &unpacked.scales.map(i32::from), tile);
        add_lanes(&mut sums, scale.to_f32() * tile.scales[0], products);
        let minimums = unpacked.minimums.iter().zip(&tile.negative_sums);
        let rise: i32 = minimums.map(|(&minimum, negative_sum)| i32::from(minimum) * negative_sum).sum();
        sum += minimum.to_f32() * tile.scales[0] * rise as f32;
    }
    sums.iter().fold(sum, |sum, lane| sum + lane)
}

/// Q4_K and Q5_K: what both do with a super-block, whose codes are already there.
#[inline(always)]
fn add_affine<B: Block, S: Simd, const C: usize>(
    simd: S,
    block: &B,
    codes: [S::Ints; 8],
    tiles: [&Tile; C],
    sums: &mut Parts<S, C, 2>,
) {
    let (scales, minimums) = simd.k_scales(header(block));
    let products = products(simd, scales, codes, tiles, [simd.zero(); C]);
    for c in 0..C {
        let tile = tiles[c];
        let rise = rise(simd, minimums, tile);
        let [scale, minimum, ..] = &simd.scaled_halves(header(block), tile.scales[0]);
        sums.0[c][0] = add_times(simd, sums.0[c][0], products[c], scale);
        sums.0[c][1] = add_times(simd, sums.0[c][1], rise, minimum);
    }
}

/// The same in registers of 64 bytes.
#[inline(always)]
fn add_wide<B: Block, S: Simd, const C: usize>(
    simd: S,
    block: &B,
    bits: Bits<'_>,
    tile: &Tile,
    sums: &mut WideSums<S, C, 2>,
) {
    let [scale, minimum, ..] = &simd.scaled_halves(header(block), tile.scales[0]);
    let minimums = simd.add_k_codes(&mut sums.wide, header(block), bits, &tile.quants, scale);
    let rises = &mut sums.narrow.0[0][1];
    *rises = add_times(simd, *rises, rise(simd, minimums, tile), minimum);
}

/// The products of minimums with the sums of activations, which fit words like them.
#[inline(always)]
fn rise<S: Simd>(simd: S, minimums: S::Ints, tile: &Tile) -> S::Ints {
    simd.add_scaled(simd.zero(), minimums, simd.load_ints(&tile.negative_sums))
}

/// Q4_K and Q5_K as integers, whose codes are already there.
#[inline(always)]
fn affine_numbers<S: Simd>(
    simd: S,
    [scale, minimum]: [F16; 2],
    header: &[u8; 16],
    codes: [S::Ints; 8],
) -> Numbers<S> {
    let [scales, minimums] = simd.k_numbers(header);
    Numbers {
        codes,
        scales: simd.alternate_words(scales, scales),
        minimums: [minimums; 2],
        scale: simd.half(scale.to_bits()),
        minimum: simd.half(minimum.to_bits()),
    }
}
