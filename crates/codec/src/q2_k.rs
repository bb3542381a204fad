//! Q2_K: 256 weights of 2 bits; a 4-bit scale and a 4-bit minimum per 16.

use briq_format::block::Q2_K;
use briq_format::scalar::F16;

use crate::decoder::{self, DecodeLanes, lowered};
use crate::fit::{
    Affine, CodeRules, Found, Reach, Scaled, Stored, Trials, affine, affine_by_magnitude, nonnegative, weigh,
};
use crate::lanes::{Blocks, CodeTile, Lanes, MAX_WIDTH, Pair, sum};
use crate::placement::{Code, centred, pack_planes, unpack_planes};
use crate::row::{Encode, Quants, Rows};
use crate::super_blocks::{EncodeSuperBlocks, encode_rows};

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
    const USES_IMPORTANCE: bool = true;

    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(rows, blocks);
    }
}

impl EncodeSuperBlocks for Q2_K {
    /// Fits every sub-block alone, quantizes the scales and minimums, and rounds the weights once more with what is
    /// stored. Where a stored scale is zero, the codes of the fit remain.
    #[inline(always)]
    fn encode_super_blocks<L: Lanes>(
        x: &Blocks<'_, 256>,
        importance: Option<&Blocks<'_, 256>>,
        blocks: &mut [Self],
    ) {
        let Fits { sub_blocks, scales, minimums } = match importance {
            None => fit::<L>(x),
            Some(importance) => fit_with_importance::<L>(x, importance),
        };
        let (mut scale_units, mut minimum_units) = ([0; MAX_WIDTH], [0; MAX_WIDTH]);
        scales.scale.store_halves(&mut scale_units);
        minimums.scale.store_halves(&mut minimum_units);
        let (scale, minimum) = (L::load_halves(&scale_units), L::load_halves(&minimum_units));
        let (mut packed, mut minimum_codes) = (CodeTile::<16>::new(), CodeTile::<16>::new());
        packed.store(0, &scales.codes);
        minimum_codes.store(0, &minimums.codes);
        for (packed, minimum) in packed.0.iter_mut().zip(minimum_codes.0) {
            // Codes above 15 spill over, as in the reference.
            *packed = packed.or(minimum.up(4));
        }

        let (mut steps, mut drops) = ([[0.0; MAX_WIDTH]; 16], [[0.0; MAX_WIDTH]; 16]);
        let mut found = [CodeRules::NONE; 8];
        for (rules, fit) in found.iter_mut().zip(&sub_blocks) {
            *rules = fit.rules();
        }
        for (packed, (steps, drops)) in packed.0.iter().zip(steps.iter_mut().zip(&mut drops)) {
            (scale * bits::<L>(packed, 0)).store(steps);
            (minimum * bits::<L>(packed, 4)).store(drops);
        }
        let (stored, packed) = (Stored { steps: &steps, drops: &drops }, packed.blocks());
        for (lane, block) in blocks.iter_mut().enumerate() {
            let codes = stored.codes::<L>(lane, Reach::from_zero(3.0), &Found::Rules(&found), x.block(lane));
            block.scale = F16::from_bits(scale_units[lane]);
            block.minimum = F16::from_bits(minimum_units[lane]);
            block.scales_and_minimums = packed[lane];
            block.quants = pack_planes(&codes, 0);
        }
    }
}

/// The four bits from `lowest` on of a byte per lane, as numbers.
#[inline(always)]
fn bits<L: Lanes>(bytes: &[u8; MAX_WIDTH], lowest: usize) -> L {
    let mut numbers = [0.0; MAX_WIDTH];
    for (number, byte) in numbers.iter_mut().zip(bytes) {
        *number = f32::from(byte.bits(lowest, 4));
    }
    L::load(&numbers)
}

/// Sub-blocks before the scales and minimums are stored.
struct Fits<L: Lanes> {
    /// Two sub-blocks each.
    sub_blocks: [Affine<Pair<L>>; 8],
    /// A unit and the scales in units.
    scales: Scaled<L, 16>,
    /// A unit and the minimums in units, as they are stored: how far below zero.
    minimums: Scaled<L, 16>,
}

/// Weighs the error by magnitude, and takes the largest scale and minimum to 15.
#[inline(always)]
fn fit<L: Lanes>(x: &Blocks<'_, 256>) -> Fits<L> {
    let mut sub_blocks = [Affine::none(); 8];
    let (mut run, mut w) = ([Pair::zero(); 16], [Pair::zero(); 16]);
    for (pair, fit) in sub_blocks.iter_mut().enumerate() {
        x.prefetch_next::<L>(pair * 32);
        x.load_pair(pair * 32, &mut run);
        for (w, x) in w.iter_mut().zip(run) {
            *w = x.abs();
        }
        *fit = affine_by_magnitude(&run, &w, 3.0, &TRIALS);
    }
    let (scales, drops) = (scales(&sub_blocks), drops(&sub_blocks));
    Fits { sub_blocks, scales: to_fifteen(&scales), minimums: to_fifteen(&drops) }
}

/// Weighs the error by importance, and searches the scales and minimums too.
#[inline(always)]
fn fit_with_importance<L: Lanes>(x: &Blocks<'_, 256>, importance: &Blocks<'_, 256>) -> Fits<L> {
    let variance = x.sum_of_squares::<L>() / L::splat(256.0);
    let (mut sub_blocks, mut sums) = ([Affine::none(); 8], [L::zero(); 16]);
    let (mut run, mut w) = ([Pair::zero(); 16], [Pair::zero(); 16]);
    for (pair, (fit, sums)) in sub_blocks.iter_mut().zip(sums.as_chunks_mut().0).enumerate() {
        x.prefetch_next::<L>(pair * 32);
        x.load_pair(pair * 32, &mut run);
        importance.load_pair(pair * 32, &mut w);
        weigh(&mut w, Pair(variance, variance), &run);
        *fit = affine(&run, &w, 3.0, &Trials::WITH_IMPORTANCE);
        let sum = sum(&w);
        *sums = [sum.0, sum.1];
    }
    let (scales, drops) = (scales(&sub_blocks), drops(&sub_blocks));
    Fits { sub_blocks, scales: nonnegative(&scales, &sums, 15.0), minimums: nonnegative(&drops, &sums, 15.0) }
}

/// The scales of the sub-blocks.
#[inline(always)]
fn scales<L: Lanes>(sub_blocks: &[Affine<Pair<L>>; 8]) -> [L; 16] {
    let mut scales = [L::zero(); 16];
    for (scales, fit) in scales.as_chunks_mut().0.iter_mut().zip(sub_blocks) {
        *scales = [fit.scale.0, fit.scale.1];
    }
    scales
}

/// The minimums of the sub-blocks as they are stored: how far below zero.
#[inline(always)]
fn drops<L: Lanes>(sub_blocks: &[Affine<Pair<L>>; 8]) -> [L; 16] {
    let mut drops = [L::zero(); 16];
    for (drops, fit) in drops.as_chunks_mut().0.iter_mut().zip(sub_blocks) {
        *drops = [-fit.minimum.0, -fit.minimum.1];
    }
    drops
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
