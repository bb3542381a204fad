//! Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0: 32 weights, a scale, and in two of them a minimum.

use briq_format::TensorType;
use briq_format::block::{Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};

use super::Dot;
use super::eight::{self, Eighth};
use crate::activations::Tile;
use crate::simd::Simd;

/// Types whose rows are multiplied eight blocks at a time.
macro_rules! eighths {
    ($($name:ident with $partner:ident;)*) => {
        $(impl Dot for $name {
            const PARTNER: TensorType = TensorType::$partner;
            type Element = Tile;

            fn scalar(row: &[Self], column: &[Tile]) -> f32 {
                eight::scalar(row, column)
            }

            #[inline(always)]
            fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
                eight::dot(simd, row, columns)
            }
        })*
    };
}
pub(super) use eighths;

eighths! {
    Q4_0 with Q8_0;
    Q4_1 with Q8_1;
    Q5_0 with Q8_0;
    Q5_1 with Q8_1;
    Q8_0 with Q8_0;
}

/// The numbers of a field of eight blocks, widened.
macro_rules! halves {
    ($simd:ident, $blocks:ident, $field:ident) => {{
        let [a, b, c, d, e, f, g, h] = $blocks;
        let fields = [a.$field, b.$field, c.$field, d.$field, e.$field, f.$field, g.$field, h.$field];
        let mut bits = [0; 8];
        let mut i = 0;
        while i < 8 {
            bits[i] = fields[i].to_bits();
            i += 1;
        }
        $simd.load_halves(&bits)
    }};
}
pub(super) use halves;

impl Eighth for Q4_0 {
    type Shared<S: Simd> = ();

    fn term(&self, products: f32, scale: f32, _: f32) -> f32 {
        products * self.scale.to_f32() * scale
    }
    #[inline(always)]
    fn shared<S: Simd>(_: S) {}
    #[inline(always)]
    fn scales<S: Simd>(simd: S, blocks: &[Self; 8]) -> S::Floats {
        halves!(simd, blocks, scale)
    }
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.load_nibbles(&self.quants)
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, codes: S::Ints, quants: S::Ints, negative_sum: i32) -> S::Ints {
        // A code is the weight plus 8.
        simd.add_dot(simd.shift_left_ints::<3>(simd.first(negative_sum)), codes, quants)
    }
}

impl Eighth for Q4_1 {
    type Shared<S: Simd> = ();

    fn term(&self, products: f32, scale: f32, stated_sum: f32) -> f32 {
        self.scale.to_f32() * scale * products + self.minimum.to_f32() * stated_sum
    }
    #[inline(always)]
    fn shared<S: Simd>(_: S) {}
    #[inline(always)]
    fn scales<S: Simd>(simd: S, blocks: &[Self; 8]) -> S::Floats {
        halves!(simd, blocks, scale)
    }
    #[inline(always)]
    fn minimums<S: Simd>(simd: S, blocks: &[Self; 8]) -> Option<S::Floats> {
        Some(halves!(simd, blocks, minimum))
    }
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.load_nibbles(&self.quants)
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, codes: S::Ints, quants: S::Ints, _: i32) -> S::Ints {
        simd.add_dot(simd.zero(), codes, quants)
    }
}

impl Eighth for Q5_0 {
    type Shared<S: Simd> = ();

    fn term(&self, products: f32, scale: f32, _: f32) -> f32 {
        self.scale.to_f32() * scale * products
    }
    #[inline(always)]
    fn shared<S: Simd>(_: S) {}
    #[inline(always)]
    fn scales<S: Simd>(simd: S, blocks: &[Self; 8]) -> S::Floats {
        halves!(simd, blocks, scale)
    }
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.or(simd.load_nibbles(&self.low_bits), simd.bytes_where(self.high_bits.get(), 16))
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, codes: S::Ints, quants: S::Ints, negative_sum: i32) -> S::Ints {
        // A code is the weight plus 16.
        simd.add_dot(simd.shift_left_ints::<4>(simd.first(negative_sum)), codes, quants)
    }
}

impl Eighth for Q5_1 {
    type Shared<S: Simd> = ();

    fn term(&self, products: f32, scale: f32, stated_sum: f32) -> f32 {
        self.scale.to_f32() * scale * products + self.minimum.to_f32() * stated_sum
    }
    #[inline(always)]
    fn shared<S: Simd>(_: S) {}
    #[inline(always)]
    fn scales<S: Simd>(simd: S, blocks: &[Self; 8]) -> S::Floats {
        halves!(simd, blocks, scale)
    }
    #[inline(always)]
    fn minimums<S: Simd>(simd: S, blocks: &[Self; 8]) -> Option<S::Floats> {
        Some(halves!(simd, blocks, minimum))
    }
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.or(simd.load_nibbles(&self.low_bits), simd.bytes_where(self.high_bits.get(), 16))
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, codes: S::Ints, quants: S::Ints, _: i32) -> S::Ints {
        simd.add_dot(simd.zero(), codes, quants)
    }
}

impl Eighth for Q8_0 {
    type Shared<S: Simd> = ();

    fn term(&self, products: f32, scale: f32, _: f32) -> f32 {
        self.scale.to_f32() * scale * products
    }
    #[inline(always)]
    fn shared<S: Simd>(_: S) {}
    #[inline(always)]
    fn scales<S: Simd>(simd: S, blocks: &[Self; 8]) -> S::Floats {
        halves!(simd, blocks, scale)
    }
    #[inline(always)]
    fn codes<S: Simd>(&self, simd: S, (): ()) -> S::Ints {
        simd.bias(simd.load_signed(&self.quants))
    }
    #[inline(always)]
    fn dot<S: Simd>(simd: S, codes: S::Ints, quants: S::Ints, negative_sum: i32) -> S::Ints {
        simd.biased_dot(codes, quants, negative_sum)
    }
}
