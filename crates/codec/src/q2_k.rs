//! Q2_K: 256 weights of 2 bits; a 4-bit scale and a 4-bit minimum per 16.

use briq_format::block::Q2_K;
use briq_format::scalar::F16;

use crate::decoder::{self, DecodeLanes, lowered};
use crate::fit::{Scaled, Trials, affine, affine_by_magnitude, importance_weights, nonnegative};
use crate::lanes::{CodeTile, Lanes, Tile, numbers, sum, sum_of_squares};
use crate::placement::{centred, pack_planes, unpack_planes};
use crate::row::{Encode, Quants, Rows};
use crate::side_by_side::{EncodeLanes, encode_rows};

/// The scales that are tried without importance.
const TRIALS: Trials = Trials { first: -0.5, step: 0.1, last: 15 };

impl Quants<256> for Q2_K {
    #[inline(always)]
    fn quants(&self) -> [i8; 256] {
        centred(&unpack_planes(&self.quants), 0)
    }
}

impl DecodeLanes for Q2_K {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let (mut scales, mut minimums) = ([0; 16], [0; 16]);
            for (i, packed) in block.scales_and_minimums.iter().enumerate() {
                (scales[i], minimums[i]) = ((packed & 15) as i8, (packed >> 4) as i8);
            }
            let steps = decoder::steps(L::splat_half(block.scale), &scales);
            let drops = decoder::steps(L::splat_half(block.minimum), &minimums);
            let quants = block.quants();
            let groups = weights.as_chunks_mut::<16>().0.iter_mut().zip(quants.as_chunks::<16>().0);
            for ((weights, quants), (step, drop)) in groups.zip(steps.into_iter().zip(drops)) {
                lowered(quants, L::splat(step), L::splat(drop), weights);
            }
        }
    }
}

impl Encode for Q2_K {
    fn encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(rows, blocks);
    }
}

impl EncodeLanes<256> for Q2_K {
    /// Fits every sub-block alone, quantizes the scales and minimums, and rounds the weights once more with what is
    /// stored. Where a stored scale is zero, the codes of the fit remain.
    #[inline(always)]
    fn encode_lanes<L: Lanes>(x: &Tile<256>, importance: Option<&Tile<256>>, blocks: &mut [Self]) {
        let Fits { scales, minimums, found } = match importance {
            None => fit::<L>(x),
            Some(importance) => fit_with_importance::<L>(x, importance),
        };
        let (mut scale_codes, mut minimum_codes) = (CodeTile::<16>::new(), CodeTile::<16>::new());
        scale_codes.store(0, &scales.codes);
        minimum_codes.store(0, &minimums.codes);
        let (scale_units, minimum_units) = (numbers(scales.scale), numbers(minimums.scale));
        let (mut steps, mut drops) = ([[0.0; 16]; 16], [[0.0; 16]; 16]);
        for (lane, block) in blocks.iter_mut().enumerate() {
            let (scales, minimums) = (scale_codes.block(lane), minimum_codes.block(lane));
            block.scale = F16::from_f32(scale_units[lane]);
            block.minimum = F16::from_f32(minimum_units[lane]);
            for (group, packed) in block.scales_and_minimums.iter_mut().enumerate() {
                // Codes above 15 spill over, as in the reference.
                *packed = scales[group] | minimums[group] << 4;
                steps[group][lane] = block.scale.to_f32() * f32::from(*packed & 15);
                drops[group][lane] = block.minimum.to_f32() * f32::from(*packed >> 4);
            }
        }
        let mut codes = CodeTile::<256>::new();
        for (group, found) in found.iter().enumerate() {
            let (step, drop) = (L::load(&steps[group]), L::load(&drops[group]));
            let unusable = step.eq(L::zero());
            let mut rounded = x.load::<L, 16>(group * 16);
            for (x, &code) in rounded.iter_mut().zip(found) {
                let again = ((*x + drop) / step).round_even_within(0.0, 3.0);
                *x = L::select(unusable, code, again);
            }
            codes.store(group * 16, &rounded);
        }
        for (lane, block) in blocks.iter_mut().enumerate() {
            block.quants = pack_planes(&codes.block(lane));
        }
    }
}

/// Sub-blocks before the scales and minimums are stored.
struct Fits<L> {
    /// A unit and the scales in units.
    scales: Scaled<L, 16>,
    /// A unit and the minimums in units, as they are stored: how far below zero.
    minimums: Scaled<L, 16>,
    /// The codes of the weights.
    found: [[L; 16]; 16],
}

/// Weighs the error by magnitude, and takes the largest scale and minimum to 15.
#[inline(always)]
fn fit<L: Lanes>(x: &Tile<256>) -> Fits<L> {
    let (mut scales, mut drops) = ([L::zero(); 16], [L::zero(); 16]);
    let mut found = [[L::zero(); 16]; 16];
    for group in 0..16 {
        let x = x.load::<L, 16>(group * 16);
        let mut w = x;
        for w in &mut w {
            *w = w.abs();
        }
        let fit = affine_by_magnitude(&x, &w, 3.0, &TRIALS);
        (scales[group], drops[group], found[group]) = (fit.scale, -fit.minimum, fit.codes(&x));
    }
    Fits { scales: to_fifteen(&scales), minimums: to_fifteen(&drops), found }
}

/// Weighs the error by importance, and searches the scales and minimums too.
#[inline(always)]
fn fit_with_importance<L: Lanes>(x: &Tile<256>, importance: &Tile<256>) -> Fits<L> {
    let variance = sum_of_squares(&x.load::<L, 256>(0)) / L::splat(256.0);
    let (mut scales, mut drops, mut sums) = ([L::zero(); 16], [L::zero(); 16], [L::zero(); 16]);
    let mut found = [[L::zero(); 16]; 16];
    for group in 0..16 {
        let x = x.load::<L, 16>(group * 16);
        let w = importance_weights(&importance.load(group * 16), variance, &x);
        let fit = affine(&x, &w, 3.0, &Trials::WITH_IMPORTANCE);
        (scales[group], drops[group], found[group]) = (fit.scale, -fit.minimum, fit.codes(&x));
        sums[group] = sum(&w);
    }
    Fits { scales: nonnegative(&scales, &sums, 15.0), minimums: nonnegative(&drops, &sums, 15.0), found }
}

/// Codes that take the largest value to 15, and what a unit is worth.
#[inline(always)]
fn to_fifteen<L: Lanes>(values: &[L; 16]) -> Scaled<L, 16> {
    let mut largest = L::zero();
    for &value in values {
        largest = L::select(value.gt(largest), value, largest);
    }
    let none = !largest.gt(L::zero());
    let units_per_value = L::splat(15.0) / largest;
    let mut codes = *values;
    for code in &mut codes {
        *code = L::select(none, L::zero(), (units_per_value * *code).round_even_to_byte());
    }
    Scaled { scale: L::select(none, L::zero(), largest / L::splat(15.0)), codes }
}
