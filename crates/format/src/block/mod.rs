//! Block layouts: the bytes of every tensor type, as structs that view mapped data in place.
//!
//! Each struct has alignment 1 and no padding, so that `<[Q4_K]>::ref_from_bytes(bytes)` needs nothing but whole
//! blocks. Fields are words; the letters that ggml's sources use for them stand in the docs. What the bits mean
//! is stated with each layout; turning them into weights is the codec's work.
//!
//! Three placements of sub-byte fields recur in blocks of 256 weights. For element `e`:
//!
//! - *planes of 4 bits*: byte `32 (e / 64) + e % 32`, low nibble if `e % 64 < 32`, else high;
//! - *planes of 2 bits*: byte `32 (e / 128) + e % 32`, bits `2 (e % 128 / 32)` and the next;
//! - *planes of 1 bit*: byte `e % 32`, bit `e / 32`.

// The structs are named as the format spells its types.
#![allow(non_camel_case_types)]

use zerocopy::little_endian::{
    F32 as F32Le, F64 as F64Le, I16 as I16Le, I32 as I32Le, I64 as I64Le, U16, U32,
};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use crate::types::TensorType;

mod iq;
mod k;
mod legacy;
mod microscaling;
mod plain;
mod ternary;

pub use iq::{IQ1_M, IQ1_S, IQ2_S, IQ2_XS, IQ2_XXS, IQ2XxsRecord, IQ3_S, IQ3_XXS, IQ4_NL, IQ4_XS};
pub use k::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K, Q8_K};
pub use legacy::{Q1_0, Q2_0, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q8_1};
pub use microscaling::{MXFP4, NVFP4};
pub use plain::{BF16, F16, F32, F64, I8, I16, I32, I64};
pub use ternary::{TQ1_0, TQ2_0};

/// A layout of one block. Implemented for every row of the type table, and only there.
pub trait Block: FromBytes + IntoBytes + Immutable + KnownLayout + Unaligned + Numbers + Copy {
    /// The type whose layout this is.
    const TYPE: TensorType;
    /// Elements per block.
    const ELEMENTS: usize;
}

/// Where a layout holds numbers of more than one byte, all of them little-endian.
pub trait Numbers {
    /// The numbers, in the order of the bytes.
    const NUMBERS: &'static [NumberField];
}

/// A number, or several in a row, inside a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NumberField {
    /// Bytes from the beginning of the block.
    pub offset: usize,
    /// Bytes per number.
    pub width: usize,
    /// How many numbers follow each other.
    pub count: usize,
}

impl NumberField {
    /// The field that `field` picks; it serves only to find the type.
    const fn new<B, T: Number>(offset: usize, _field: fn(&B) -> &T) -> Self {
        Self { offset, width: T::WIDTH, count: size_of::<T>() / T::WIDTH }
    }
}

/// Turns big-endian blocks of `ty` into little-endian ones, in place. Its own inverse.
///
/// Bytes after the last whole block are left alone.
pub fn swap_bytes(ty: TensorType, bytes: &mut [u8]) {
    macro_rules! numbers {
        ($($name:ident)*) => {
            match ty { $(TensorType::$name => (size_of::<$name>(), $name::NUMBERS),)* }
        };
    }
    let (block_bytes, fields) = crate::for_each_type!(numbers);
    if fields.is_empty() {
        return;
    }
    for block in bytes.chunks_exact_mut(block_bytes) {
        for field in fields {
            let numbers = &mut block[field.offset..field.offset + field.width * field.count];
            numbers.chunks_exact_mut(field.width).for_each(<[u8]>::reverse);
        }
    }
}

/// A number of `WIDTH` bytes, or an array of such.
trait Number {
    const WIDTH: usize;
}

macro_rules! number {
    ($($ty:ty)*) => { $(impl Number for $ty { const WIDTH: usize = size_of::<$ty>(); })* };
}
number!(F16 BF16 U16 U32 F32Le F64Le I16Le I32Le I64Le);

impl<T: Number, const N: usize> Number for [T; N] {
    const WIDTH: usize = T::WIDTH;
}

/// Lists the fields of a layout that hold numbers of more than one byte.
macro_rules! numbers {
    ($($block:ident: $($($field:ident).+),*;)*) => {
        $(impl crate::block::Numbers for $block {
            const NUMBERS: &'static [crate::block::NumberField] = &[$(
                crate::block::NumberField::new(
                    std::mem::offset_of!($block, $($field).+),
                    |block: &$block| &block.$($field).+,
                )
            ),*];
        })*
    };
}
use numbers;

#[cfg(test)]
mod tests {
    use super::*;

    /// The swap by hand for a type of each kind: fields in front, behind, repeated, absent.
    #[test]
    fn only_the_bytes_of_wider_numbers_change_places() {
        let cases: [(TensorType, &[(usize, usize)]); 7] = [
            (TensorType::Q4_0, &[(0, 2)]),
            (TensorType::Q5_1, &[(0, 2), (2, 4), (4, 8)]),
            (TensorType::Q2_K, &[(80, 82), (82, 84)]),
            (TensorType::IQ1_M, &[(48, 50), (50, 52), (52, 54), (54, 56)]),
            (TensorType::NVFP4, &[]),
            (TensorType::I8, &[]),
            (TensorType::F64, &[(0, 8)]),
        ];
        for (ty, fields) in cases {
            let block = ty.block_bytes() as usize;
            let bytes: Vec<u8> = (0..3 * block).map(|i| (i * 7) as u8).collect();
            let mut expected = bytes.clone();
            for start in (0..bytes.len()).step_by(block) {
                for (from, to) in fields {
                    expected[start + from..start + to].reverse();
                }
            }
            let mut swapped = bytes.clone();
            swap_bytes(ty, &mut swapped);
            assert_eq!(swapped, expected, "{ty}");
            swap_bytes(ty, &mut swapped);
            assert_eq!(swapped, bytes, "{ty}");
        }
    }

    #[test]
    fn number_fields_lie_inside_the_block_and_apart() {
        macro_rules! check {
            ($($name:ident)*) => { $({
                let mut end = 0;
                for field in $name::NUMBERS {
                    assert!(field.offset >= end, stringify!($name));
                    end = field.offset + field.width * field.count;
                }
                assert!(end <= size_of::<$name>(), stringify!($name));
                assert_eq!(align_of::<$name>(), 1, stringify!($name));
            })* };
        }
        crate::for_each_type!(check);
    }
}
