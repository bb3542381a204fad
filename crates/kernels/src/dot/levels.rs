//! IQ4_NL and MXFP4: 32 codes that a table turns into weights over their scale.

use briq_codec::points::{FP4_DOUBLED, IQ4_LEVELS, mxfp4_half_scale};
use briq_format::TensorType;
use briq_format::block::{IQ4_NL, MXFP4};

use super::Dot;
use super::eight::{self, Eighth};
use super::small::{eighths, halves};
use crate::activations::Tile;
use crate::simd::Simd;

eighths! {
    IQ4_NL with Q8_0;
    MXFP4 with Q8_0;
}

impl Eighth for IQ4_NL {
    type Shared<S: Simd> = S::Ints;

    fn term(&self, products: f32, scale: f32, _: f32) -> f32 {
        scale * self.scale.to_f32() * products
    }
    #[inline(always)]
    fn shared<S: Simd>(simd: S) -> S::Ints {
        simd.bias(simd.table(&IQ4_LEVELS))
    }
    #[inline(always)]
    fn scales<S: Simd>(simd: S, blocks: &[Self; 8]) -> S::Floats {
        halves!(simd, blocks, scale)
    }
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, table: S::Ints) -> S::Ints {
        simd.look_up(table, simd.load_nibbles(&self.quants))
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, codes: S::Ints, quants: S::Ints, negative_sum: i32) -> S::Ints {
        simd.biased_dot(codes, quants, negative_sum)
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
    type Shared<S: Simd> = S::Ints;

    fn term(&self, products: f32, scale: f32, _: f32) -> f32 {
        scale * mxfp4_half_scale(self.exponent) * products
    }
    #[inline(always)]
    fn shared<S: Simd>(simd: S) -> S::Ints {
        simd.table(&RAISED)
    }
    #[inline(always)]
    fn scales<S: Simd>(simd: S, blocks: &[Self; 8]) -> S::Floats {
        let mut scales = [0.0; 8];
        for i in 0..8 {
            scales[i] = mxfp4_half_scale(blocks[i].exponent);
        }
        simd.load_floats(&scales)
    }
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, table: S::Ints) -> S::Ints {
        simd.look_up(table, simd.load_nibbles(&self.quants))
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, codes: S::Ints, quants: S::Ints, negative_sum: i32) -> S::Ints {
        simd.add_dot(simd.shift_left_ints::<4>(simd.first(negative_sum)), codes, quants)
    }
}
