//! TQ1_0 and TQ2_0: 256 digits and one scale; digit 1 stands for zero.

use briq_codec::Quants;
use briq_format::TensorType;
use briq_format::block::{TQ1_0, TQ2_0};
use briq_format::scalar::F16;

use super::k::{join_planes, planes, runs};
use super::{Dot, add_scaled, integer_dot, joined, quants, sums, tiles_at};
use crate::activations::Tile;
use crate::simd::Simd;

/// One number at a time, as both types do it.
fn scalar<B: Quants<256>>(row: &[B], column: &[Tile], scale: impl Fn(&B) -> F16) -> f32 {
    let terms = row.iter().zip(column).map(|(block, tile)| {
        integer_dot(&block.quants(), &tile.quants) as f32 * (scale(block).to_f32() * tile.scales[0])
    });
    terms.fold(0.0, |sum, term| sum + term)
}

/// Adds the product of a super-block to each column's. With `PLANES` the digits are where [`planes`] leaves them.
#[inline(always)]
fn add<S: Simd, const C: usize, const PLANES: bool>(
    simd: S,
    scale: F16,
    digits: [S::Ints; 8],
    tiles: [&Tile; C],
    sums: &mut [S::Floats; C],
) {
    let scale = simd.half(scale.to_bits());
    for c in 0..C {
        // A digit is the weight over its scale plus 1.
        let mut products = [simd.zero(); 4];
        products[0] = simd.load_ints(&tiles[c].negative_sums);
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            products[run % 4] = simd.add_dot(products[run % 4], digits[run], quants(simd, tiles[c], run));
        });
        let products = match PLANES {
            true => join_planes(simd, products),
            false => joined::<S, 1>(simd, products),
        };
        sums[c] = add_scaled(simd, sums[c], products, scale * tiles[c].scales[0]);
    }
}

impl Dot for TQ2_0 {
    const PARTNER: TensorType = TensorType::Q8_K;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        scalar(row, column, |block| block.scale)
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let mut totals = [simd.zeros(); C];
        for (place, block) in row.iter().enumerate() {
            let bytes = runs(&block.quants);
            let [a, b, c, d] = planes(simd, &bytes[0]);
            let [e, f, g, h] = planes(simd, &bytes[1]);
            add::<S, C, true>(
                simd,
                block.scale,
                [a, b, c, d, e, f, g, h],
                tiles_at(columns, place),
                &mut totals,
            );
        }
        sums(simd, totals)
    }
}

impl Dot for TQ1_0 {
    const PARTNER: TensorType = TensorType::Q8_K;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        scalar(row, column, |block| block.scale)
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let mut totals = [simd.zeros(); C];
        for (place, block) in row.iter().enumerate() {
            let (first, second) = five_digits(simd, &block.five_digits);
            // The last 80 + 16 weights: runs of 16, five from 16 bytes, and one from 4.
            let [p, q, r] = last_digits(simd, second, block.four_digits);
            let [a, b, c, d, e] = first;
            add::<S, C, false>(
                simd,
                block.scale,
                [a, b, c, d, e, p, q, r],
                tiles_at(columns, place),
                &mut totals,
            );
        }
        sums(simd, totals)
    }
}

/// Five runs of 32 digits, and the last 16 bytes twice.
#[inline(always)]
fn five_digits<S: Simd>(simd: S, bytes: &[u8; 48]) -> ([S::Ints; 5], S::Ints) {
    let (first, rest) = bytes.split_at(32);
    let mut fraction = simd.load(first.first_chunk().unwrap_or(&[0; 32]));
    let mut digits = [fraction; 5];
    digits[0] = digit(simd, fraction);
    unrolled!(n in 1 2 3 4 => {
        fraction = three_times(simd, fraction);
        digits[n] = digit(simd, fraction);
    });
    (digits, simd.load_twice(rest.first_chunk().unwrap_or(&[0; 16])))
}

/// The digits of the 16 bytes, which are there twice, in pairs of runs of 16, and behind the fifth those of the four.
#[inline(always)]
fn last_digits<S: Simd>(simd: S, sixteen: S::Ints, four: [u8; 4]) -> [S::Ints; 3] {
    let mut powers = [sixteen; 5];
    for n in 1..5 {
        powers[n] = three_times(simd, powers[n - 1]);
    }
    // The first digits of the four bytes times 1, 3, 9 and 27: four runs of four.
    let four = u32::from_le_bytes(four);
    let mut fractions = [four; 4];
    for n in 1..4 {
        let mut bytes = fractions[n - 1].to_le_bytes();
        for byte in &mut bytes {
            *byte = byte.wrapping_mul(3);
        }
        fractions[n] = u32::from_le_bytes(bytes);
    }
    let [p, q, r, s] = fractions;
    let last = simd.join_eight([0, 0, 0, 0, p, q, r, s]);
    let pairs =
        [simd.halves(powers[0], powers[1]), simd.halves(powers[2], powers[3]), simd.halves(powers[4], last)];
    let mut digits = pairs;
    for n in 0..3 {
        digits[n] = digit(simd, pairs[n]);
    }
    digits
}

/// Moves to the next digit: the fraction times three, without what is before the point.
#[inline(always)]
fn three_times<S: Simd>(simd: S, fractions: S::Ints) -> S::Ints {
    simd.add_bytes(simd.add_bytes(fractions, fractions), fractions)
}

/// The first digit after the point of fractions of 256 in base three: above 85 it is at least 1, above 170 it is 2.
#[inline(always)]
fn digit<S: Simd>(simd: S, fractions: S::Ints) -> S::Ints {
    let one = simd.splat(1);
    let (one_or_two, two) = (simd.greater(fractions, 85), simd.greater(fractions, 170));
    simd.add_bytes(simd.and(one_or_two, one), simd.and(two, one))
}
