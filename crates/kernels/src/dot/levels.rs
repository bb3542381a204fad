//! IQ4_NL and MXFP4: 32 codes that a table turns into weights over their scale.

use briq_codec::points::{FP4_DOUBLED, IQ4_LEVELS, mxfp4_half_scale};
use briq_format::TensorType;
use briq_format::block::{IQ4_NL, MXFP4};

use super::eight::{Eighth, headers};
use super::header;
use crate::activations::Tile;
use crate::simd::{EightBlocks, Simd};

impl Eighth for IQ4_NL {
    const PARTNER: TensorType = TensorType::Q8_0;
    type Shared<S: Simd> = S::Ints;

    fn term(&self, products: f32, scale: f32, _: f32) -> f32 {
        scale * self.scale.to_f32() * products
    }
    #[inline(always)]
    fn shared<S: Simd>(simd: S) -> S::Ints {
        simd.bias(simd.table(&IQ4_LEVELS))
    }
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, table: S::Ints) -> S::Ints {
        simd.look_up(table, simd.load_nibbles(&self.quants))
    }
    #[inline(always)]
    fn add_dot<S: Simd>(simd: S, ints: S::Ints, codes: S::Ints, quants: S::Ints) -> S::Ints {
        simd.add_biased_dot(ints, codes, quants)
    }
    #[inline(always)]
    fn zero_point<S: Simd>(simd: S, products: S::Ints, negative_sums: S::Ints) -> S::Ints {
        simd.unbias(products, negative_sums)
    }

    const HAS_WIDE: bool = true;

    #[inline(always)]
    fn add_wide<S: Simd>(simd: S, table: S::Ints, blocks: &[Self; 8], tile: &Tile, sum: &mut S::Wide) {
        let blocks = EightBlocks::Halves(header(blocks));
        // A code is the weight over its scale plus 128.
        let zero_points = (&tile.wide_zero_points, 4);
        simd.add_scaled_nibbles(sum, blocks, Some(table), &tile.wide_quants, zero_points, &tile.scales);
    }
}

/// The levels of 4-bit floats, doubled, with 16 added.
const RAISED: [i8; 16] = {
    let mut raised = FP4_DOUBLED;
    let mut code = 0;
    while code < 16 {
        raised[code] += 16;
        code += 1;
    }
    raised
};

impl Eighth for MXFP4 {
    const PARTNER: TensorType = TensorType::Q8_0;
    type Shared<S: Simd> = S::Ints;

    fn term(&self, products: f32, scale: f32, _: f32) -> f32 {
        scale * mxfp4_half_scale(self.exponent) * products
    }
    #[inline(always)]
    fn shared<S: Simd>(simd: S) -> S::Ints {
        simd.table(&RAISED)
    }
    #[inline(always)]
    fn scales_and_minimums<S: Simd>(simd: S, blocks: &[Self; 8]) -> (S::Floats, Option<S::Floats>) {
        // 2^(e - 128), as two factors that are normal numbers: half of e, and what is left.
        let exponent = simd.and(headers(simd, blocks), simd.splat_int(0xFF));
        let half = simd.bits::<1, 7, 0>(exponent);
        let rest = simd.subtract(exponent, half);
        let power =
            |exponent| simd.reinterpret(simd.shift_left_ints::<23>(simd.add(exponent, simd.splat_int(63))));
        (simd.multiply(power(half), power(rest)), None)
    }
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, table: S::Ints) -> S::Ints {
        simd.look_up(table, simd.load_nibbles(&self.quants))
    }
    #[inline(always)]
    fn zero_point<S: Simd>(simd: S, products: S::Ints, negative_sums: S::Ints) -> S::Ints {
        simd.add(products, simd.shift_left_ints::<4>(negative_sums))
    }

    const HAS_WIDE: bool = true;

    #[inline(always)]
    fn add_wide<S: Simd>(simd: S, table: S::Ints, blocks: &[Self; 8], tile: &Tile, sum: &mut S::Wide) {
        let blocks = EightBlocks::Powers(header(blocks));
        // A code is the weight over its scale plus 16.
        let zero_points = (&tile.wide_zero_points, 1);
        simd.add_scaled_nibbles(sum, blocks, Some(table), &tile.wide_quants, zero_points, &tile.scales);
    }
}
