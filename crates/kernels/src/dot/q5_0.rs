//! Q5_0 with Q8_0: the sum of products times the product of the scales.

use briq_format::block::{Q5_0, Q8_0};

use super::{Dot, integer_dot};

impl Dot for Q5_0 {
    type Partner = Q8_0;

    fn dot(row: &[Self], activations: &[Q8_0]) -> f32 {
        let mut sum = 0.0;
        for (weights, activations) in row.iter().zip(activations) {
            let scale = weights.scale.to_f32() * activations.scale.to_f32();
            sum += scale * integer_dot(weights, activations) as f32;
        }
        sum
    }
}
