//! IQ4_XS: 256 weights, each one of the 16 levels of IQ4_NL; a 6-bit scale per 32. Scale 32 stands for zero.

use briq_format::block::IQ4_XS;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, levelled};
use crate::fit::{extreme, importance_weights, levels, nearest_codes};
use crate::lanes::{CodeTile, Lanes, Tile, numbers, squares, sum_of_squares};
use crate::placement::{nibble, pack_halves, unpack_halves};
use crate::row::{Encode, Quants, Rows};
use crate::side_by_side::{EncodeLanes, encode_rows};
use crate::tables::IQ4_LEVELS;
use zerocopy::little_endian::U16;

impl Quants<256> for IQ4_XS {
    fn quants(&self) -> [i8; 256] {
        let mut quants = [0; 256];
        for (quants, bytes) in quants.as_chunks_mut::<32>().0.iter_mut().zip(self.quants.as_chunks::<16>().0)
        {
            *quants = unpack_halves(bytes).map(|code| IQ4_LEVELS[usize::from(code)]);
        }
        quants
    }
}

impl DecodeLanes for IQ4_XS {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = L::splat_half(block.scale);
            let groups = weights.as_chunks_mut::<32>().0.iter_mut().zip(block.quants.as_chunks::<16>().0);
            for (b, (weights, quants)) in groups.enumerate() {
                let high = (block.scales_high.get() >> (2 * b) & 3) as u8;
                let group_scale = nibble(&block.scales_low, b) | high << 4;
                let step = scale * L::splat(f32::from(group_scale as i8 - 32));
                levelled(&IQ4_LEVELS, &unpack_halves(quants), step, weights);
            }
        }
    }
}

impl Encode for IQ4_XS {
    const USES_IMPORTANCE: bool = true;

    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(rows, blocks);
    }
}

impl EncodeLanes<256> for IQ4_XS {
    /// Fits every sub-block alone, quantizes the scales, and takes the nearest levels once more.
    #[inline(always)]
    fn encode_lanes<L: Lanes>(x: &Tile<256>, importance: Option<&Tile<256>>, blocks: &mut [Self]) {
        let variance = sum_of_squares(&x.load::<L, 256>(0)) * L::splat(2.0 / 256.0);
        let mut found = [L::zero(); 8];
        for (group, scale) in found.iter_mut().enumerate() {
            let x = x.load::<L, 32>(group * 32);
            let w = match importance {
                None => squares(&x),
                Some(importance) => importance_weights(&importance.load(group * 32), variance, &x),
            };
            *scale = levels(&x, &w);
        }
        // The unit is not rounded to 16 bits before the codes are chosen.
        let unit = -extreme(&found) / L::splat(32.0);
        let per_unit = L::select(unit.eq(L::zero()), L::zero(), L::splat(1.0) / unit);
        let (mut scale_codes, mut codes) = (CodeTile::<8>::new(), CodeTile::<256>::new());
        for (group, &scale) in found.iter().enumerate() {
            let units = (per_unit * scale).round_even_within(-32.0, 31.0);
            scale_codes.store(group, &[units + L::splat(32.0)]);
            codes.store(group * 32, &nearest_codes(&x.load::<L, 32>(group * 32), unit * units));
        }
        let units = numbers(unit);
        for (lane, (block, codes)) in blocks.iter_mut().zip(codes.blocks()).enumerate() {
            *block = pack(F16::from_f32(units[lane]), &scale_codes.block(lane), &codes);
        }
    }
}

fn pack(scale: F16, scales: &[u8; 8], codes: &[u8; 256]) -> IQ4_XS {
    let high = (0..8).fold(0, |bits, b| bits | u16::from(scales[b] >> 4) << (2 * b));
    let mut quants = [0; 128];
    for (bytes, codes) in quants.as_chunks_mut::<16>().0.iter_mut().zip(codes.as_chunks::<32>().0) {
        *bytes = pack_halves(codes);
    }
    IQ4_XS {
        scale,
        scales_high: U16::new(high),
        scales_low: std::array::from_fn(|i| scales[2 * i] & 15 | scales[2 * i + 1] << 4),
        quants,
    }
}
