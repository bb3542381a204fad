//! Q5_1 with Q8_1: the scales times the sum of products, and the minimum times the sum that Q8_1 states.

use briq_format::block::{Q5_1, Q8_1};

use super::{Dot, integer_dot};

impl Dot for Q5_1 {
    type Partner = Q8_1;

    fn dot(row: &[Self], activations: &[Q8_1]) -> f32 {
        let mut sum = 0.0;
        for (weights, activations) in row.iter().zip(activations) {
            let scale = weights.scale.to_f32() * activations.scale.to_f32();
            let minimum = weights.minimum.to_f32() * activations.scaled_sum.to_f32();
            sum += scale * integer_dot(weights, activations) as f32 + minimum;
        }
        sum
    }
}
