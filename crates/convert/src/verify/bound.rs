//! How far a decoded block may be from its weights, type by type. The same text with the derivations:
//! spec/numerics.md, "Round trips".
//!
//! For a block whose largest weight is `L`, the root mean square of the error is at most `part * L + floor`.
//! `part` comes from the step between two codes and from the rounding of the scales; `floor` from scales so
//! small that F16 holds them with an absolute error of 2^-25, times the largest code they are multiplied by.
//! The bounds hold for encoders that weigh all errors alike or by the weights themselves. An importance
//! matrix may ask for more error than this in weights it calls unimportant.

use briq_format::{Content, TensorType};

/// The bound of a type: see the module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoundTripBound {
    /// Of the block's largest weight.
    pub part: f64,
    /// In the weights' own unit.
    pub floor: f64,
}

impl RoundTripBound {
    /// What the root mean square of the error may be in a block whose largest weight is `largest_weight`.
    pub fn allowed(self, largest_weight: f64) -> f64 {
        self.part * largest_weight + self.floor
    }
}

/// Half the distance between two F16 numbers, relative to them.
const F16_ROUNDING: f64 = 1.0 / 2048.0;
/// The same below the normal F16 numbers, where the distance no longer shrinks: 2^-25.
const F16_FLOOR: f64 = 1.0 / (1 << 25) as f64;
/// Half the distance between two subnormal F32 numbers: 2^-150.
const SUBNORMAL: f64 = F16_FLOOR * F16_FLOOR * F16_FLOOR * F16_FLOOR * F16_FLOOR * F16_FLOOR;
/// What a scale or minimum of 6 bits loses, relative to the largest of the super-block, F16 included.
const SIX_BITS: f64 = 1.0 / 126.0 + F16_ROUNDING;

/// The bound for blocks of `ty`; `None` for types for which none has been derived.
pub fn round_trip_bound(ty: TensorType) -> Option<RoundTripBound> {
    let sqrt2 = std::f64::consts::SQRT_2;
    let (part, floor) = match ty {
        // A source of doubles is rounded once.
        TensorType::F32 => (1.0 / (1 << 24) as f64, SUBNORMAL),
        TensorType::F16 => (F16_ROUNDING, F16_FLOOR),
        TensorType::BF16 => (1.0 / 256.0, 65_536.0 * SUBNORMAL),
        // Half a step, and 127 scales each off by the rounding of F16.
        TensorType::Q8_0 => (1.0 / 254.0 + F16_ROUNDING, 127.0 * F16_FLOOR),
        // The codes reach 8 steps one way and 7 the other: a weight at the far end is off by a whole step.
        TensorType::Q4_0 => (1.0 / 8.0 + F16_ROUNDING, 8.0 * F16_FLOOR),
        TensorType::Q5_0 => (1.0 / 16.0 + F16_ROUNDING, 16.0 * F16_FLOOR),
        // Half a step of the range, which is at most 2 L; scale and minimum rounded.
        TensorType::Q4_1 => (1.0 / 15.0 + 3.0 * F16_ROUNDING, 16.0 * F16_FLOOR),
        TensorType::Q5_1 => (1.0 / 31.0 + 3.0 * F16_ROUNDING, 32.0 * F16_FLOOR),
        // The search ends no worse than half a step under weights that differ by less than two in the mean;
        // then scale and minimum lose bits, the scale being at most the range over 14 (30) steps.
        TensorType::Q4_K => (sqrt2 / 15.0 + (15.0 / 7.0 + 1.0) * SIX_BITS, 63.0 * 16.0 * F16_FLOOR),
        TensorType::Q5_K => (sqrt2 / 31.0 + (31.0 / 15.0 + 1.0) * SIX_BITS, 63.0 * 32.0 * F16_FLOOR),
        // A whole step at the far end, as Q4_0 has it, and a scale of 8 bits.
        TensorType::Q6_K => (1.0 / 32.0 + 1.0 / 128.0 + F16_ROUNDING, 128.0 * 32.0 * F16_FLOOR),
        _ => match ty.content() {
            Content::Doubles | Content::Integers => (0.0, 0.0),
            Content::Weights | Content::Activations => return None,
        },
    };
    // A millionth for the roundings of the encoder's own arithmetic.
    Some(RoundTripBound { part: part * 1.000_001, floor })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every type with an encoder and a bound.
    fn types() -> impl Iterator<Item = TensorType> {
        let types = TensorType::ALL.iter().copied();
        types.filter(|&ty| briq_codec::can_encode(ty) && round_trip_bound(ty).is_some())
    }

    fn check(weights: &[f32]) {
        for ty in types() {
            let mut blocks = vec![0; ty.row_bytes(256).unwrap() as usize];
            let mut decoded = vec![0.0; 256];
            briq_codec::encode(ty, weights, 256, None, &mut blocks).unwrap();
            briq_codec::decode(ty, &blocks, &mut decoded).unwrap();
            let block = if ty.is_quantized() { ty.block_elements() as usize } else { 32 };
            for (expected, decoded) in weights.chunks(block).zip(decoded.chunks(block)) {
                let largest = expected.iter().fold(0.0_f64, |largest, x| largest.max(f64::from(x.abs())));
                let squares: f64 = expected.iter().zip(decoded).map(|(x, y)| f64::from(x - y).powi(2)).sum();
                let rms = (squares / expected.len() as f64).sqrt();
                let allowed = round_trip_bound(ty).unwrap().allowed(largest);
                assert!(rms <= allowed, "{ty}: {rms:e} over {allowed:e} for a largest weight of {largest:e}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_encoder_leaves_its_bound(
            weights in proptest::collection::vec(-1.0_f32..1.0, 256),
            power in 1_i32..9,
            scale in -30_i32..12,
            shift in -1.0_f32..1.0,
        ) {
            let scale = 2.0_f32.powi(scale);
            // Odd and even powers: from flat to heavy-tailed, with and without an offset.
            let shape = |x: &f32| (x.abs().powi(power).copysign(*x) + shift * 0.3) * scale;
            let shaped: Vec<f32> = weights.iter().map(shape).collect();
            check(&shaped);
        }
    }

    #[test]
    fn rows_that_are_hard_on_a_scale_stay_inside_too() {
        let outlier: Vec<f32> =
            (0..256).map(|i| if i == 77 { 1000.0 } else { (i as f32).sin() * 1e-3 }).collect();
        let signs: Vec<f32> = (0..256).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        for row in [outlier, signs, vec![0.0; 256], vec![1e-9; 256], vec![-3.0; 256], vec![1e-40; 256]] {
            check(&row);
        }
    }
}
