//! Q1_0: 128 signs and one magnitude.

use briq_format::block::Q1_0;
use briq_format::scalar::F16;

use crate::decoder::DecodeLanes;
use crate::lanes::Lanes;
use crate::primitives::sum;
use crate::row::{Encode, Rows};

impl DecodeLanes for Q1_0 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<128>().0) {
            let scale = L::splat_half(block.scale);
            let groups = weights.as_chunks_mut::<32>().0.iter_mut().zip(block.signs.as_chunks::<4>().0);
            for (weights, positive) in groups {
                let positive = u32::from_le_bytes(*positive);
                for (run, weights) in weights.chunks_exact_mut(L::WIDTH).enumerate() {
                    L::select(L::mask(positive >> (run * L::WIDTH)), scale, -scale).store(weights);
                }
            }
        }
    }
}

impl Encode for Q1_0 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        for (block, weights) in blocks.iter_mut().zip(rows.weights.as_chunks::<128>().0) {
            let scale = sum(weights.iter().map(|weight| weight.abs())) / 128.0;
            let groups = weights.as_chunks::<8>().0;
            // Zeros of both signs are positive, and a NaN is not.
            let signs = std::array::from_fn(|i| {
                (0..8).fold(0, |signs, bit| signs | u8::from(groups[i][bit] >= 0.0) << bit)
            });
            *block = Self { scale: F16::from_f32(scale), signs };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Decode;

    #[test]
    fn a_sign_is_kept_and_zeros_are_positive() {
        let mut weights = [-0.25; 128];
        (weights[0], weights[9], weights[127]) = (0.5, -0.0, 0.0);
        let mut blocks = [Q1_0 { scale: F16::from_f32(0.0), signs: [0; 16] }];
        Q1_0::encode_rows(&Rows::one(&weights), &mut blocks);
        let mut decoded = [0.0; 128];
        Q1_0::decode(&blocks, &mut decoded);
        let magnitude = F16::from_f32((125.0 * 0.25 + 0.5) / 128.0).to_f32();
        for (i, weight) in decoded.into_iter().enumerate() {
            assert_eq!(weight, if [0, 9, 127].contains(&i) { magnitude } else { -magnitude }, "{i}");
        }
    }
}
