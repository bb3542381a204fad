//! The weights of a written tensor, chunk by chunk, whatever they come from.

use std::ops::Range;

use briq_format::block::swap_bytes;
use briq_format::{Endian, Shape, TensorType};

use crate::model::Transform;
use crate::source::{Source, SourceTensor};
use crate::{Error, Result};

/// Elements that are a whole number of blocks of every type.
pub(crate) const UNIT: u64 = 256;

/// Where the elements of a written tensor come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// A tensor of the source, by its index, with its rows perhaps rearranged.
    Source {
        /// Index in [`Source::tensors`].
        index: usize,
        /// What happens to the rows.
        transform: Transform,
    },
    /// Numbers that the family computes from the configuration.
    Values(Vec<f32>),
}

/// Reads the blocks of one written tensor from its origin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weights<'a> {
    pub(crate) source: &'a Source,
    pub(crate) origin: &'a Origin,
    /// The shape as written, row length first.
    pub(crate) shape: Shape,
}

impl<'a> Weights<'a> {
    /// The type the blocks are read in.
    ///
    /// # Errors
    /// When the source stores the tensor in a type that nobody here can read.
    pub(crate) fn stored_type(&self) -> Result<TensorType> {
        match self.origin {
            Origin::Values(_) => Ok(TensorType::F32),
            Origin::Source { index, .. } => {
                let tensor = &self.source.tensors[*index];
                tensor.element.known().ok_or_else(|| self.unreadable(tensor))
            }
        }
    }

    /// Elements of a piece of about `wanted`: a whole number of blocks of any type; of rows, where rows are
    /// rearranged or asked for.
    pub(crate) fn step(&self, wanted: u64, whole_rows: bool) -> u64 {
        let unit = match self.origin {
            _ if whole_rows => self.shape.row_elements(),
            Origin::Source { transform, .. } if *transform != Transform::None => self.shape.row_elements(),
            _ => UNIT,
        };
        (wanted / unit.max(1)).max(1) * unit.max(1)
    }

    /// Splits the tensor into ranges of [`step`](Self::step) elements.
    pub(crate) fn chunks(&self, wanted: u64) -> impl Iterator<Item = Range<u64>> + use<> {
        let (step, elements) = (self.step(wanted, false), self.shape.elements());
        (0..elements.div_ceil(step)).map(move |chunk| chunk * step..((chunk + 1) * step).min(elements))
    }

    /// Reads the blocks of the elements in `range` into `bytes`, little-endian, as they are stored.
    ///
    /// `range` begins at a multiple of [`step`](Self::step) and is no longer, or ends with the tensor.
    pub(crate) fn read(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
        let ty = self.stored_type()?;
        let size = |elements: u64| {
            ty.row_bytes(elements)
                .ok_or_else(|| Error::usage(format!("{elements} elements are no whole {ty} blocks")))
        };
        // A chunk is far smaller than the address space.
        bytes.resize(size(range.end - range.start)? as usize, 0);
        match self.origin {
            Origin::Values(values) => {
                let values = &values[range.start as usize..range.end as usize];
                for (slot, value) in bytes.chunks_exact_mut(4).zip(values) {
                    slot.copy_from_slice(&value.to_le_bytes());
                }
            }
            Origin::Source { index, transform: Transform::None } => {
                self.source.read(&self.source.tensors[*index], size(range.start)?, bytes)?;
            }
            Origin::Source { index, transform } => {
                let tensor = &self.source.tensors[*index];
                let (row, rows) = self.rows();
                let row_bytes = size(row)?;
                for (number, slot) in (range.start / row..).zip(bytes.chunks_exact_mut(row_bytes as usize)) {
                    self.source.read(tensor, transform.source_row(number, rows) * row_bytes, slot)?;
                }
            }
        }
        if let Origin::Source { index, .. } = self.origin
            && self.source.tensors[*index].endian() == Endian::Big
        {
            swap_bytes(ty, bytes);
        }
        Ok(())
    }

    /// Reads a range of bytes of the source tensor into `bytes`, whatever its type.
    pub(crate) fn read_bytes(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
        // A range is far smaller than the address space.
        bytes.resize((range.end - range.start) as usize, 0);
        match self.origin {
            Origin::Source { index, .. } => {
                self.source.read(&self.source.tensors[*index], range.start, bytes)
            }
            Origin::Values(_) => Ok(()),
        }
    }

    /// Elements per row and rows, as a rearrangement counts them: each number of a vector is a row.
    fn rows(&self) -> (u64, u64) {
        match self.shape.rank() {
            0 | 1 => (1, self.shape.elements()),
            _ => (self.shape.row_elements(), self.shape.rows()),
        }
    }

    fn unreadable(&self, tensor: &SourceTensor) -> Error {
        let problem =
            format!("tensor \"{}\" is stored as {}, which briq cannot read", tensor.name, tensor.element);
        Error::bad(self.source.path_of(tensor), problem)
    }
}
