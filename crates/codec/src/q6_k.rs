//! Q6_K: 256 weights of 6 bits; a signed 8-bit scale per 16. Code 32 stands for zero.

use briq_format::block::Q6_K;
use briq_format::scalar::F16;
use zerocopy::FromZeros;

use crate::decoder::{DecodeLanes, scaled, steps};
use crate::fit::{CodeRules, Found, NEGLIGIBLE, NO_LIMIT, Reach, Stored, extreme, symmetric};
use crate::lanes::{Blocks, CodeTile, Lanes, MAX_WIDTH, Pair, numbers};
use crate::placement::{Code, centred, joined, pack_planes, unpack_planes};
use crate::row::{Encode, Quants, Rows};
use crate::super_blocks::{EncodeSuperBlocks, encode_rows};

impl Quants<256> for Q6_K {
    #[inline(always)]
    fn quants(&self) -> [i8; 256] {
        centred(&joined(&unpack_low_bits(&self.low_bits), &unpack_planes(&self.high_bits), 4), 32)
    }
}

impl DecodeLanes for Q6_K {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let (steps, quants) = (steps(L::splat_half(block.scale), &block.scales), block.quants());
            let groups = weights.as_chunks_mut::<16>().0.iter_mut().zip(quants.as_chunks::<16>().0);
            for ((weights, quants), step) in groups.zip(steps) {
                scaled(quants, L::splat(step), weights);
            }
        }
    }
}

impl Encode for Q6_K {
    const USES_IMPORTANCE: bool = true;

    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(rows, blocks);
    }
}

impl EncodeSuperBlocks for Q6_K {
    /// Fits every sub-block alone, quantizes the scales, and rounds the weights once more with what is stored. Where a
    /// stored scale is zero, the codes of the fit remain. The importance counts as it is, not scaled by magnitude as
    /// for other types.
    #[inline(always)]
    fn encode_super_blocks<L: Lanes>(
        x: &Blocks<'_, 256>,
        importance: Option<&Blocks<'_, 256>>,
        blocks: &mut [Self],
    ) {
        let (fits, group_scales) = fit::<L>(x, importance);
        let extreme = extreme(&group_scales);
        let negligible = numbers(extreme.abs());
        let units_per_scale = L::splat(-128.0) / extreme;
        let mut scales = [0; MAX_WIDTH];
        (L::splat(1.0) / units_per_scale).store_halves(&mut scales);
        let scale = L::load_halves(&scales);

        let (mut steps, mut group_codes) = ([[0.0; MAX_WIDTH]; 16], CodeTile::<16>::new());
        for (group, (steps, group_scale)) in steps.iter_mut().zip(group_scales).enumerate() {
            let byte =
                (units_per_scale * group_scale).round_even_within(NO_LIMIT, 127.0).round_even_to_byte();
            group_codes.store(group, &[byte]);
            let units = L::select(byte.gt(L::splat(127.0)), byte - L::splat(256.0), byte);
            (scale * units).store(steps);
        }
        let (stored, group_codes) =
            (Stored { steps: &steps, drops: &Stored::NO_DROPS }, group_codes.blocks());
        for (lane, block) in blocks.iter_mut().enumerate() {
            if negligible[lane] < NEGLIGIBLE {
                *block = Q6_K::new_zeroed();
                continue;
            }
            let codes =
                stored.codes::<L>(lane, Reach::around_zero(32.0), &Found::Rules(&fits), x.block(lane));
            block.scale = F16::from_bits(scales[lane]);
            block.scales = group_codes[lane].map(|code| code as i8);
            block.low_bits = pack_low_bits(&codes);
            block.high_bits = pack_planes(&codes, 4);
        }
    }
}

/// What gives the codes of the sub-blocks, two and two, and their scales.
#[inline(always)]
fn fit<L: Lanes>(x: &Blocks<'_, 256>, importance: Option<&Blocks<'_, 256>>) -> ([CodeRules; 8], [L; 16]) {
    let (mut fits, mut scales) = ([CodeRules::NONE; 8], [L::zero(); 16]);
    let (mut run, mut w) = ([Pair::zero(); 16], [Pair::zero(); 16]);
    for (pair, (rules, scales)) in fits.iter_mut().zip(scales.as_chunks_mut().0).enumerate() {
        x.prefetch_next::<L>(pair * 32);
        x.load_pair(pair * 32, &mut run);
        match importance {
            None => square(&run, &mut w),
            Some(importance) => importance.load_pair(pair * 32, &mut w),
        }
        let fit = symmetric(&run, &w, 32.0);
        *rules = fit.rules();
        *scales = [fit.scale.0, fit.scale.1];
    }
    (fits, scales)
}

#[inline(always)]
fn square<L: Lanes>(x: &[L; 16], w: &mut [L; 16]) {
    for (w, &x) in w.iter_mut().zip(x) {
        *w = x * x;
    }
}

/// Runs of 64 elements share 64 bytes, the first run of two in the low nibbles.
#[inline(always)]
fn pack_low_bits<C: Code>(codes: &[C; 256]) -> [C; 128] {
    let mut bytes = [C::ZERO; 128];
    for (bytes, codes) in bytes.chunks_exact_mut(64).zip(codes.chunks_exact(128)) {
        let (low, high) = codes.split_at(64);
        for ((byte, low), high) in bytes.iter_mut().zip(low).zip(high) {
            *byte = low.bits(0, 4).or(high.up(4));
        }
    }
    bytes
}

/// Inverse of [`pack_low_bits`], the upper two bits zero.
#[inline(always)]
fn unpack_low_bits(bytes: &[u8; 128]) -> [u8; 256] {
    let mut codes = [0; 256];
    for (codes, bytes) in codes.chunks_exact_mut(128).zip(bytes.chunks_exact(64)) {
        let (low, high) = codes.split_at_mut(64);
        for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
            (*low, *high) = (byte & 15, byte >> 4);
        }
    }
    codes
}
