//! F32, F16 and BF16: products in single precision. One number at a time they are summed in double precision.

use briq_format::TensorType;
use briq_format::block::{BF16, Block, F16, F32};

use super::{Dot, rows};
use crate::simd::Simd;

/// A float that widens to single precision without rounding.
pub(super) trait Float: Block {
    fn widen(self) -> f32;

    /// Eight of them.
    fn load<S: Simd>(simd: S, floats: &[Self; 8]) -> S::Floats;
}

impl Float for F32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self.get()
    }
    #[inline(always)]
    fn load<S: Simd>(simd: S, floats: &[Self; 8]) -> S::Floats {
        let mut widened = [0.0; 8];
        for i in 0..8 {
            widened[i] = floats[i].get();
        }
        simd.load_floats(&widened)
    }
}

impl Float for F16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32()
    }
    #[inline(always)]
    fn load<S: Simd>(simd: S, floats: &[Self; 8]) -> S::Floats {
        let mut bits = [0; 8];
        for i in 0..8 {
            bits[i] = floats[i].to_bits();
        }
        simd.load_halves(&bits)
    }
}

impl Float for BF16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self.to_f32()
    }
    #[inline(always)]
    fn load<S: Simd>(simd: S, floats: &[Self; 8]) -> S::Floats {
        let mut bits = [0; 8];
        for i in 0..8 {
            bits[i] = floats[i].to_bits();
        }
        simd.load_brains(&bits)
    }
}

macro_rules! floats {
    ($($name:ident)*) => {
        $(impl Dot for $name {
            const PARTNER: TensorType = TensorType::$name;
            type Element = f32;

            fn scalar(row: &[Self], column: &[f32]) -> f32 {
                let products = row.iter().zip(column).map(|(weight, activation)| weight.widen() * activation);
                products.fold(0.0_f64, |sum, product| sum + f64::from(product)) as f32
            }

            #[inline(always)]
            fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[f32]; C]) -> [f32; C] {
                dot(simd, row, columns)
            }

            const HAS_ROWS: bool = true;

            #[inline(always)]
            fn rows<S: Simd>(simd: S, rows: [&[Self]; rows::ROWS], column: &[f32]) -> [f32; rows::ROWS] {
                rows::dot(simd, rows, column)
            }
        })*
    };
}
floats!(F32 F16 BF16);

/// Sums that are carried on independently of each other: four cycles of latency times two additions begun in each.
const CHAINS: usize = 8;

#[inline(always)]
fn dot<F: Float, S: Simd, const C: usize>(simd: S, row: &[F], columns: [&[f32]; C]) -> [f32; C] {
    let mut sums = [[simd.zeros(); CHAINS]; C];
    let (runs, rest) = row.as_chunks::<{ 8 * CHAINS }>();
    for (place, weights) in runs.iter().enumerate() {
        let weights = weights.as_chunks::<8>().0;
        for (chain, weights) in weights.iter().enumerate() {
            let weights = F::load(simd, weights);
            for c in 0..C {
                let activations =
                    &columns[c].as_chunks::<{ 8 * CHAINS }>().0[place].as_chunks::<8>().0[chain];
                sums[c][chain] = simd.multiply_add(weights, simd.load_floats(activations), sums[c][chain]);
            }
        }
    }
    let mut products = [0.0; C];
    for c in 0..C {
        for width in [4, 2, 1] {
            for chain in 0..width {
                sums[c][chain] = simd.add_floats(sums[c][chain], sums[c][chain + width]);
            }
        }
        products[c] = simd.sum(sums[c][0]);
        let activations = columns[c].as_chunks::<{ 8 * CHAINS }>().1;
        for (weight, activation) in rest.iter().zip(activations) {
            products[c] += weight.widen() * activation;
        }
    }
    products
}
