//! A file is planned before its first byte: every offset and the exact size are known from the plan.

use std::collections::HashSet;

use crate::error::{Error, Result};
use crate::metadata::{MetadataBuf, Value, keys};
use crate::read::check_tensor_name;
use crate::tensor::{Shape, TensorInfo};
use crate::types::{TensorType, TypeId};
use crate::wire::{DEFAULT_ALIGNMENT, Endian, MAGIC, MAX_ALIGNMENT, MAX_WRITTEN_NAME_BYTES, VERSION};

/// The smallest alignment that is written, in bytes: the format asks for a multiple of 8.
pub const MIN_WRITTEN_ALIGNMENT: u64 = 8;

/// A tensor to be written: what its row in the tensor table says.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    name: String,
    shape: Shape,
    type_id: TypeId,
    bytes: u64,
}

impl TensorSpec {
    /// A tensor of a known type.
    ///
    /// # Errors
    /// When the name is empty, over 63 bytes or holds a control character, or a row of `shape` is no whole
    /// number of blocks of `ty`.
    pub fn new(name: impl Into<String>, shape: Shape, ty: TensorType) -> Result<Self> {
        let name = checked_name(name)?;
        let bytes =
            shape.bytes_as(ty).map_err(|problem| Error::invalid(format!("tensor \"{name}\": {problem}")))?;
        Ok(Self { name, shape: as_written(shape)?, type_id: ty.id(), bytes })
    }

    /// A tensor of any type, known or not, that is carried as `bytes` bytes.
    ///
    /// A reader that does not know the type takes all up to the next tensor for its bytes, padding included.
    ///
    /// # Errors
    /// When the name breaks the rules, or `bytes` is not what a tensor of a known type has.
    pub fn opaque(name: impl Into<String>, shape: Shape, type_id: TypeId, bytes: u64) -> Result<Self> {
        match TensorType::try_from(type_id) {
            Ok(ty) => {
                let spec = Self::new(name, shape, ty)?;
                if spec.bytes != bytes {
                    let problem = format!("{shape} of {ty} takes {} bytes, not {bytes}", spec.bytes);
                    return Err(Error::invalid(format!("tensor \"{}\": {problem}", spec.name)));
                }
                Ok(spec)
            }
            Err(_) => Ok(Self { name: checked_name(name)?, shape: as_written(shape)?, type_id, bytes }),
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The dimensions, row length first.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The type as the file numbers it.
    pub fn type_id(&self) -> TypeId {
        self.type_id
    }

    /// Bytes of the tensor, without padding.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

fn checked_name(name: impl Into<String>) -> Result<String> {
    let name = name.into();
    check_tensor_name(name.as_bytes(), MAX_WRITTEN_NAME_BYTES as u64)
        .map_err(|problem| Error::invalid(format!("tensor \"{}\": {problem}", name.escape_debug())))?;
    Ok(name)
}

/// A single number is written as one dimension of 1: some readers refuse none.
fn as_written(shape: Shape) -> Result<Shape> {
    if shape.rank() == 0 { Shape::new(&[1]) } else { Ok(shape) }
}

/// A file before it is written: metadata, tensor table, and where every tensor will lie.
#[derive(Clone, Debug)]
pub struct FilePlan {
    head: Vec<u8>,
    /// Each with its offset in the data.
    pub(super) tensors: Vec<(TensorSpec, u64)>,
    alignment: u64,
    file_bytes: u64,
}

impl FilePlan {
    /// Plans a file of version 3, little-endian, with the tensors in the given order.
    ///
    /// The alignment is what `general.alignment` in `metadata` says, and 32 without that key.
    ///
    /// # Errors
    /// When the alignment is not allowed, two tensors have one name, or the sizes pass 2^64 - 1.
    pub fn new(metadata: &MetadataBuf, tensors: Vec<TensorSpec>) -> Result<Self> {
        let alignment = alignment_of(metadata)?;
        let mut names = HashSet::new();
        let mut placed = Vec::with_capacity(tensors.len());
        let mut end = 0_u64;
        for spec in tensors {
            if !names.insert(spec.name.clone()) {
                return Err(Error::invalid(format!("tensor \"{}\" is planned twice", spec.name)));
            }
            let too_large = || Error::invalid(format!("tensor \"{}\" ends past 2^64 - 1 bytes", spec.name));
            let offset = end;
            end = offset
                .checked_add(spec.bytes)
                .and_then(|end| end.checked_next_multiple_of(alignment))
                .ok_or_else(too_large)?;
            placed.push((spec, offset));
        }
        let head = head(metadata, &placed, alignment);
        let file_bytes = end
            .checked_add(head.len() as u64)
            .ok_or_else(|| Error::invalid("the file passes 2^64 - 1 bytes"))?;
        Ok(Self { head, tensors: placed, alignment, file_bytes })
    }

    /// Header, metadata, tensor table and the padding behind them, exactly as written.
    pub fn head(&self) -> &[u8] {
        &self.head
    }

    /// The exact size of the file, in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// The alignment of tensor data, in bytes.
    pub fn alignment(&self) -> u64 {
        self.alignment
    }

    /// The tensors in order.
    pub fn tensors(&self) -> impl ExactSizeIterator<Item = &TensorSpec> {
        self.tensors.iter().map(|(spec, _)| spec)
    }

    /// The tensors as a reader of the finished file will see them.
    pub fn infos(&self) -> impl ExactSizeIterator<Item = TensorInfo<'_>> {
        self.tensors.iter().map(|(spec, offset)| TensorInfo {
            name: &spec.name,
            shape: spec.shape,
            type_id: spec.type_id,
            offset_in_data: *offset,
            offset_in_file: self.head.len() as u64 + offset,
            bytes: self.seen_bytes(spec),
            endian: Endian::Little,
        })
    }

    /// Bytes of a tensor as a reader of the finished file will see them: one of unknown type reaches to the next.
    pub fn seen_bytes(&self, spec: &TensorSpec) -> u64 {
        match TensorType::try_from(spec.type_id) {
            Ok(_) => spec.bytes,
            Err(_) => spec.bytes + self.padding(spec.bytes),
        }
    }

    /// Bytes of zeros behind a tensor of `bytes` bytes.
    pub(super) fn padding(&self, bytes: u64) -> u64 {
        bytes.next_multiple_of(self.alignment) - bytes
    }
}

fn alignment_of(metadata: &MetadataBuf) -> Result<u64> {
    let allowed = MIN_WRITTEN_ALIGNMENT..=MAX_ALIGNMENT;
    match metadata.get(keys::ALIGNMENT) {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::U32(n)) if n.is_power_of_two() && allowed.contains(&u64::from(n)) => Ok(n.into()),
        Some(Value::U32(n)) => Err(Error::invalid(format!(
            "{} is {n}, where a power of two from {MIN_WRITTEN_ALIGNMENT} to {MAX_ALIGNMENT} is allowed",
            keys::ALIGNMENT
        ))),
        Some(other) => Err(Error::invalid(format!(
            "{} is of type {}, where u32 is allowed",
            keys::ALIGNMENT,
            other.value_type().name()
        ))),
    }
}

fn head(metadata: &MetadataBuf, tensors: &[(TensorSpec, u64)], alignment: u64) -> Vec<u8> {
    let table_bytes: usize =
        tensors.iter().map(|(spec, _)| 24 + spec.name.len() + 8 * spec.shape.rank()).sum();
    let mut head = Vec::with_capacity(24 + metadata.written_bytes() + table_bytes + alignment as usize);
    head.extend(MAGIC);
    head.extend(VERSION.to_le_bytes());
    head.extend((tensors.len() as u64).to_le_bytes());
    head.extend((metadata.len() as u64).to_le_bytes());
    metadata.write_to(&mut head);
    for (spec, offset) in tensors {
        head.extend((spec.name.len() as u64).to_le_bytes());
        head.extend(spec.name.as_bytes());
        head.extend((spec.shape.rank() as u32).to_le_bytes());
        head.extend(spec.shape.dims().iter().flat_map(|dim| dim.to_le_bytes()));
        head.extend(spec.type_id.0.to_le_bytes());
        head.extend(offset.to_le_bytes());
    }
    head.resize(head.len().next_multiple_of(alignment as usize), 0);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_number_is_planned_as_the_row_that_a_reader_finds() {
        let number = TensorSpec::new("w", Shape::new(&[]).unwrap(), TensorType::F32).unwrap();
        let plan = FilePlan::new(&MetadataBuf::new(), vec![number]).unwrap();
        assert_eq!(plan.infos().next().unwrap().shape, Shape::new(&[1]).unwrap());
    }

    #[test]
    fn a_name_that_readers_would_not_take_is_refused_before_anything_is_planned() {
        let shape = Shape::new(&[32]).unwrap();
        let long = "n".repeat(64);
        for (name, problem) in [
            ("", "the tensor name is empty; it must have 1 to 63 bytes"),
            ("a\0b", "the tensor name \"a\\u{0}b\" holds a control character"),
            (long.as_str(), "the tensor name has 64 bytes, where at most 63 are allowed"),
        ] {
            let message = format!("tensor \"{}\": {problem}", name.escape_debug());
            assert_eq!(TensorSpec::new(name, shape, TensorType::F32).unwrap_err().to_string(), message);
        }
        assert_eq!(Shape::new(&[1; 5]).unwrap_err().to_string(), "5 dimensions, where at most 4 are allowed");
    }

    #[test]
    fn what_cannot_lie_in_one_file_is_refused() {
        let plan = |alignment: Option<u32>, tensors: Vec<TensorSpec>| {
            let mut metadata = MetadataBuf::new();
            if let Some(alignment) = alignment {
                metadata.set(keys::ALIGNMENT, alignment).unwrap();
            }
            FilePlan::new(&metadata, tensors).unwrap_err().to_string()
        };
        let shape = |elements| Shape::new(&[elements]).unwrap();
        let spec = |name: &str, elements| TensorSpec::new(name, shape(elements), TensorType::I8).unwrap();
        assert_eq!(plan(None, vec![spec("a", 1), spec("a", 1)]), "tensor \"a\" is planned twice");
        let (half, most) = ((1 << 63) - 1, u64::MAX);
        let whole = TensorSpec::opaque("whole", shape(1), TypeId(99), most).unwrap();
        assert_eq!(
            plan(None, vec![spec("a", half), spec("b", half), spec("c", 1)]),
            "tensor \"b\" ends past 2^64 - 1 bytes"
        );
        assert_eq!(plan(None, vec![whole]), "tensor \"whole\" ends past 2^64 - 1 bytes");
        let nearly = TensorSpec::opaque("nearly", shape(1), TypeId(99), most - 31).unwrap();
        assert_eq!(plan(None, vec![nearly]), "the file passes 2^64 - 1 bytes");
        for alignment in [0, 3, 4, 1 << 21] {
            let message = format!(
                "general.alignment is {alignment}, where a power of two from 8 to 1048576 is allowed"
            );
            assert_eq!(plan(Some(alignment), Vec::new()), message);
        }
    }

    #[test]
    fn bytes_that_a_known_type_does_not_have_are_refused() {
        let shape = Shape::new(&[32]).unwrap();
        let error = TensorSpec::opaque("w", shape, TensorType::Q4_0.id(), 5).unwrap_err();
        assert_eq!(error.to_string(), "tensor \"w\": [32] of Q4_0 takes 18 bytes, not 5");
        assert!(TensorSpec::opaque("w", shape, TensorType::Q4_0.id(), 18).is_ok());
        assert!(TensorSpec::opaque("w", shape, TypeId(99), 5).is_ok());
    }
}
