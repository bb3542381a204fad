//! Q5_0: 32 weights of 5 bits and one scale; code 16 stands for zero.

use briq_format::block::Q5_0;
use briq_format::scalar::F16;

use crate::fit::{Fitted, direct_symmetric};
use crate::placement::{pack_fifth_bits, unpack_fifth_bits};
use crate::row::{Decode, Encode, Quants, Rows};
use crate::searched::{Search, encode_rows};

impl Quants<32> for Q5_0 {
    fn quants(&self) -> [i8; 32] {
        unpack_fifth_bits(self.high_bits.get(), &self.low_bits).map(|code| code as i8 - 16)
    }
}

impl Decode for Q5_0 {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            let scale = block.scale.to_f32();
            *weights = block.quants().map(|quant| f32::from(quant) * scale);
        }
    }
}

impl Encode for Q5_0 {
    fn encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) {
        if let Some(importance) = rows.importance {
            return encode_rows(Search::Symmetric { half: 16.0 }, rows, importance, blocks, pack);
        }
        for (block, x) in blocks.iter_mut().zip(rows.weights.as_chunks::<32>().0) {
            *block = pack(&direct_symmetric(x, 16));
        }
    }
}

fn pack(fit: &Fitted<32>) -> Q5_0 {
    let (high_bits, low_bits) = pack_fifth_bits(&fit.codes);
    Q5_0 { scale: F16::from_f32(fit.scale), high_bits: high_bits.into(), low_bits }
}
