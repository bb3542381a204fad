//! Tensors: name, shape, type, and the bytes they own.

use std::borrow::Cow;
use std::fmt;

use zerocopy::FromBytes;

use crate::block::{Block, swap_bytes};
use crate::error::{Error, Result};
use crate::types::{TensorType, TypeId};
use crate::wire::{Endian, MAX_RANK};

/// The dimensions of a tensor, row length first: a matrix of 10 rows of 4 weights is `[4, 10]`.
///
/// The product of the dimensions other than 0 fits 63 bits, so no size derived from a shape wraps.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    dims: [u64; MAX_RANK],
    rank: u8,
}

impl Shape {
    /// A shape of up to four dimensions; none for a single number.
    ///
    /// # Errors
    /// When there are too many dimensions, or their product passes 2^63 - 1 (zeros left out, so that a
    /// zero hides no overflow).
    pub fn new(dims: &[u64]) -> Result<Self> {
        if dims.len() > MAX_RANK {
            let found = dims.len();
            return Err(Error::invalid(format!("{found} dimensions, where at most {MAX_RANK} are allowed")));
        }
        // No truncation: four at most.
        let mut shape = Self { dims: [1; MAX_RANK], rank: dims.len() as u8 };
        shape.dims[..dims.len()].copy_from_slice(dims);
        let product =
            dims.iter().filter(|&&dim| dim != 0).try_fold(1_u64, |product, &dim| product.checked_mul(dim));
        match product {
            Some(product) if i64::try_from(product).is_ok() => Ok(shape),
            _ => Err(Error::invalid(format!("shape {shape} has more elements than 2^63 - 1"))),
        }
    }

    /// The dimensions, row length first; empty for a single number.
    pub fn dims(&self) -> &[u64] {
        &self.dims[..usize::from(self.rank)]
    }

    /// The number of dimensions, as stored: trailing ones count.
    pub fn rank(&self) -> usize {
        usize::from(self.rank)
    }

    /// The dimensions without the ones behind them, which say nothing; at least one.
    pub fn significant_dims(&self) -> &[u64] {
        let last = self.dims.iter().rposition(|&dim| dim != 1).unwrap_or(0);
        &self.dims[..=last]
    }

    /// Elements in a row.
    pub fn row_elements(&self) -> u64 {
        self.dims[0]
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        // A zero among large dimensions must not be reached after an overflow.
        if self.dims[1..].contains(&0) { 0 } else { self.dims[1..].iter().product() }
    }

    /// The number of elements.
    pub fn elements(&self) -> u64 {
        if self.dims.contains(&0) { 0 } else { self.dims.iter().product() }
    }

    /// Bytes of a tensor of this shape and type.
    ///
    /// # Errors
    /// When a row is no whole number of blocks, or the bytes pass 2^64 - 1.
    pub fn bytes_as(&self, ty: TensorType) -> Result<u64> {
        let row = self.row_elements();
        if !row.is_multiple_of(ty.block_elements()) {
            return Err(Error::invalid(format!(
                "a row of {row} is no whole number of {ty} blocks of {}",
                ty.block_elements()
            )));
        }
        ty.row_bytes(row)
            .and_then(|row_bytes| row_bytes.checked_mul(self.rows()))
            .ok_or_else(|| Error::invalid(format!("shape {self} of {ty} takes more than 2^64 - 1 bytes")))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, dim) in self.dims().iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{dim}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What the tensor table says of a tensor.
#[derive(Clone, Copy, Debug)]
pub struct TensorInfo<'a> {
    /// The name, as in `blk.0.attn_q.weight`.
    pub name: &'a str,
    /// The dimensions, row length first.
    pub shape: Shape,
    /// The type as the file numbers it, known or not.
    pub type_id: TypeId,
    /// Where the tensor begins, in bytes from the beginning of the tensor data.
    pub offset_in_data: u64,
    /// Where the tensor begins, in bytes from the beginning of its file.
    pub offset_in_file: u64,
    /// Bytes of the tensor. Of a type whose size is not known: up to the next tensor or the end of the file.
    pub bytes: u64,
    /// The byte order of the multi-byte fields in its blocks.
    pub endian: Endian,
}

impl TensorInfo<'_> {
    /// The type, where it is one that briq knows.
    ///
    /// # Errors
    /// When the id is unknown, retired, or a fork's; the error says which.
    pub fn tensor_type(&self) -> Result<TensorType> {
        TensorType::try_from(self.type_id)
            .map_err(|unknown| Error::Unsupported(format!("tensor \"{}\": {unknown}", self.name)))
    }
}

/// A tensor of an open file: what the table says, and its bytes, borrowed from the mapping.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    /// What the table says.
    pub info: TensorInfo<'a>,
    pub(crate) bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// The name, as in `blk.0.attn_q.weight`.
    pub fn name(&self) -> &'a str {
        self.info.name
    }

    /// The dimensions, row length first.
    pub fn shape(&self) -> Shape {
        self.info.shape
    }

    /// The bytes as they lie in the file; none where only the head of the file was read.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The blocks, viewed in place; nothing is copied.
    ///
    /// # Errors
    /// When the tensor is of another type, only the head of its file was read, or the file is big-endian (see
    /// [`little_endian_bytes`]).
    ///
    /// [`little_endian_bytes`]: Self::little_endian_bytes
    pub fn blocks<B: Block>(&self) -> Result<&'a [B]> {
        let ty = self.info.tensor_type()?;
        if ty != B::TYPE {
            return Err(Error::invalid(format!("tensor \"{}\" is {ty}, not {}", self.name(), B::TYPE)));
        }
        if self.info.endian == Endian::Big && !B::NUMBERS.is_empty() {
            return Err(Error::Unsupported(format!(
                "tensor \"{}\" is big-endian: its blocks must be copied and swapped before they can be viewed",
                self.name()
            )));
        }
        if self.bytes.len() as u64 != self.info.bytes {
            return Err(Error::invalid(format!(
                "tensor \"{}\" has no bytes here: only the head of its file was read",
                self.name()
            )));
        }
        <[B]>::ref_from_bytes(self.bytes)
            .map_err(|_| Error::invalid(format!("tensor \"{}\" is no whole number of blocks", self.name())))
    }

    /// The blocks in little-endian order: borrowed where they lie so, swapped in a copy where they do not.
    ///
    /// # Errors
    /// When the file is big-endian and the type unknown, so that nobody can say what to swap.
    pub fn little_endian_bytes(&self) -> Result<Cow<'a, [u8]>> {
        if self.info.endian == Endian::Little {
            return Ok(Cow::Borrowed(self.bytes));
        }
        let ty = self.info.tensor_type()?;
        let mut bytes = self.bytes.to_vec();
        swap_bytes(ty, &mut bytes);
        Ok(Cow::Owned(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zero_hides_no_overflow_in_any_order() {
        let huge = 1 << 62;
        for dims in [[huge, huge, 0], [0, huge, huge], [huge, 0, huge]] {
            assert!(Shape::new(&dims).is_err(), "{dims:?}");
        }
        let empty = Shape::new(&[0, 7]).unwrap();
        assert_eq!((empty.elements(), empty.rows()), (0, 7));
    }

    #[test]
    fn a_shape_keeps_trailing_ones() {
        let shape = Shape::new(&[8, 1, 1]).unwrap();
        assert_eq!((shape.rank(), shape.rows(), shape.to_string().as_str()), (3, 1, "[8, 1, 1]"));
    }

    #[test]
    fn only_ones_at_the_end_say_nothing() {
        for (dims, significant) in
            [(&[8, 1, 1][..], &[8][..]), (&[1, 8], &[1, 8]), (&[1, 1], &[1]), (&[], &[1]), (&[0, 1], &[0])]
        {
            assert_eq!(Shape::new(dims).unwrap().significant_dims(), significant, "{dims:?}");
        }
    }

    #[test]
    fn a_row_that_is_no_whole_number_of_blocks_is_refused_although_the_total_is() {
        let error = Shape::new(&[16, 2]).unwrap().bytes_as(TensorType::Q4_0).unwrap_err();
        assert_eq!(error.to_string(), "a row of 16 is no whole number of Q4_0 blocks of 32");
    }
}
