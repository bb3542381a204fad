//! Q6_K with Q8_K: eight lanes over the whole row, summed at its end.

use briq_format::block::{Q6_K, Q8_K};

use super::{Dot, lanes};

impl Dot for Q6_K {
    type Partner = Q8_K;

    fn dot(row: &[Self], activations: &[Q8_K]) -> f32 {
        let mut sums = [0.0; 8];
        for (weights, activations) in row.iter().zip(activations) {
            let scale = weights.scale.to_f32() * activations.scale.get();
            let products = lanes(weights, &weights.scales.map(i32::from), activations);
            for (sum, products) in sums.iter_mut().zip(products) {
                *sum += scale * products as f32;
            }
        }
        sums.iter().fold(0.0, |sum, lane| sum + lane)
    }
}
