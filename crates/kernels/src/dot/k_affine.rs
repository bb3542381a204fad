//! Q4_K and Q5_K with Q8_K: eight lanes for the steps over the whole row; the minimums times the sums that Q8_K
//! states are taken off block by block.

use briq_codec::{Quants, k_scales};
use briq_format::block::{Q4_K, Q5_K, Q8_K};
use briq_format::scalar::F16;

use super::{Dot, lanes};

impl Dot for Q4_K {
    type Partner = Q8_K;

    fn dot(row: &[Self], activations: &[Q8_K]) -> f32 {
        dot(row, activations, |block| (block.scale, block.minimum, block.scales_and_minimums))
    }
}

impl Dot for Q5_K {
    type Partner = Q8_K;

    fn dot(row: &[Self], activations: &[Q8_K]) -> f32 {
        dot(row, activations, |block| (block.scale, block.minimum, block.scales_and_minimums))
    }
}

fn dot<B: Quants<256>>(row: &[B], activations: &[Q8_K], header: impl Fn(&B) -> (F16, F16, [u8; 12])) -> f32 {
    let mut sum = 0.0;
    let mut sums = [0.0; 8];
    for (weights, activations) in row.iter().zip(activations) {
        let (scale, minimum, packed) = header(weights);
        let unpacked = k_scales::unpack(&packed);
        let activation_scale = activations.scale.get();

        let scale = scale.to_f32() * activation_scale;
        let products = lanes(weights, &unpacked.scales.map(i32::from), activations);
        for (sum, products) in sums.iter_mut().zip(products) {
            *sum += scale * products as f32;
        }
        let pairs = activations.sums.as_chunks::<2>().0;
        let minimums = unpacked.minimums.iter().zip(pairs);
        let drop: i32 = minimums
            .map(|(&minimum, [a, b])| i32::from(minimum) * (i32::from(a.get()) + i32::from(b.get())))
            .sum();
        sum -= minimum.to_f32() * activation_scale * drop as f32;
    }
    sums.iter().fold(sum, |sum, lane| sum + lane)
}
