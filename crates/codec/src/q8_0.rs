//! Q8_0: 32 weights of 8 bits, and the form of activations that the types with one scale are multiplied with.

use briq_format::block::Q8_0;
use briq_format::scalar::F16;

use crate::primitives::{inverse_or_zero, largest_since_nan, truncate};
use crate::row::{Decode, Encode, Quants};

impl Quants<32> for Q8_0 {
    fn quants(&self) -> [i8; 32] {
        self.quants
    }
}

impl Decode for Q8_0 {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            let scale = block.scale.to_f32();
            *weights = block.quants.map(|quant| f32::from(quant) * scale);
        }
    }
}

impl Encode for Q8_0 {
    fn encode_row(weights: &[f32], _: Option<&[f32]>, blocks: &mut [Self]) {
        for (block, weights) in blocks.iter_mut().zip(weights.as_chunks::<32>().0) {
            let (scale, quants) = quantize(weights);
            *block = Self { scale: F16::from_f32(scale), quants };
        }
    }
}

/// The scale before it is rounded to 16 bits, and the quants that it gives.
pub(crate) fn quantize(weights: &[f32; 32]) -> (f32, [i8; 32]) {
    let scale = magnitude(weights) / 127.0;
    (scale, quants(weights, inverse_or_zero(scale)))
}

/// The largest magnitude.
///
/// Magnitudes compare like their bits, which gives a loop over integers that vectorises; only a NaN, whose bits
/// are above those of every number, needs the sequence of the reference.
fn magnitude(weights: &[f32; 32]) -> f32 {
    let bits = weights.iter().fold(0, |largest, weight| weight.abs().to_bits().max(largest));
    if f32::from_bits(bits).is_nan() {
        largest_since_nan(weights.iter().map(|weight| weight.abs()))
    } else {
        f32::from_bits(bits)
    }
}

/// Steps, rounded half away from zero.
fn quants(weights: &[f32; 32], per_scale: f32) -> [i8; 32] {
    let steps = weights.map(|weight| weight * per_scale);
    // For numbers this small, adding the float just below one half and cutting is `f32::round`, but vectorises.
    if steps.iter().fold(true, |all, steps| all & (steps.abs() < 128.0)) {
        steps.map(|steps| (steps + 0.499_999_97_f32.copysign(steps)) as i32 as i8)
    } else {
        steps.map(|steps| truncate(steps.round()) as i8)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The encoder of the reference, word for word.
    fn slowly(weights: &[f32; 32]) -> Q8_0 {
        let scale = largest_since_nan(weights.iter().map(|weight| weight.abs())) / 127.0;
        let per_scale = inverse_or_zero(scale);
        let quants = weights.map(|weight| truncate((weight * per_scale).round()) as i8);
        Q8_0 { scale: F16::from_f32(scale), quants }
    }

    proptest! {
        #[test]
        fn the_vectorised_encoder_is_the_reference(bits in any::<[u32; 32]>(), top in 0_u32..0x7FFF_FFFF, spread in 0_u32..1 << 28) {
            // Arbitrary floats differ too much in magnitude to give quants; floats near one another do not.
            for near in [u32::MAX, spread] {
                let weights = bits.map(|bits| {
                    let magnitude = if near == u32::MAX { bits } else { top.saturating_sub(bits % (near + 1)) };
                    f32::from_bits(magnitude & 0x7FFF_FFFF | bits & 0x8000_0000)
                });
                let mut block = [slowly(&[0.0; 32])];
                Q8_0::encode_row(&weights, None, &mut block);
                prop_assert_eq!(block[0], slowly(&weights));
            }
        }

        #[test]
        fn rounding_by_cutting_is_rounding_half_away_from_zero(weights in proptest::array::uniform32(-127.9_f32..127.9), halves in any::<[i8; 32]>()) {
            let halves = halves.map(|half| f32::from(half) / 2.0);
            let below = halves.map(f32::next_down);
            for steps in [weights, halves, below] {
                prop_assert_eq!(quants(&steps, 1.0), steps.map(|steps| steps.round() as i32 as i8));
            }
        }
    }
}
