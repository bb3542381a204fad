//! IQ4_NL: 32 weights, each one of 16 levels that lie closer near zero, and one scale.

use briq_format::block::IQ4_NL;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, levelled};
use crate::fit::{importance_weights, levels, nearest_codes};
use crate::lanes::{CodeTile, Lanes, Tile, numbers, squares, sum_of_squares};
use crate::placement::{pack_halves, unpack_halves};
use crate::row::{Encode, Quants, Rows};
use crate::side_by_side::{EncodeLanes, encode_rows};
use crate::tables::IQ4_LEVELS;

impl Quants<32> for IQ4_NL {
    fn quants(&self) -> [i8; 32] {
        unpack_halves(&self.quants).map(|code| IQ4_LEVELS[usize::from(code)])
    }
}

impl DecodeLanes for IQ4_NL {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            levelled(&IQ4_LEVELS, &unpack_halves(&block.quants), L::splat_half(block.scale), weights);
        }
    }
}

impl Encode for IQ4_NL {
    const USES_IMPORTANCE: bool = true;

    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        encode_rows(rows, blocks);
    }
}

impl EncodeLanes<32> for IQ4_NL {
    #[inline(always)]
    fn encode_lanes<L: Lanes>(x: &Tile<32>, importance: Option<&Tile<32>>, blocks: &mut [Self]) {
        let x = x.load::<L, 32>(0);
        let w = match importance {
            None => squares(&x),
            Some(importance) => {
                let variance = sum_of_squares(&x) * L::splat(2.0 / 32.0);
                importance_weights(&importance.load(0), variance, &x)
            }
        };
        let scale = levels(&x, &w);
        let mut codes = CodeTile::<32>::new();
        codes.store(0, &nearest_codes(&x, scale));
        let scales = numbers(scale);
        for ((block, scale), codes) in blocks.iter_mut().zip(scales).zip(codes.blocks()) {
            *block = Self { scale: F16::from_f32(scale), quants: pack_halves(&codes) };
        }
    }
}
