//! Q6_K: 256 weights of 6 bits; a signed 8-bit scale per 16. Code 32 stands for zero.

use briq_format::block::Q6_K;
use briq_format::scalar::F16;
use zerocopy::FromZeros;

use crate::fit::{NEGLIGIBLE, Scaled, symmetric};
use crate::placement::{pack_planes, unpack_planes};
use crate::primitives::{extreme, round_even};
use crate::row::{Decode, Encode, Quants};

impl Quants<256> for Q6_K {
    fn quants(&self) -> [i8; 256] {
        let (low, high) = (unpack_low_bits(&self.low_bits), unpack_planes(&self.high_bits));
        std::array::from_fn(|i| (low[i] | high[i] << 4) as i8 - 32)
    }
}

impl Decode for Q6_K {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let (scale, quants) = (block.scale.to_f32(), block.quants());
            let groups = weights.chunks_exact_mut(16).zip(quants.chunks_exact(16));
            for ((weights, quants), group_scale) in groups.zip(block.scales) {
                let step = scale * f32::from(group_scale);
                for (weight, quant) in weights.iter_mut().zip(quants) {
                    *weight = step * f32::from(*quant);
                }
            }
        }
    }
}

impl Encode for Q6_K {
    fn encode_row(weights: &[f32], importance: Option<&[f32]>, blocks: &mut [Self]) {
        let blocks = blocks.iter_mut().zip(weights.as_chunks::<256>().0);
        match importance {
            None => blocks.for_each(|(block, x)| *block = encode(x, &x.map(|x| x * x))),
            // The importance itself, not scaled by magnitude as for other types.
            Some(importance) => {
                blocks.zip(importance.as_chunks::<256>().0).for_each(|((block, x), w)| *block = encode(x, w));
            }
        }
    }
}

/// Fits every sub-block alone, quantizes the scales, and rounds the weights once more with what is stored.
fn encode(x: &[f32; 256], w: &[f32; 256]) -> Q6_K {
    let (x_groups, w_groups) = (x.as_chunks::<16>().0, w.as_chunks::<16>().0);
    let fits: [Scaled<16>; 16] = std::array::from_fn(|i| symmetric(&x_groups[i], &w_groups[i], 32));
    let scales = fits.each_ref().map(|fit| fit.scale);
    let extreme = extreme(&scales);
    if extreme.abs() < NEGLIGIBLE {
        return Q6_K::new_zeroed();
    }
    let units_per_scale = -128.0 / extreme;
    let scale = F16::from_f32(1.0 / units_per_scale);
    let scales = scales.map(|group_scale| round_even(units_per_scale * group_scale).min(127) as i8);

    let mut codes = [0; 256];
    let (code_groups, _) = codes.as_chunks_mut::<16>();
    for (((codes, x), fit), group_scale) in code_groups.iter_mut().zip(x_groups).zip(&fits).zip(scales) {
        let step = scale.to_f32() * f32::from(group_scale);
        *codes = fit.codes;
        if step != 0.0 {
            *codes = x.map(|x| (round_even(x / step).clamp(-32, 31) + 32) as u8);
        }
    }
    Q6_K {
        low_bits: pack_low_bits(&codes.map(|code| code & 15)),
        high_bits: pack_planes(&codes.map(|code| code >> 4)),
        scales,
        scale,
    }
}

/// Runs of 64 elements share 64 bytes, the first run of two in the low nibbles.
fn pack_low_bits(codes: &[u8; 256]) -> [u8; 128] {
    std::array::from_fn(|i| {
        let low = i / 64 * 128 + i % 64;
        codes[low] | codes[low + 64] << 4
    })
}

/// Inverse of [`pack_low_bits`].
fn unpack_low_bits(bytes: &[u8; 128]) -> [u8; 256] {
    std::array::from_fn(|i| bytes[i / 128 * 64 + i % 64] >> (i % 128 / 64 * 4) & 15)
}
