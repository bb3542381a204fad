//! F32, F16 and BF16: products in single precision, summed in double.

use briq_format::block::{BF16, F16, F32};

use super::Dot;

macro_rules! plain {
    ($($name:ident: $widen:expr;)*) => {
        $(impl Dot for $name {
            type Partner = Self;

            fn dot(row: &[Self], activations: &[Self]) -> f32 {
                let widen: fn(Self) -> f32 = $widen;
                let products = row.iter().zip(activations).map(|(&weight, &activation)| widen(weight) * widen(activation));
                products.fold(0.0_f64, |sum, product| sum + f64::from(product)) as f32
            }
        })*
    };
}
plain! {
    F32: F32::get;
    F16: F16::to_f32;
    BF16: BF16::to_f32;
}
