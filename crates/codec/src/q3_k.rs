//! Q3_K: 256 weights of 3 bits; a 6-bit scale per 16. Code 4 stands for zero, and so does scale 32.

use briq_format::block::Q3_K;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, scaled, steps};
use crate::fit::{CodeRules, Found, Reach, Stored, descents, extreme, first_step, symmetric, weigh};
use crate::lanes::{Blocks, CodeTile, Lanes, MAX_WIDTH, Pair, sum};
use crate::placement::{Code, centred, joined, pack_planes, unpack_planes};
use crate::row::{Encode, Quants, Rows};
use crate::super_blocks::{EncodeSuperBlocks, encode_rows};

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
    const USES_IMPORTANCE: bool = true;

    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(rows, blocks);
    }
}

impl EncodeSuperBlocks for Q3_K {
    /// Fits every sub-block alone, quantizes the scales, and rounds the weights once more with what is stored.
    /// Where a stored scale is zero, the codes of the fit remain.
    #[inline(always)]
    fn encode_super_blocks<L: Lanes>(
        x: &Blocks<'_, 256>,
        importance: Option<&Blocks<'_, 256>>,
        blocks: &mut [Self],
    ) {
        let Fits { unit, scales, rules } = match importance {
            None => fit::<L>(x, blocks.len()),
            Some(importance) => fit_with_importance::<L>(x, importance),
        };
        let (mut units, mut scale_codes) = ([0; MAX_WIDTH], CodeTile::<16>::new());
        unit.store_halves(&mut units);
        scale_codes.store(0, &scales);
        let (unit, mut steps) = (L::load_halves(&units), [[0.0; MAX_WIDTH]; 16]);
        for (steps, scale) in steps.iter_mut().zip(scales) {
            (unit * (scale - L::splat(32.0))).store(steps);
        }

        let scales = CodeTile::<16>(pack_scales(&scale_codes.0)).blocks();
        let stored = Stored { steps: &steps, drops: &Stored::NO_DROPS };
        let codes;
        let found = match &rules {
            Some(rules) => Found::Rules(rules),
            None if any_zero::<L>(&steps) => {
                codes = descent_codes::<L>(x, &steps, blocks.len());
                Found::Codes(&codes)
            }
            None => Found::Codes(&[]),
        };
        for (lane, block) in blocks.iter_mut().enumerate() {
            let codes = stored.codes::<L>(lane, Reach::around_zero(4.0), &found, x.block(lane));
            block.scale = F16::from_bits(units[lane]);
            block.scales.copy_from_slice(&scales[lane][..12]);
            block.low_bits = pack_planes(&codes, 0);
            block.high_bits = pack_planes(&codes, 2);
        }
    }
}

/// Sub-blocks before the scales are stored.
struct Fits<L: Lanes> {
    unit: L,
    /// In units, 32 added.
    scales: [L; 16],
    /// What gives the codes of the weights, two sub-blocks each; nothing where it is the descent.
    rules: Option<[CodeRules; 8]>,
}

/// Weighs the error by the square of the weights, and gives the scale of largest magnitude the code 0.
#[inline(always)]
fn fit<L: Lanes>(x: &Blocks<'_, 256>, count: usize) -> Fits<L> {
    let mut scales = descent_scales::<L>(x, count);
    let extreme = extreme(&scales);
    let none = extreme.eq(L::zero());
    let units_per_scale = L::splat(-32.0) / extreme;
    for scale in &mut scales {
        let units = units_per_scale * *scale;
        // Quotients that overflow, or are no numbers, have a low byte of zero when rounded.
        let sound = units.abs().lt(L::splat(64.0));
        let rounded = L::select(sound, units.round_even_within(-32.0, 31.0), L::zero());
        *scale = L::select(none, L::zero(), rounded + L::splat(32.0));
    }
    let unit = L::select(none, L::zero(), L::splat(1.0) / units_per_scale);
    Fits { unit, scales, rules: None }
}

/// The scales of the sub-blocks. Few are left to a descent; they go side by side without regard to their blocks, of
/// which there are `count`.
#[inline(always)]
fn descent_scales<L: Lanes>(x: &Blocks<'_, 256>, count: usize) -> [L; 16] {
    let mut scales = [[0.0; MAX_WIDTH]; 16];
    let mut left = SubBlocks::none();
    let mut run = [Pair::<L>::zero(); 16];
    for pair in 0..8 {
        x.prefetch_next::<L>(pair * 32);
        x.load_pair(pair * 32, &mut run);
        let (scale, restless) = first_step(&run, 4.0);
        scale.0.store(&mut scales[2 * pair]);
        scale.1.store(&mut scales[2 * pair + 1]);
        left.push(x, 2 * pair, L::bits(restless.0), count);
        left.push(x, 2 * pair + 1, L::bits(restless.1), count);
    }
    let mut found = [0.0; 16 * MAX_WIDTH];
    descents::<L, 16>(left.weights(), 4.0, &mut found, None);
    for ((group, lane), scale) in left.places().zip(found) {
        scales[group][lane] = scale;
    }
    let mut loaded = [L::zero(); 16];
    for (loaded, scales) in loaded.iter_mut().zip(&scales) {
        *loaded = L::load(scales);
    }
    loaded
}

#[inline(always)]
fn any_zero<L: Lanes>(steps: &[[f32; MAX_WIDTH]; 16]) -> bool {
    let mut any = false;
    for steps in steps {
        any |= L::any(L::load(steps).eq(L::zero()));
    }
    any
}

/// The codes where a step is zero, which are those that the descent ends with, of `count` super-blocks.
#[inline(always)]
fn descent_codes<L: Lanes>(
    x: &Blocks<'_, 256>,
    steps: &[[f32; MAX_WIDTH]; 16],
    count: usize,
) -> [[u8; 256]; MAX_WIDTH] {
    let mut left = SubBlocks::none();
    for (group, steps) in steps.iter().enumerate() {
        left.push(x, group, L::bits(L::load(steps).eq(L::zero())), count);
    }
    let (mut scales, mut found) = ([0.0; 16 * MAX_WIDTH], [[0; 16]; 16 * MAX_WIDTH]);
    descents::<L, 16>(left.weights(), 4.0, &mut scales, Some(&mut found));
    let mut codes = [[0; 256]; MAX_WIDTH];
    for ((group, lane), found) in left.places().zip(&found) {
        codes[lane].as_chunks_mut().0[group] = *found;
    }
    codes
}

/// Some of the sub-blocks of super-blocks side by side.
struct SubBlocks<'a> {
    count: usize,
    /// Which of its super-block, and the lane of that.
    places: [(u8, u8); 16 * MAX_WIDTH],
    weights: [&'a [f32; 16]; 16 * MAX_WIDTH],
}

impl<'a> SubBlocks<'a> {
    #[inline(always)]
    fn none() -> Self {
        Self { count: 0, places: [(0, 0); 16 * MAX_WIDTH], weights: [const { &[0.0; 16] }; 16 * MAX_WIDTH] }
    }

    /// Adds sub-block `group` of those of the first `count` super-blocks whose lanes have a bit in `lanes`.
    #[inline(always)]
    fn push(&mut self, x: &Blocks<'a, 256>, group: usize, mut lanes: u32, count: usize) {
        while lanes != 0 {
            let lane = lanes.trailing_zeros() as usize;
            if lane < count {
                self.places[self.count] = (group as u8, lane as u8);
                self.weights[self.count] = &x.block(lane).as_chunks().0[group];
                self.count += 1;
            }
            lanes &= lanes - 1;
        }
    }

    #[inline(always)]
    fn places(&self) -> impl Iterator<Item = (usize, usize)> {
        self.places[..self.count].iter().map(|&(group, lane)| (group.into(), lane.into()))
    }

    #[inline(always)]
    fn weights(&self) -> &[&'a [f32; 16]] {
        &self.weights[..self.count]
    }
}

/// Weighs the error by importance, and searches the scales too.
#[inline(always)]
fn fit_with_importance<L: Lanes>(x: &Blocks<'_, 256>, importance: &Blocks<'_, 256>) -> Fits<L> {
    let variance = L::splat(2.0) * x.sum_of_squares::<L>() / L::splat(256.0);
    let (mut group_scales, mut sums) = ([L::zero(); 16], [L::zero(); 16]);
    let mut rules = [CodeRules::NONE; 8];
    let (mut run, mut w) = ([Pair::zero(); 16], [Pair::zero(); 16]);
    for (pair, rules) in rules.iter_mut().enumerate() {
        x.prefetch_next::<L>(pair * 32);
        x.load_pair(pair * 32, &mut run);
        importance.load_pair(pair * 32, &mut w);
        weigh(&mut w, Pair(variance, variance), &run);
        let (fit, sum) = (symmetric(&run, &w, 4.0), sum(&w));
        *rules = fit.rules();
        (group_scales[2 * pair], group_scales[2 * pair + 1]) = (fit.scale.0, fit.scale.1);
        (sums[2 * pair], sums[2 * pair + 1]) = (sum.0, sum.1);
    }
    let fit = symmetric(&group_scales, &sums, 32.0);
    Fits { unit: fit.scale, scales: fit.codes(&group_scales), rules: Some(rules) }
}

/// The sixteen scales of 6 bits, 32 added.
#[inline(always)]
pub fn unpack_scales(packed: &[u8; 12]) -> [u8; 16] {
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

/// Inverse of [`unpack_scales`]; more than 12 bytes have zeros at the end.
#[inline(always)]
fn pack_scales<const BYTES: usize, C: Code>(scales: &[C; 16]) -> [C; BYTES] {
    let mut bytes = [C::ZERO; BYTES];
    for (i, scale) in scales.iter().enumerate() {
        bytes[i % 8] = bytes[i % 8].or(scale.bits(0, 4).up(i / 8 * 4));
        bytes[8 + i % 4] = bytes[8 + i % 4].or(scale.bits(4, 2).up(i / 4 * 2));
    }
    bytes
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
