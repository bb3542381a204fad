//! Q6_K: 256 weights of 6 bits; a signed 8-bit scale per 16. Code 32 stands for zero.

use briq_format::block::Q6_K;
use briq_format::scalar::F16;
use zerocopy::FromZeros;

use crate::fit::{NEGLIGIBLE, extreme, symmetric};
use crate::lanes::{CodeTile, Isa, Kernel, Lanes, Tile, dispatch, numbers};
use crate::placement::{pack_planes, unpack_planes};
use crate::primitives::round_even;
use crate::row::{Decode, Encode, Quants, Rows};

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
    fn encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) {
        dispatch(Isa::best(), EncodeRows { rows, blocks });
    }
}

struct EncodeRows<'a> {
    rows: &'a Rows<'a>,
    blocks: &'a mut [Q6_K],
}

impl Kernel for EncodeRows<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { rows, blocks } = self;
        let (mut x, mut importance) = (Tile::new(), Tile::new());
        for (batch, blocks) in blocks.chunks_mut(L::WIDTH).enumerate() {
            let starts = (batch * L::WIDTH..batch * L::WIDTH + blocks.len()).map(|block| block * 256);
            x.fill::<L>(rows.weights, starts.clone());
            if let Some(row) = rows.importance {
                importance.fill::<L>(row, starts.map(|start| start % rows.row_elements));
            }
            encode::<L>(&x, rows.importance.map(|_| &importance), blocks);
        }
    }
}

/// Fits every sub-block alone, quantizes the scales, and rounds the weights once more with what is stored.
#[inline(always)]
fn encode<L: Lanes>(x: &Tile<256>, importance: Option<&Tile<256>>, blocks: &mut [Q6_K]) {
    let (mut scales, mut found) = ([L::zero(); 16], [[L::zero(); 16]; 16]);
    let mut group_scales = [[0.0; 16]; 16];
    for group in 0..16 {
        let x = x.load::<L, 16>(group * 16);
        let mut w = x;
        for w in &mut w {
            *w = *w * *w;
        }
        if let Some(importance) = importance {
            w = importance.load(group * 16);
        }
        let fit = symmetric(&x, &w, 32.0);
        (scales[group], found[group], group_scales[group]) = (fit.scale, fit.codes, numbers(fit.scale));
    }
    let extremes = numbers(extreme(&scales));
    let mut steps = [[0.0; 16]; 16];
    for (lane, block) in blocks.iter_mut().enumerate() {
        *block = Q6_K::new_zeroed();
        if extremes[lane].abs() < NEGLIGIBLE {
            continue;
        }
        let units_per_scale = -128.0 / extremes[lane];
        block.scale = F16::from_f32(1.0 / units_per_scale);
        for (group, scale) in block.scales.iter_mut().enumerate() {
            *scale = round_even(units_per_scale * group_scales[group][lane]).min(127) as i8;
            steps[group][lane] = block.scale.to_f32() * f32::from(*scale);
        }
    }
    let mut codes = CodeTile::<256>::new();
    for (group, found) in found.iter().enumerate() {
        let step = L::load(&steps[group]);
        let unusable = step.eq(L::zero());
        let mut rounded = x.load::<L, 16>(group * 16);
        for (x, &code) in rounded.iter_mut().zip(found) {
            let again = (*x / step).round_even_within(-32.0, 31.0) + L::splat(32.0);
            *x = L::select(unusable, code, again);
        }
        codes.store(group * 16, &rounded);
    }
    for (lane, block) in blocks.iter_mut().enumerate() {
        if extremes[lane].abs() < NEGLIGIBLE {
            continue;
        }
        let codes = codes.block(lane);
        block.low_bits = pack_low_bits(&codes.map(|code| code & 15));
        block.high_bits = pack_planes(&codes.map(|code| code >> 4));
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
