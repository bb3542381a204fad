//! The parser over every container of the fixtures, without mapping a file: what Miri can follow.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use briq_format::{Value, parse};

/// The files of a folder of the fixtures that are short enough to be followed step by step.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let most = if cfg!(miri) { 4096 } else { u64::MAX };
    files.retain(|path| {
        path.extension().is_some_and(|ending| ending == "gguf") && path.metadata().unwrap().len() <= most
    });
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Every element is there, at every depth.
fn walk(value: Value<'_>) {
    if let Value::Array(array) = value {
        assert_eq!(array.iter().count() as u64, array.len());
        array.iter().for_each(walk);
    }
}

#[test]
fn every_valid_container_can_be_walked_to_its_last_value_and_its_last_byte() {
    for path in files("container") {
        let bytes = fs::read(&path).unwrap();
        let parsed = parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let view = parsed.view();
        view.metadata().iter().for_each(|(_, value)| walk(value));
        for tensor in view.tensors() {
            assert_eq!(tensor.bytes().len() as u64, tensor.info.bytes, "{}", path.display());
        }
    }
}

#[test]
fn every_malformed_container_gets_the_same_verdict_twice_and_so_does_it_cut_anywhere() {
    for path in files("malformed") {
        let bytes = fs::read(&path).unwrap();
        let step = if cfg!(miri) { 97 } else { 1 };
        for end in (0..=bytes.len()).rev().step_by(step).take(64) {
            let verdict = || parse(&bytes[..end]).map(drop).map_err(|error| error.to_string());
            assert_eq!(verdict(), verdict(), "{} cut to {end}", path.display());
        }
    }
}
