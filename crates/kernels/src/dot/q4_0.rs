//! Q4_0 with Q8_0: the sum of products times one scale, then times the other.

use briq_format::block::{Q4_0, Q8_0};

use super::{Dot, integer_dot};

impl Dot for Q4_0 {
    type Partner = Q8_0;

    fn dot(row: &[Self], activations: &[Q8_0]) -> f32 {
        let mut sum = 0.0;
        for (weights, activations) in row.iter().zip(activations) {
            let products = integer_dot(weights, activations) as f32;
            sum += products * weights.scale.to_f32() * activations.scale.to_f32();
        }
        sum
    }
}
