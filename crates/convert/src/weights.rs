//! The weights of a written tensor, chunk by chunk, whatever they come from.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use briq_format::block::swap_bytes;
use briq_format::{Endian, Shape, TensorType};

use crate::change::{Rounding, change, ternary_scale};
use crate::gather;
use crate::model::{Slice, Value, View};
use crate::source::{Element, Source, SourceTensor};
use crate::{Error, Result};

/// Elements that are a whole number of blocks of every type.
pub(crate) const UNIT: u64 = 256;

const _: () = {
    let mut at = 0;
    while at < TensorType::ALL.len() {
        assert!(UNIT.is_multiple_of(TensorType::ALL[at].block_elements()));
        at += 1;
    }
};

/// Where the elements of a written tensor come from.
#[derive(Clone, Debug)]
pub enum Origin {
    /// A tensor of the source, by its index in [`Source::tensors`], as it is.
    Source(usize),
    /// Parts of tensors of the source, one behind the other.
    Parts(Arc<[Part]>),
    /// Blocks of MXFP4, whose codes and scales the source has in tensors of their own.
    Mxfp4 {
        /// The tensor with the codes, by its index.
        blocks: usize,
        /// The tensor with the scales, by its index.
        scales: usize,
        /// The first row that is taken.
        first: u64,
        /// Rows from one that is taken to the next.
        step: u64,
    },
    /// Numbers that the family computes from the configuration.
    Values(Arc<[f32]>),
}

/// A part of a written tensor.
#[derive(Clone, Debug)]
pub struct Part {
    /// The tensor of the source, by its index.
    pub source: usize,
    /// Which of its elements, in which order.
    pub view: View,
    /// What becomes of them.
    pub value: Value,
    /// The first element in the written tensor.
    start: u64,
    elements: u64,
    /// What ternary weights are multiples of, once it is known.
    scale: Arc<Mutex<Option<f32>>>,
}

impl Part {
    /// Parts of tensors of the source, one behind the other.
    pub(crate) fn list(slices: impl Iterator<Item = (usize, Slice)>) -> Arc<[Self]> {
        let mut start = 0;
        slices
            .map(|(source, Slice { view, value })| {
                let elements = view.elements();
                start += elements;
                Self { source, view, value, start: start - elements, elements, scale: Arc::default() }
            })
            .collect()
    }

    fn is_unchanged(&self) -> bool {
        self.value == Value::Same
    }
}

/// What a tensor made of parts is stored as: what all of its sources are, unless their numbers change, which
/// they do as F16 or as F32.
pub(crate) fn parts_element(source: &Source, parts: &[Part]) -> Element {
    let element = |part: &Part| source.tensors[part.source].element;
    let Some(first) = parts.first().map(element) else { return Element::Known(TensorType::F32) };
    if let Some(other) = parts.iter().map(element).find(|other| other.known().is_none()) {
        return other;
    }
    let alike = parts.iter().all(|part| element(part) == first);
    let is_half = first == Element::Known(TensorType::F16);
    match alike && (is_half || parts.iter().all(Part::is_unchanged)) {
        true => first,
        false => Element::Known(TensorType::F32),
    }
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
        let known = |element: Element, index: usize| {
            element.known().ok_or_else(|| self.unreadable(&self.source.tensors[index]))
        };
        match self.origin {
            Origin::Values(_) => Ok(TensorType::F32),
            Origin::Mxfp4 { .. } => Ok(TensorType::MXFP4),
            Origin::Source(index) => known(self.source.tensors[*index].element, *index),
            Origin::Parts(parts) => {
                known(parts_element(self.source, parts), parts.first().map_or(0, |part| part.source))
            }
        }
    }

    /// Elements of a piece of about `wanted`: a whole number of blocks of any type; of rows, where rows are
    /// rearranged or asked for.
    pub(crate) fn step(&self, wanted: u64, whole_rows: bool) -> u64 {
        let unit = match self.origin {
            _ if whole_rows => self.shape.row_elements(),
            Origin::Parts(_) | Origin::Mxfp4 { .. } => self.shape.row_elements(),
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
                // A family gives as many numbers as the shape that it gives with them has elements.
                let values = &values[range.start as usize..range.end as usize];
                for (slot, value) in bytes.chunks_exact_mut(4).zip(values) {
                    slot.copy_from_slice(&value.to_le_bytes());
                }
            }
            Origin::Source(index) => {
                let tensor = &self.source.tensors[*index];
                self.source.read(tensor, size(range.start)?, bytes)?;
                if tensor.endian() == Endian::Big {
                    swap_bytes(ty, bytes);
                }
            }
            Origin::Parts(parts) => self.read_parts(parts, range, ty, bytes)?,
            Origin::Mxfp4 { blocks, scales, first, step } => {
                self.read_mxfp4([*blocks, *scales], *first, *step, range, bytes)?;
            }
        }
        Ok(())
    }

    /// Reads a range of bytes of the source tensor into `bytes`, whatever its type.
    pub(crate) fn read_bytes(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> Result<()> {
        // A range is far smaller than the address space.
        bytes.resize((range.end - range.start) as usize, 0);
        match self.origin {
            Origin::Source(index) => self.source.read(&self.source.tensors[*index], range.start, bytes),
            Origin::Parts(_) | Origin::Mxfp4 { .. } | Origin::Values(_) => Ok(()),
        }
    }

    fn read_parts(&self, parts: &[Part], range: Range<u64>, ty: TensorType, bytes: &mut [u8]) -> Result<()> {
        let mut rest = bytes;
        let mut at = range.start;
        let first = parts.partition_point(|part| part.start + part.elements <= range.start);
        for part in &parts[first.min(parts.len())..] {
            if at >= range.end {
                break;
            }
            let end = range.end.min(part.start + part.elements);
            // No more than what is in `bytes`.
            let (now, later) = rest.split_at_mut(((end - at) * ty.block_bytes()) as usize);
            self.read_part(part, at - part.start..end - part.start, ty, now)?;
            (rest, at) = (later, end);
        }
        Ok(())
    }

    fn read_part(&self, part: &Part, range: Range<u64>, ty: TensorType, bytes: &mut [u8]) -> Result<()> {
        let tensor = &self.source.tensors[part.source];
        let stored = tensor.element.known().ok_or_else(|| self.unreadable(tensor))?;
        let read = |at: u64, buffer: &mut [u8]| self.source.read(tensor, at, buffer);
        if stored == ty && part.is_unchanged() {
            return gather::gather(&part.view, range, stored.block_bytes(), read, bytes);
        }
        // Far smaller than the address space, as the range is.
        let count = (range.end - range.start) as usize;
        let mut raw = vec![0; count * stored.block_bytes() as usize];
        gather::gather(&part.view, range, stored.block_bytes(), read, &mut raw)?;
        let mut numbers = vec![0.0; count];
        let failed =
            |error: briq_codec::Error| Error::unsupported(format!("tensor \"{}\": {error}", tensor.name));
        briq_codec::decode(stored, &raw, &mut numbers).map_err(failed)?;
        let rounding = if stored == TensorType::F16 { Rounding::Half } else { Rounding::Single };
        let scale =
            if part.value == Value::Ternary { self.ternary_scale(part, tensor, stored)? } else { 0.0 };
        change(&mut numbers, part.value, scale, rounding);
        briq_codec::encode(ty, &numbers, count, None, bytes).map_err(failed)
    }

    /// The scale of ternary weights, which depends on all of them. Whoever asks first computes it.
    fn ternary_scale(&self, part: &Part, tensor: &SourceTensor, stored: TensorType) -> Result<f32> {
        // Nothing is left half done under this lock.
        let mut known = part.scale.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scale) = *known {
            return Ok(scale);
        }
        let scale = ternary_scale(self.source, tensor, stored)?;
        *known = Some(scale);
        Ok(scale)
    }

    /// Reads blocks whose codes lie pair by pair and whose scales lie apart.
    fn read_mxfp4(
        &self,
        [blocks, scales]: [usize; 2],
        first: u64,
        step: u64,
        range: Range<u64>,
        bytes: &mut [u8],
    ) -> Result<()> {
        let (blocks, scales) = (&self.source.tensors[blocks], &self.source.tensors[scales]);
        // A row is read in one go; it is at least one block long, since its shape was checked.
        let row = self.shape.row_elements();
        let row_blocks = row / 32;
        // Far smaller than the address space, as the piece is that holds the row.
        let (mut codes, mut exponents) = (vec![0; (row_blocks * 16) as usize], vec![0; row_blocks as usize]);
        for (number, slot) in
            (range.start / row.max(1)..).zip(bytes.chunks_exact_mut((row_blocks * 17).max(1) as usize))
        {
            // A row of the source's blocks: as many as `step` times those of this tensor, and `first` is below `step`.
            let source_row = number * step + first;
            self.source.read(blocks, source_row * row_blocks * 16, &mut codes)?;
            self.source.read(scales, source_row * row_blocks, &mut exponents)?;
            gather::mxfp4_blocks(&codes, &exponents, slot);
        }
        Ok(())
    }

    fn unreadable(&self, tensor: &SourceTensor) -> Error {
        let problem =
            format!("tensor \"{}\" is stored as {}, which briq cannot read", tensor.name, tensor.element);
        Error::bad(self.source.path_of(tensor), problem)
    }
}
