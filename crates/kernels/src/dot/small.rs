//! Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0: 32 weights, a scale, and in two of them a minimum.

use briq_format::TensorType;
use briq_format::block::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};

use super::eight::{Eighth, headers};
use super::header;
use crate::activations::Tile;
use crate::simd::{EightBlocks, Simd};

impl Eighth for Q4_0 {
    const PARTNER: TensorType = TensorType::Q8_0;
    type Shared<S: Simd> = ();
    const RAISED: bool = true;

    fn term(&self, products: f32, scale: f32, _: f32) -> f32 {
        products * self.scale.to_f32() * scale
    }
    #[inline(always)]
    fn shared<S: Simd>(_: S) {}
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.load_raised_nibbles(&self.quants)
    }
    #[inline(always)]
    fn plain_codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.load_nibbles(&self.quants)
    }
    #[inline(always)]
    fn zero_point<S: Simd>(simd: S, products: S::Ints, negative_sums: S::Ints) -> S::Ints {
        // A code is the weight plus 8.
        simd.add(products, simd.shift_left_ints::<3>(negative_sums))
    }

    const HAS_WIDE: bool = true;

    #[inline(always)]
    fn add_wide<S: Simd>(simd: S, (): (), blocks: &[Self; 8], tile: &Tile, sum: &mut S::Wide) {
        let blocks = EightBlocks::Halves(header(blocks));
        let zero_points = (&tile.wide_zero_points, 0);
        simd.add_scaled_nibbles(sum, blocks, None, &tile.wide_quants, zero_points, &tile.scales);
    }
}

/// What a block has that begins with a scale and a minimum: no zero point.
macro_rules! with_minimum {
    () => {
        const HAS_MINIMUM: bool = true;

        fn term(&self, products: f32, scale: f32, stated_sum: f32) -> f32 {
            self.scale.to_f32() * scale * products + self.minimum.to_f32() * stated_sum
        }
        #[inline(always)]
        fn shared<S: Simd>(_: S) {}
        #[inline(always)]
        fn scales_and_minimums<S: Simd>(simd: S, blocks: &[Self; 8]) -> (S::Floats, Option<S::Floats>) {
            let headers = headers(simd, blocks);
            (simd.low_halves(headers), Some(simd.high_halves(headers)))
        }
        #[inline(always)]
        fn zero_point<S: Simd>(_: S, products: S::Ints, _: S::Ints) -> S::Ints {
            products
        }
    };
}

impl Eighth for Q4_1 {
    const PARTNER: TensorType = TensorType::Q8_1;
    type Shared<S: Simd> = ();
    const RAISED: bool = true;

    with_minimum!();
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.load_raised_nibbles(&self.quants)
    }
    #[inline(always)]
    fn plain_codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.load_nibbles(&self.quants)
    }
}

impl Eighth for Q5_0 {
    const PARTNER: TensorType = TensorType::Q8_0;
    type Shared<S: Simd> = ();

    fn term(&self, products: f32, scale: f32, _: f32) -> f32 {
        self.scale.to_f32() * scale * products
    }
    #[inline(always)]
    fn shared<S: Simd>(_: S) {}
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.or(simd.load_nibbles(&self.low_bits), simd.bytes_where(self.high_bits.get(), 16))
    }
    #[inline(always)]
    fn zero_point<S: Simd>(simd: S, products: S::Ints, negative_sums: S::Ints) -> S::Ints {
        // A code is the weight plus 16.
        simd.add(products, simd.shift_left_ints::<4>(negative_sums))
    }
}

impl Eighth for Q5_1 {
    const PARTNER: TensorType = TensorType::Q8_1;
    type Shared<S: Simd> = ();

    with_minimum!();
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.or(simd.load_nibbles(&self.low_bits), simd.bytes_where(self.high_bits.get(), 16))
    }
}

impl Eighth for Q8_0 {
    const PARTNER: TensorType = TensorType::Q8_0;
    type Shared<S: Simd> = ();

    fn term(&self, products: f32, scale: f32, _: f32) -> f32 {
        self.scale.to_f32() * scale * products
    }
    #[inline(always)]
    fn shared<S: Simd>(_: S) {}
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.bias(simd.load_signed(&self.quants))
    }
    #[inline(always)]
    fn add_dot<S: Simd>(simd: S, ints: S::Ints, codes: S::Ints, quants: S::Ints) -> S::Ints {
        simd.add_biased_dot(ints, codes, quants)
    }
    #[inline(always)]
    fn zero_point<S: Simd>(simd: S, products: S::Ints, negative_sums: S::Ints) -> S::Ints {
        simd.unbias(products, negative_sums)
    }
}
