//! TQ1_0 and TQ2_0: 256 digits and one scale; digit 1 stands for zero.

use briq_codec::Quants;
use briq_format::TensorType;
use briq_format::block::{TQ1_0, TQ2_0};
use briq_format::scalar::F16;
use zerocopy::{Immutable, IntoBytes};

use super::batch::{Integers, Numbers};
use super::k::{LEVELLED, all_planes, planes, runs};
use super::super_block::{SuperBlock, super_blocks};
use super::tiles::{ByTile, Parts, WideSums, wide};
use super::{add_times, integer_dot, quants, trailer};
use crate::activations::Tile;
use crate::simd::{Bits, Simd};

/// One number at a time, as both types do it.
fn scalar<B: Quants<256>>(row: &[B], column: &[Tile], scale: impl Fn(&B) -> F16) -> f32 {
    let terms = row.iter().zip(column).map(|(block, tile)| {
        integer_dot(&block.quants(), &tile.quants) as f32 * (scale(block).to_f32() * tile.scales[0])
    });
    terms.fold(0.0, |sum, term| sum + term)
}

/// Adds the product of a super-block to each column's, from sums of products of digits and quants. A digit is the
/// weight over its scale plus 1.
#[inline(always)]
fn add<S: Simd, const C: usize>(
    simd: S,
    block: &(impl IntoBytes + Immutable),
    products: [S::Ints; C],
    tiles: [&Tile; C],
    sums: &mut Parts<S, C, 1>,
) {
    for c in 0..C {
        let products = simd.add(products[c], simd.load_ints(&tiles[c].negative_sums));
        let [_, _, _, scale] = &simd.scaled_halves(trailer(block), tiles[c].scales[0]);
        sums.0[c][0] = add_times(simd, sums.0[c][0], products, scale);
    }
}

super_blocks!(TQ2_0);

impl SuperBlock for TQ2_0 {
    const TERMS: usize = 2;
    type Sums<S: Simd, const C: usize> = WideSums<S, C, 1>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        scalar(row, column, |block| block.scale)
    }

    #[inline(always)]
    fn add<S: Simd, const C: usize>(simd: S, block: &Self, tiles: [&Tile; C], sums: &mut WideSums<S, C, 1>) {
        if wide::<S, C>() {
            let [_, _, _, scale] = &simd.scaled_halves(trailer(block), tiles[0].scales[0]);
            let (sum, ints) = (&mut sums.wide, simd.load_ints(&tiles[0].negative_sums));
            return simd.add_codes(sum, ints, Bits::Twos(&block.quants), None, &tiles[0].quants, scale);
        }
        let bytes = runs(&block.quants);
        let digits = [planes(simd, &bytes[0]), planes(simd, &bytes[1])];
        let mut products = [simd.zero(); C];
        for c in 0..C {
            // Of digits that have their value, and of those that have four times theirs.
            let (mut plain, mut fourfold) = (simd.zero(), simd.zero());
            unrolled!(half in 0 1 => {
                let [w, x, y, z] = digits[half];
                plain = simd.add_small(plain, w, quants(simd, tiles[c], 4 * half));
                fourfold = simd.add_small(fourfold, x, quants(simd, tiles[c], 4 * half + 1));
                fourfold = simd.add_small(fourfold, y, quants(simd, tiles[c], 4 * half + 2));
                plain = simd.add_small(plain, z, quants(simd, tiles[c], 4 * half + 3));
            });
            products[c] = simd.small_sums_and_quarters(plain, fourfold);
        }
        add(simd, block, products, tiles, &mut sums.narrow);
    }
}

impl Integers for TQ2_0 {
    const HAS_MINIMUMS: bool = true;

    #[inline(always)]
    fn numbers<S: Simd>(&self, simd: S) -> Numbers<S> {
        // Products have four times their value, and so has what stands for zero.
        let scale = simd.half(self.scale.to_bits()) * 0.25;
        Numbers {
            codes: all_planes(simd, &self.quants),
            scales: simd.load_words(&LEVELLED),
            minimums: [simd.splat_int(4); 2],
            scale,
            minimum: scale,
        }
    }
}

impl ByTile for TQ1_0 {
    const PARTNER: TensorType = TensorType::Q8_K;
    const TERMS: usize = 1;
    type Blocks = [Self; 1];
    type Beside<S: Simd> = ();
    type Sums<S: Simd, const C: usize> = Parts<S, C, 1>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        scalar(row, column, |block| block.scale)
    }

    #[inline(always)]
    fn beside<S: Simd>(_: S, _: &[[Self; 1]]) {}

    #[inline(always)]
    fn add<S: Simd, const C: usize>(
        simd: S,
        (): &mut (),
        row: &[[Self; 1]],
        place: usize,
        tiles: [&Tile; C],
        sums: &mut Parts<S, C, 1>,
    ) {
        let [block] = &row[place];
        let fractions = fractions(simd, block);
        let mut products = [simd.zero(); C];
        for c in 0..C {
            let mut digits = [simd.zero(); 2];
            unrolled!(run in 0 1 2 3 4 5 6 7 => {
                let (fractions, quants) = (fractions[run], quants(simd, tiles[c], run));
                digits = simd.add_digits(digits, fractions, simd.three_times(fractions), quants);
            });
            products[c] = simd.digit_sums(digits);
        }
        add(simd, block, products, tiles, sums);
    }
}

/// For each weight a fraction of 256, whose first digit after the point is that of the weight, in base three.
#[inline(always)]
fn fractions<S: Simd>(simd: S, block: &TQ1_0) -> [S::Ints; 8] {
    let (first, rest) = block.five_digits.split_at(32);
    // Five runs of 32 from the same bytes. Then 80 + 16 weights, in runs of 16: five from 16 bytes, and one from 4.
    let [a, b, c, d, e] = powers(simd, simd.load(first.first_chunk().unwrap_or(&[0; 32])));
    let sixteen = powers(simd, simd.load_twice(rest.first_chunk().unwrap_or(&[0; 16])));
    // Four runs of four from the last bytes.
    let [p, q, r, s, _] = powers(simd, simd.splat_int(i32::from_le_bytes(block.four_digits)));
    let last = simd.one_of_each([p, q, r, s]);
    let pairs = [
        simd.halves(sixteen[0], sixteen[1]),
        simd.halves(sixteen[2], sixteen[3]),
        simd.halves(sixteen[4], last),
    ];
    [a, b, c, d, e, pairs[0], pairs[1], pairs[2]]
}

/// Fractions as they are, and after one digit to four: times three, without what is before the point.
#[inline(always)]
fn powers<S: Simd>(simd: S, fractions: S::Ints) -> [S::Ints; 5] {
    let mut powers = [simd.fractions(fractions); 5];
    unrolled!(n in 1 2 3 4 => {
        powers[n] = simd.three_times(powers[n - 1]);
    });
    powers
}
