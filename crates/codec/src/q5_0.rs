//! Q5_0: 32 weights of 5 bits and one scale; code 16 stands for zero.

use briq_format::block::Q5_0;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, scaled};
use crate::direct::{self, Range};
use crate::fit::FromFit;
use crate::lanes::Lanes;
use crate::placement::{centred, pack_fifth_bits, unpack_fifth_bits};
use crate::row::{Encode, Quants, Rows};
use crate::searched::{self, Search};

impl Quants<32> for Q5_0 {
    #[inline(always)]
    fn quants(&self) -> [i8; 32] {
        centred(&unpack_fifth_bits(self.high_bits.get(), &self.low_bits), 16)
    }
}

impl DecodeLanes for Q5_0 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            scaled(&block.quants(), L::splat_half(block.scale), weights);
        }
    }
}

impl Encode for Q5_0 {
    const USES_IMPORTANCE: bool = true;

    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        match rows.importance {
            None => direct::encode_rows(Range::Extreme { half: 16 }, rows, blocks),
            Some(importance) => {
                searched::encode_rows(Search::Symmetric { half: 16.0 }, rows, importance, blocks);
            }
        }
    }
}

impl FromFit for Q5_0 {
    #[inline(always)]
    fn from_fit(scale: F16, _: F16, codes: &[u8; 32]) -> Self {
        let (high_bits, low_bits) = pack_fifth_bits(codes);
        Self { scale, high_bits: high_bits.into(), low_bits }
    }
}
