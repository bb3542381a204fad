//! F32, F64 and the integers: numbers that are stored as they are.
//!
//! Integers are decoded, so that any tensor can be looked at, but never made from weights.

use briq_format::block::{F32, F64, I8, I16, I32, I64};

use crate::decoder::DecodeLanes;
use crate::lanes::Lanes;
use crate::row::{Encode, Rows};

macro_rules! decode {
    ($($name:ident: $widen:expr;)*) => {
        $(impl DecodeLanes for $name {
            #[inline(always)]
            fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
                for (block, weight) in blocks.iter().zip(weights) {
                    *weight = $widen(*block);
                }
            }
        })*
    };
}
decode! {
    F32: F32::get;
    F64: |block: F64| block.get() as f32;
    I8: f32::from;
    I16: |block: I16| f32::from(block.get());
    I32: |block: I32| block.get() as f32;
    I64: |block: I64| block.get() as f32;
}

impl Encode for F32 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        for (block, weight) in blocks.iter_mut().zip(rows.weights) {
            *block = Self::new(*weight);
        }
    }
}

impl Encode for F64 {
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) {
        for (block, weight) in blocks.iter_mut().zip(rows.weights) {
            *block = Self::new(f64::from(*weight));
        }
    }
}
