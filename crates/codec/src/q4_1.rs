//! Q4_1: 32 weights of 4 bits, a scale and a minimum.

use briq_format::block::Q4_1;
use briq_format::scalar::F16;

use crate::fit::{Fitted, direct_affine};
use crate::placement::{pack_halves, unpack_halves};
use crate::row::{Decode, Encode, Quants, Rows};
use crate::searched::{Search, encode_rows};

impl Quants<32> for Q4_1 {
    fn quants(&self) -> [i8; 32] {
        unpack_halves(&self.quants).map(|code| code as i8)
    }
}

impl Decode for Q4_1 {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<32>().0) {
            let (scale, minimum) = (block.scale.to_f32(), block.minimum.to_f32());
            *weights = block.quants().map(|quant| f32::from(quant) * scale + minimum);
        }
    }
}

impl Encode for Q4_1 {
    fn encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) {
        if let Some(importance) = rows.importance {
            return encode_rows(Search::Affine { largest_code: 15.0 }, rows, importance, blocks, pack);
        }
        for (block, x) in blocks.iter_mut().zip(rows.weights.as_chunks::<32>().0) {
            *block = pack(&direct_affine(x, 15));
        }
    }
}

fn pack(fit: &Fitted<32>) -> Q4_1 {
    let quants = pack_halves(&fit.codes);
    Q4_1 { scale: F16::from_f32(fit.scale), minimum: F16::from_f32(fit.minimum), quants }
}
