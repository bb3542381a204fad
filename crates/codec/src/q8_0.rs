//! Q8_0: 32 weights of 8 bits, and the form of activations that the types with one scale are multiplied with.

use briq_format::block::Q8_0;
use briq_format::scalar::F16;

use crate::primitives::{inverse_or_zero, magnitude_since_nan, round_away};
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
    let scale = magnitude_since_nan(weights) / 127.0;
    let per_scale = inverse_or_zero(scale);
    (scale, round_away(&weights.map(|weight| weight * per_scale)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::primitives::{largest_since_nan, truncate};

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
    }
}
