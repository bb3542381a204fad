//! Q3_K: 256 weights of 3 bits; a 6-bit scale per 16. Code 4 stands for zero, and so does scale 32.

use briq_format::block::Q3_K;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, scaled, steps};
use crate::fit::{Scaled, descent, extreme, importance_weights, symmetric};
use crate::lanes::{CodeTile, Lanes, Tile, numbers, sum, sum_of_squares};
use crate::placement::{centred, joined, pack_planes, unpack_planes};
use crate::row::{Encode, Quants, Rows};
use crate::side_by_side::{EncodeLanes, encode_rows};

impl Quants<256> for Q3_K {
    #[inline(always)]
    fn quants(&self) -> [i8; 256] {
        centred(&joined(&unpack_planes(&self.low_bits), &unpack_planes(&self.high_bits), 2), 4)
    }
}

impl DecodeLanes for Q3_K {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scales = centred(&unpack_scales(&block.scales), 32);
            let (steps, quants) = (steps(L::splat_half(block.scale), &scales), block.quants());
            let groups = weights.as_chunks_mut::<16>().0.iter_mut().zip(quants.as_chunks::<16>().0);
            for ((weights, quants), step) in groups.zip(steps) {
                scaled(quants, L::splat(step), weights);
            }
        }
    }
}

impl Encode for Q3_K {
    fn encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(rows, blocks);
    }
}

impl EncodeLanes<256> for Q3_K {
    /// Fits every sub-block alone, quantizes the scales, and rounds the weights once more with what is stored.
    /// Where a stored scale is zero, the codes of the fit remain.
    #[inline(always)]
    fn encode_lanes<L: Lanes>(x: &Tile<256>, importance: Option<&Tile<256>>, blocks: &mut [Self]) {
        let Fits { scales, found } = match importance {
            None => fit::<L>(x),
            Some(importance) => fit_with_importance::<L>(x, importance),
        };
        let mut scale_codes = CodeTile::<16>::new();
        scale_codes.store(0, &scales.codes);
        let units = numbers(scales.scale);
        let mut steps = [[0.0; 16]; 16];
        for (lane, block) in blocks.iter_mut().enumerate() {
            let codes = scale_codes.block(lane);
            block.scale = F16::from_f32(units[lane]);
            block.scales = pack_scales(&codes);
            for (steps, code) in steps.iter_mut().zip(codes) {
                steps[lane] = block.scale.to_f32() * f32::from(code as i8 - 32);
            }
        }
        let mut codes = CodeTile::<256>::new();
        for (group, (found, step)) in found.iter().zip(&steps).enumerate() {
            let step = L::load(step);
            let unusable = step.eq(L::zero());
            let mut rounded = x.load::<L, 16>(group * 16);
            for (x, &code) in rounded.iter_mut().zip(found) {
                let again = (*x / step).round_even_within(-4.0, 3.0) + L::splat(4.0);
                *x = L::select(unusable, code, again);
            }
            codes.store(group * 16, &rounded);
        }
        for (lane, block) in blocks.iter_mut().enumerate() {
            let codes = codes.block(lane);
            block.low_bits = pack_planes(&codes.map(|code| code & 3));
            block.high_bits = pack_planes(&codes.map(|code| code >> 2));
        }
    }
}

/// Sub-blocks before the scales are stored.
struct Fits<L> {
    /// A unit and the scales in units, 32 added.
    scales: Scaled<L, 16>,
    /// The codes of the weights.
    found: [[L; 16]; 16],
}

/// Weighs the error by the square of the weights, and gives the scale of largest magnitude the code 0.
#[inline(always)]
fn fit<L: Lanes>(x: &Tile<256>) -> Fits<L> {
    let (mut group_scales, mut found) = ([L::zero(); 16], [[L::zero(); 16]; 16]);
    for group in 0..16 {
        let fit = descent(&x.load::<L, 16>(group * 16), 4.0);
        (group_scales[group], found[group]) = (fit.scale, fit.codes);
    }
    let extreme = extreme(&group_scales);
    let none = extreme.eq(L::zero());
    let units_per_scale = L::splat(-32.0) / extreme;
    let mut codes = group_scales;
    for code in &mut codes {
        let units = units_per_scale * *code;
        // Quotients that overflow, or are no numbers, have a low byte of zero when rounded.
        let sound = units.abs().lt(L::splat(64.0));
        let rounded = L::select(sound, units.round_even_within(-32.0, 31.0), L::zero());
        *code = L::select(none, L::zero(), rounded + L::splat(32.0));
    }
    let unit = L::select(none, L::zero(), L::splat(1.0) / units_per_scale);
    Fits { scales: Scaled { scale: unit, codes }, found }
}

/// Weighs the error by importance, and searches the scales too.
#[inline(always)]
fn fit_with_importance<L: Lanes>(x: &Tile<256>, importance: &Tile<256>) -> Fits<L> {
    let variance = L::splat(2.0) * sum_of_squares(&x.load::<L, 256>(0)) / L::splat(256.0);
    let (mut group_scales, mut sums) = ([L::zero(); 16], [L::zero(); 16]);
    let mut found = [[L::zero(); 16]; 16];
    for group in 0..16 {
        let x = x.load::<L, 16>(group * 16);
        let w = importance_weights(&importance.load(group * 16), variance, &x);
        let fit = symmetric(&x, &w, 4.0);
        (group_scales[group], sums[group], found[group]) = (fit.scale, sum(&w), fit.codes(&x));
    }
    let fit = symmetric(&group_scales, &sums, 32.0);
    Fits { scales: Scaled { scale: fit.scale, codes: fit.codes(&group_scales) }, found }
}

/// The sixteen scales of 6 bits, 32 added.
#[inline(always)]
fn unpack_scales(packed: &[u8; 12]) -> [u8; 16] {
    let mut scales = [0; 16];
    // Four at a time, a byte each of a word.
    let words = packed.as_chunks().0;
    let (low, high) = ([words[0], words[1]].map(u32::from_le_bytes), u32::from_le_bytes(words[2]));
    for (i, scales) in scales.as_chunks_mut().0.iter_mut().enumerate() {
        let low = low[i % 2] >> (i / 2 * 4) & 0x0F0F_0F0F;
        *scales = (low | (high >> (2 * i) & 0x0303_0303) << 4).to_le_bytes();
    }
    scales
}

/// Inverse of [`unpack_scales`].
fn pack_scales(scales: &[u8; 16]) -> [u8; 12] {
    std::array::from_fn(|i| {
        if i < 8 {
            scales[i] & 15 | scales[i + 8] << 4
        } else {
            (0..4).fold(0, |byte, plane| byte | scales[4 * plane + i - 8] >> 4 << (2 * plane))
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_twelve_bytes_of_scales_come_back(bytes in any::<[u8; 12]>()) {
            let scales = unpack_scales(&bytes);
            prop_assert!(scales.iter().all(|scale| *scale < 64));
            prop_assert_eq!(pack_scales(&scales), bytes);
        }
    }
}
