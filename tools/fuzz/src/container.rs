//! GGUF files: every byte arbitrary, or only those of one part.

use briq_format::wire::MAGIC;
use briq_format::{FilePlan, MetadataBuf, Parsed, TensorType, TensorWriter, Value, parse};

use crate::bytes::Bytes;

/// Any bytes as a file.
pub(crate) fn header(bytes: &[u8]) {
    if let Ok(parsed) = parse(bytes) {
        check(&parsed, bytes);
    }
}

/// A version, a number of keys, and bytes that stand for them.
pub(crate) fn metadata(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let file = file(bytes.below(6), 0, bytes.u8(), bytes.0);
    if let Ok(parsed) = parse(&file) {
        check(&parsed, &file);
    }
}

/// A version, a number of tensors, the size of the data, and bytes that stand for the table and the data.
pub(crate) fn tensor_table(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let (version, tensors, data) = (bytes.below(6), bytes.u8(), usize::from(bytes.u8()));
    let mut file = file(version, tensors, 0, bytes.0);
    file.resize(file.len() + data * 64, 0);
    if let Ok(parsed) = parse(&file) {
        check(&parsed, &file);
    }
}

/// A file of version 1 to 3, big-endian for the odd half of `version`.
fn file(version: u8, tensors: u8, keys: u8, rest: &[u8]) -> Vec<u8> {
    let (number, is_big) = (u32::from(version / 2 + 1), version % 2 == 1);
    let mut file = MAGIC.to_vec();
    let mut put = |number: u64, bytes: usize| match is_big {
        true => file.extend(&number.to_be_bytes()[8 - bytes..]),
        false => file.extend(&number.to_le_bytes()[..bytes]),
    };
    put(number.into(), 4);
    let width = if number == 1 { 4 } else { 8 };
    put(tensors.into(), width);
    put(keys.into(), width);
    file.extend(rest);
    file
}

/// Holds a file that was accepted against what it promises.
pub(crate) fn check(parsed: &Parsed<'_>, bytes: &[u8]) {
    let view = parsed.view();
    let size = bytes.len() as u64;
    assert_eq!(view.metadata().len() as u64, view.header().key_count);
    assert_eq!(view.metadata().iter().count(), view.metadata().len(), "a key was lost");
    for (key, value) in view.metadata().iter() {
        assert_eq!(view.metadata().get(key).map(|value| value.value_type()), Some(value.value_type()));
        walk(value);
    }
    assert_eq!(view.tensors().count() as u64, view.header().tensor_count);
    let mut end = view.data_start();
    for tensor in view.tensors() {
        let info = tensor.info;
        assert!(info.offset_in_file >= end && info.offset_in_data % view.alignment() == 0, "tensors overlap");
        end = info.offset_in_file + info.bytes;
        assert!(end <= size, "a tensor reaches past the file");
        assert_eq!(tensor.bytes().len() as u64, info.bytes);
        assert_eq!(view.tensor(info.name).map(|found| found.info.offset_in_file), Some(info.offset_in_file));
        if let Ok(ty) = TensorType::try_from(info.type_id) {
            assert_eq!(info.shape.bytes_as(ty).ok(), Some(info.bytes));
        }
    }
    check_written_again(parsed);
}

/// Every value is there, to its last element.
fn walk(value: Value<'_>) {
    if let Value::Array(array) = value {
        assert_eq!(array.iter().count() as u64, array.len());
        assert_eq!(array.get(array.len()), None);
        array.iter().for_each(walk);
    }
}

/// The keys survive being written and read, whatever the version and byte order they came from.
fn check_written_again(parsed: &Parsed<'_>) {
    let metadata = MetadataBuf::from(parsed.view().metadata());
    // An alignment that is read and never written is the one thing a writer refuses here.
    let Ok(plan) = FilePlan::new(&metadata, Vec::new()) else { return };
    let file = TensorWriter::new(&plan, Vec::new()).and_then(TensorWriter::finish).unwrap();
    let again = parse(&file).unwrap();
    assert_eq!(MetadataBuf::from(again.view().metadata()), metadata);
}
