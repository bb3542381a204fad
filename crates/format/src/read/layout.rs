//! One pass over the head of a file that proves everything a reader relies on.
//!
//! The pass knows the size of the file and the bytes of its head, and does no IO. What it returns holds
//! ranges that are proved to lie inside the head or the data; no length is read again. Spec: container.md.

use crate::error::{Error, Result};
use crate::header::Header;
use crate::metadata::{KeyRecord, Value, keys};
use crate::tensor::Shape;
use crate::types::{TensorType, TypeId};
use crate::wire::{DEFAULT_ALIGNMENT, MAX_ALIGNMENT, MAX_RANK, ValueType, Wire};

use super::names::{check_key, check_tensor_name};
use super::{Cursor, Limits, Span, Stop};

/// Where everything lies in one file.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) header: Header,
    pub(crate) wire: Wire,
    pub(crate) keys: Vec<KeyRecord>,
    pub(crate) by_key: Vec<u32>,
    pub(crate) tensors: Vec<TensorRecord>,
    pub(crate) by_name: Vec<u32>,
    pub(crate) alignment: u64,
    /// Where the tensor table ends, from the beginning of the file.
    pub(crate) head_bytes: u64,
    /// Where the tensor data begins. A file without tensors may end before.
    pub(crate) data_start: u64,
    /// Where the last tensor ends.
    pub(crate) data_end: u64,
    pub(crate) file_bytes: u64,
}

/// A row of the tensor table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TensorRecord {
    pub(crate) name: Span,
    pub(crate) shape: Shape,
    pub(crate) type_id: TypeId,
    /// From the beginning of the tensor data.
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl Layout {
    /// Reads the head of a file of `file_bytes` bytes.
    pub(crate) fn read(head: &[u8], file_bytes: u64, limits: &Limits) -> Result<Self, Stop> {
        let mut cursor = Cursor::new(head, file_bytes, limits);
        let header = Header::read(&mut cursor)?;
        let keys = read_keys(&mut cursor, header.key_count)?;
        let by_key = sorted_unique(&keys, head, |record| record.key, "key")?;
        let alignment = read_alignment(&keys, head, cursor.wire)?;
        let mut tensors = read_tensors(&mut cursor, header.tensor_count)?;
        let by_name = sorted_unique(&tensors, head, |record| record.name, "tensor")?;
        let head_bytes = cursor.position();
        // No overflow: a head is no larger than a file, and an alignment is small.
        let data_start = head_bytes.next_multiple_of(alignment);
        let data_end = place(&mut tensors, head, data_start, alignment, file_bytes)?;
        let wire = cursor.wire;
        Ok(Self {
            header,
            wire,
            keys,
            by_key,
            tensors,
            by_name,
            alignment,
            head_bytes,
            data_start,
            data_end,
            file_bytes,
        })
    }
}

fn read_keys(cursor: &mut Cursor<'_>, count: u64) -> Result<Vec<KeyRecord>, Stop> {
    // The count was held against the file. Room grows with what is really read, not with what is declared.
    let mut records = Vec::new();
    for index in 0..count {
        let key = cursor.string(|| format!("key {index}"))?;
        check_key(cursor.bytes(key)).map_err(|problem| Error::malformed(key.start(), problem))?;
        let name = String::from_utf8_lossy(cursor.bytes(key));
        let value_type = read_value_type(cursor, &name)?;
        let start = cursor.position();
        skip_value(cursor, value_type, &name)?;
        let value = cursor.since(start);
        records.push(KeyRecord { key, value_type, value });
    }
    Ok(records)
}

fn read_value_type(cursor: &mut Cursor<'_>, name: &str) -> Result<ValueType, Stop> {
    let at = cursor.position();
    let id = cursor.u32("a value type")?;
    ValueType::from_id(id).ok_or_else(|| {
        Error::malformed(at, format!("key \"{name}\" has value type {id}, where 0 to 12 are allowed")).into()
    })
}

fn skip_value(cursor: &mut Cursor<'_>, ty: ValueType, name: &str) -> Result<(), Stop> {
    let what = || format!("the {} of key \"{name}\"", ty.name());
    match ty {
        ValueType::String => cursor.string(what).map(drop),
        ValueType::Array => skip_array(cursor, name, 1),
        _ => {
            let at = cursor.position();
            let span = cursor.take(ty.fixed_bytes().unwrap_or(0) as u64, what)?;
            check_bools(ty, cursor.bytes(span), at, name)
        }
    }
}

/// Reading and copying nested arrays recurses.
const MAX_NESTING: u32 = 64;

/// `depth` is 1 for an array that lies in no other.
fn skip_array(cursor: &mut Cursor<'_>, name: &str, depth: u32) -> Result<(), Stop> {
    let limit = cursor.limits.nesting.min(MAX_NESTING);
    cursor.limit(cursor.position(), "the depth of arrays within arrays", depth.into(), limit.into())?;
    let element_type = read_value_type(cursor, name)?;
    let at = cursor.position();
    let count = cursor.length(|| format!("the length of the array of key \"{name}\""))?;
    let what = || format!(" of key \"{name}\"");
    cursor.hold(at, count, "element", what, element_type.min_bytes(cursor.wire))?;
    match element_type.fixed_bytes() {
        Some(size) => {
            let at = cursor.position();
            // No overflow: the count was just held against the bytes that remain.
            let span = cursor.take(count * size as u64, || format!("the array of key \"{name}\""))?;
            check_bools(element_type, cursor.bytes(span), at, name)
        }
        None if element_type == ValueType::String => {
            (0..count).try_for_each(|i| cursor.string(|| format!("string {i} of key \"{name}\"")).map(drop))
        }
        None => (0..count).try_for_each(|_| skip_array(cursor, name, depth + 1)),
    }
}

fn check_bools(ty: ValueType, bytes: &[u8], at: u64, name: &str) -> Result<(), Stop> {
    if ty != ValueType::Bool {
        return Ok(());
    }
    match bytes.iter().position(|&byte| byte > 1) {
        Some(index) => {
            let problem =
                format!("key \"{name}\" holds the bool {}, where 0 and 1 are allowed", bytes[index]);
            Err(Error::malformed(at + index as u64, problem).into())
        }
        None => Ok(()),
    }
}

/// Indices of `records` in the order of their names; an error where two have the same.
fn sorted_unique<T>(
    records: &[T],
    head: &[u8],
    name: impl Fn(&T) -> Span,
    what: &str,
) -> Result<Vec<u32>, Stop> {
    let bytes = |index: u32| name(&records[index as usize]).of(head);
    // Their number was held against 32 bits when it was read.
    let mut order: Vec<u32> = (0..).take(records.len()).collect();
    order.sort_by(|&a, &b| bytes(a).cmp(bytes(b)).then(a.cmp(&b)));
    for pair in order.windows(2) {
        if bytes(pair[0]) == bytes(pair[1]) {
            let first = name(&records[pair[0] as usize]).start();
            let second = name(&records[pair[1] as usize]).start();
            let text = String::from_utf8_lossy(bytes(pair[0]));
            let problem =
                format!("{what} \"{text}\" is there already, at byte {first}; each may be there once");
            return Err(Error::malformed(second, problem).into());
        }
    }
    Ok(order)
}

fn read_alignment(records: &[KeyRecord], head: &[u8], wire: Wire) -> Result<u64, Stop> {
    let Some(record) = records.iter().find(|record| record.key.of(head) == keys::ALIGNMENT.as_bytes()) else {
        return Ok(DEFAULT_ALIGNMENT);
    };
    let at = record.value.start();
    let value = Value::take(record.value_type, &mut record.value.of(head), wire);
    match value {
        Some(Value::U32(n)) if n.is_power_of_two() && u64::from(n) <= MAX_ALIGNMENT => Ok(n.into()),
        Some(Value::U32(n)) => {
            let problem = format!(
                "{} is {n}, where a power of two from 1 to {MAX_ALIGNMENT} is allowed",
                keys::ALIGNMENT
            );
            Err(Error::malformed(at, problem).into())
        }
        _ => {
            let problem =
                format!("{} is of type {}, where u32 is allowed", keys::ALIGNMENT, record.value_type.name());
            Err(Error::malformed(at, problem).into())
        }
    }
}

fn read_tensors(cursor: &mut Cursor<'_>, count: u64) -> Result<Vec<TensorRecord>, Stop> {
    let mut records = Vec::new();
    for index in 0..count {
        let name = cursor.string(|| format!("the name of tensor {index}"))?;
        let (bytes, limit) = (cursor.bytes(name), cursor.limits.name_bytes);
        cursor.limit(name.start(), "the length of a tensor name in bytes", bytes.len() as u64, limit)?;
        check_tensor_name(bytes, limit).map_err(|problem| Error::malformed(name.start(), problem))?;
        let text = String::from_utf8_lossy(cursor.bytes(name));
        let at = cursor.position();
        let rank = cursor.u32("the number of dimensions")?;
        if rank as usize > MAX_RANK {
            let problem =
                format!("tensor \"{text}\" has {rank} dimensions, where at most {MAX_RANK} are allowed");
            return Err(Error::malformed(at, problem).into());
        }
        let at = cursor.position();
        let mut dims = [1; MAX_RANK];
        for dim in &mut dims[..rank as usize] {
            *dim = cursor.length(|| format!("a dimension of tensor \"{text}\""))?;
        }
        let shape = Shape::new(&dims[..rank as usize])
            .map_err(|problem| Error::malformed(at, format!("tensor \"{text}\": {problem}")))?;
        let type_id = TypeId(cursor.u32("a tensor type")?);
        let bytes = match TensorType::try_from(type_id) {
            Ok(ty) => shape
                .bytes_as(ty)
                .map_err(|problem| Error::malformed(at, format!("tensor \"{text}\": {problem}")))?,
            // Of a type nobody here knows, only the place is known; `place` gives it the bytes up to the next.
            Err(_) => 0,
        };
        let offset = cursor.u64("a tensor's offset")?;
        records.push(TensorRecord { name, shape, type_id, offset, bytes });
    }
    Ok(records)
}

/// Holds the tensors against the file: each begins where the one before ends, rounded up to the alignment,
/// and all end inside the file. Returns where the last one ends.
fn place(
    tensors: &mut [TensorRecord],
    head: &[u8],
    data_start: u64,
    alignment: u64,
    file_bytes: u64,
) -> Result<u64, Stop> {
    let Some(last) = tensors.len().checked_sub(1) else {
        return Ok(data_start.min(file_bytes));
    };
    let text = |record: &TensorRecord| String::from_utf8_lossy(record.name.of(head)).into_owned();
    let Some(data_bytes) = file_bytes.checked_sub(data_start) else {
        let problem = format!("the tensor data begins at {data_start}, but the file ends at {file_bytes}");
        return Err(Error::malformed(file_bytes, problem).into());
    };
    let mut expected = 0;
    for index in 0..tensors.len() {
        let record = tensors[index];
        let at = record.name.start();
        let known = TensorType::try_from(record.type_id).is_ok();
        if record.offset != expected {
            let problem = format!(
                "tensor \"{}\" begins at {} in the data, where its place is {expected}: tensors follow each other in \
                 order",
                text(&record),
                record.offset
            );
            return Err(Error::malformed(at, problem).into());
        }
        if !known {
            // The next tensor tells where an unknown one ends; the file tells it for the last.
            let end = if index == last { data_bytes } else { tensors[index + 1].offset };
            let aligned = index == last || end % alignment == 0;
            match end.checked_sub(record.offset) {
                Some(bytes) if aligned && end <= data_bytes => tensors[index].bytes = bytes,
                _ => {
                    let problem = format!(
                        "tensor \"{}\" of unknown type begins at {} in the data and cannot end at {end}",
                        text(&record),
                        record.offset
                    );
                    return Err(Error::malformed(at, problem).into());
                }
            }
        }
        let end = record.offset.checked_add(tensors[index].bytes).filter(|&end| end <= data_bytes);
        let Some(end) = end else {
            let end = u128::from(data_start) + u128::from(record.offset) + u128::from(tensors[index].bytes);
            let problem =
                format!("tensor \"{}\" ends at {end}, but the file ends at {file_bytes}", text(&record));
            return Err(Error::malformed(at, problem).into());
        };
        if index == last {
            return Ok(data_start + end);
        }
        expected = end.next_multiple_of(alignment);
    }
    Ok(data_start)
}
