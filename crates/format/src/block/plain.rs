//! Elements that are numbers by themselves: blocks of one, little-endian, alignment 1.
//!
//! The wider ones are zerocopy's own types; `get` gives the number.

pub use zerocopy::little_endian::{F32, F64, I16, I32, I64};

use super::numbers;
pub use crate::scalar::{BF16, F16};

/// A signed byte.
pub type I8 = i8;

macro_rules! plain {
    ($($name:ident)*) => {
        $(impl super::Numbers for $name {
            const NUMBERS: &'static [super::NumberField] = &[super::NumberField::new(0, |number: &$name| number)];
        })*
    };
}
plain!(F16 BF16 F32 F64 I16 I32 I64);
numbers!(I8: ;);
