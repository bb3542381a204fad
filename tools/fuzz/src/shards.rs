//! A model in several files, each of which lies about the others as it likes.

use std::fs;

use briq_format::{FilePlan, Gguf, MetadataBuf, Shape, TensorSpec, TensorType, TensorWriter};

use crate::bytes::Bytes;
use crate::scratch;

pub(crate) fn run(bytes: &[u8]) {
    let mut bytes = Bytes(bytes);
    let count = u64::from(bytes.below(3)) + 1;
    let mut path = scratch::absent("m.gguf");
    for number in 0..count {
        let name = format!("m-{:05}-of-{count:05}.gguf", number + 1);
        path = scratch::file(&name, &shard(number, count, &mut bytes));
    }
    if bytes.below(8) == 7 {
        let _ = fs::remove_file(scratch::absent("m-00001-of-00002.gguf"));
    }
    let Ok(model) = Gguf::open(&path) else { return };
    let files = model.files().len() as u64;
    assert!(files == 1 || files == count, "a set of {count} opened as {files}");
    for tensor in model.tensors() {
        let found = model.tensor(tensor.name()).expect("a listed tensor is found");
        assert_eq!(found.bytes(), tensor.bytes());
    }
    if files > 1 {
        let mut names: Vec<_> = model.tensors().map(|tensor| tensor.name()).collect();
        names.sort_unstable();
        assert!(names.is_sorted_by(|a, b| a < b), "a tensor is in two shards");
        assert_eq!(model.metadata().u64("split.count"), Some(count));
    }
}

/// A shard that is right, unless the bytes have it otherwise.
fn shard(number: u64, count: u64, bytes: &mut Bytes<'_>) -> Vec<u8> {
    let mut metadata = MetadataBuf::new();
    for (key, right) in [("split.no", number), ("split.count", count), ("split.tensors.count", 2 * count)] {
        let set = match bytes.below(12) {
            0 => Ok(()),
            1 => metadata.set(key, bytes.u64()),
            2 => metadata.set(key, bytes.u8() as i32 - 9),
            3 => metadata.set(key, "2"),
            4 => metadata.set(key, u32::from(bytes.below(5))),
            _ => metadata.set(key, right as u16),
        };
        set.unwrap();
    }
    let specs = (0..2).map(|index| {
        let from = match bytes.below(12) {
            0 => bytes.below(3).into(),
            _ => number,
        };
        let shape = Shape::new(&[u64::from(bytes.below(40))]).unwrap();
        TensorSpec::new(format!("t{from}.{index}"), shape, TensorType::F16).unwrap()
    });
    let plan = FilePlan::new(&metadata, specs.collect()).unwrap();
    let mut writer = TensorWriter::new(&plan, Vec::new()).unwrap();
    for spec in plan.tensors().filter(|spec| spec.bytes() > 0) {
        writer.write(spec.name(), &vec![number as u8; spec.bytes() as usize]).unwrap();
    }
    let mut file = writer.finish().unwrap();
    if bytes.below(12) == 0 {
        let at = bytes.u64() as usize % file.len();
        file[at] ^= bytes.u8();
    }
    if bytes.below(16) == 0 {
        file.truncate(bytes.u64() as usize % file.len());
    }
    file
}
