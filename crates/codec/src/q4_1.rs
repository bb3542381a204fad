//! Q4_1: 32 weights of 4 bits, a scale and a minimum.

use briq_format::block::Q4_1;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, raised};
use crate::direct::{self, Range};
use crate::fit::FromFit;
use crate::lanes::Lanes;
use crate::placement::{centred, pack_halves, unpack_halves};
use crate::row::{Encode, Quants, Rows};
use crate::searched::{self, Search};

impl Quants<32> for Q4_1 {
    #[inline(always)]
    fn quants(&self) -> [i8; 32] {
        centred(&unpack_halves(&self.quants), 0)
    }
}

impl DecodeLanes for Q4_1 {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            raised(&block.quants(), L::splat_half(block.scale), L::splat_half(block.minimum), weights);
        }
    }
}

impl Encode for Q4_1 {
    const USES_IMPORTANCE: bool = true;

    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        match rows.importance {
            None => direct::encode_rows(Range::Ends { largest_code: 15 }, rows, blocks),
            Some(importance) => {
                searched::encode_rows(Search::Affine { largest_code: 15.0 }, rows, importance, blocks);
            }
        }
    }
}

impl FromFit for Q4_1 {
    #[inline(always)]
    fn from_fit(scale: F16, minimum: F16, codes: &[u8; 32]) -> Self {
        Self { scale, minimum, quants: pack_halves(codes) }
    }
}
