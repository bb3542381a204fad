//! Q4_0: 32 weights of 4 bits and one scale; code 8 stands for zero.

use briq_format::block::Q4_0;
use briq_format::scalar::F16;

use crate::fit::{Fitted, direct_symmetric};
use crate::placement::{pack_halves, unpack_halves};
use crate::row::{Decode, Encode, Quants, Rows};
use crate::searched::{Search, encode_rows};

impl Quants<32> for Q4_0 {
    fn quants(&self) -> [i8; 32] {
        unpack_halves(&self.quants).map(|code| code as i8 - 8)
    }
}

impl Decode for Q4_0 {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            let scale = block.scale.to_f32();
            *weights = block.quants().map(|quant| f32::from(quant) * scale);
        }
    }
}

impl Encode for Q4_0 {
    fn encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) {
        if let Some(importance) = rows.importance {
            return encode_rows(Search::Symmetric { half: 8.0 }, rows, importance, blocks, pack);
        }
        for (block, x) in blocks.iter_mut().zip(rows.weights.as_chunks::<32>().0) {
            *block = pack(&direct_symmetric(x, 8));
        }
    }
}

fn pack(fit: &Fitted<32>) -> Q4_0 {
    Q4_0 { scale: F16::from_f32(fit.scale), quants: pack_halves(&fit.codes) }
}
