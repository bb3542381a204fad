//! Every container in `fixtures/container` opens and shows what it holds; every one in `fixtures/malformed` is
//! refused with its message. `fixtures/MANIFEST.toml` says which rule of the spec each file stands for.

#![allow(clippy::panic, clippy::unwrap_used)]

use std::fmt::Write;
use std::fs;

use briq_convert::source::Source;
use briq_format::{Escaped, Gguf};
use briq_tests::fixtures::{self, Manifest};
use safetensors::SafeTensors;

/// What the container at `path` under `fixtures/` holds, or the message without the path.
fn open(path: &str) -> Result<String, String> {
    let full = fixtures::path(path);
    let message = |error: &dyn std::fmt::Display| {
        let message = error.to_string();
        let named = message.strip_prefix(&format!("{}: ", full.display()));
        named.unwrap_or_else(|| panic!("{path}: {message:?} does not begin with the path")).to_owned()
    };
    if path.ends_with(".gguf") {
        let model = Gguf::open(&full).map_err(|error| message(&error))?;
        return Ok(model.snapshot().to_string());
    }
    let source = Source::open(&full).map_err(|error| message(&error))?;
    Ok(source.tensors.iter().fold(String::new(), |mut text, tensor| {
        let name = Escaped(tensor.name.as_bytes());
        writeln!(text, "{name} {} {}", tensor.stored_as(), tensor.shape).unwrap();
        text
    }))
}

#[test]
fn every_container_opens_and_shows_what_it_holds() {
    let manifest = Manifest::read();
    for (name, file) in manifest.folder("container") {
        let held = open(&format!("container/{name}")).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(Some(&held), file.holds.as_ref(), "{name}");
    }
}

#[test]
fn every_malformed_container_is_refused_with_its_message() {
    let manifest = Manifest::read();
    for (name, file) in manifest.folder("malformed") {
        match open(&format!("malformed/{name}")) {
            Ok(held) => panic!("{name} opens:\n{held}"),
            Err(message) => assert_eq!(Some(&message), file.message.as_ref(), "{name}"),
        }
    }
}

#[test]
fn values_of_a_type_that_nobody_knows_are_refused_by_name_although_the_file_opens() {
    let manifest = Manifest::read();
    for (name, file) in manifest.folder("container").filter(|(name, _)| name.ends_with(".gguf")) {
        let model = Gguf::open(fixtures::path(&format!("container/{name}"))).unwrap();
        let refused = model.tensors().find_map(|tensor| tensor.info.tensor_type().err());
        assert_eq!(refused.map(|error| error.to_string()), file.message, "{name}");
    }
}

#[test]
fn bytes_in_memory_are_judged_as_the_file_is() {
    let manifest = Manifest::read();
    for (folder, opens) in [("container", true), ("malformed", false)] {
        for (name, file) in manifest.folder(folder).filter(|(name, _)| name.ends_with(".gguf")) {
            // Bytes have no name and no siblings: they are never taken for a shard.
            let opens = opens || name.starts_with("split-");
            match briq_format::parse(&fs::read(fixtures::path(&format!("{folder}/{name}"))).unwrap()) {
                Ok(_) => assert!(opens, "{name}"),
                Err(error) => assert!(!opens && file.message == Some(error.to_string()), "{name}: {error}"),
            }
        }
    }
}

#[test]
fn every_front_part_of_a_container_is_refused_or_reads_the_same_tensors() {
    let manifest = Manifest::read();
    for (name, _) in manifest.folder("container").filter(|(name, _)| name.ends_with(".gguf")) {
        let whole = fs::read(fixtures::path(&format!("container/{name}"))).unwrap();
        let parsed = briq_format::parse(&whole).unwrap();
        for length in 0..whole.len() {
            // Only what lies behind the last tensor may be missing.
            if let Ok(part) = briq_format::parse(&whole[..length]) {
                for (part, whole) in part.view().tensors().zip(parsed.view().tensors()) {
                    let known = whole.info.tensor_type().is_ok();
                    assert!(!known || part.bytes() == whole.bytes(), "{name} cut at {length}");
                }
            }
        }
    }
}

#[test]
fn the_reference_reader_of_safetensors_judges_the_same_but_for_what_the_spec_lists() {
    // What each stands for is in spec/compatibility.md.
    const REFUSED_BY_BRIQ_ALONE: [&str; 6] = [
        "metadata-key-twice.safetensors",
        "name-twice.safetensors",
        "name-with-nul.safetensors",
        "shape-of-5.safetensors",
        "shape-zero-first-hides-overflow.safetensors",
        "tensor-array.safetensors",
    ];
    // Three of the types came after the release of the crate.
    const REFUSED_BY_THE_REFERENCE_ALONE: [&str; 1] = ["every-dtype.safetensors"];
    let manifest = Manifest::read();
    let judged_otherwise = |folder: &'static str, opens: bool| -> Vec<&str> {
        let files =
            manifest.folder(folder).map(|(name, _)| name).filter(|name| name.ends_with(".safetensors"));
        let read = |name: &str| fs::read(fixtures::path(&format!("{folder}/{name}"))).unwrap();
        files.filter(|name| SafeTensors::deserialize(&read(name)).is_ok() != opens).collect()
    };
    assert_eq!(judged_otherwise("malformed", false), REFUSED_BY_BRIQ_ALONE);
    assert_eq!(judged_otherwise("container", true), REFUSED_BY_THE_REFERENCE_ALONE);
}

#[test]
fn a_key_has_at_most_65535_bytes() {
    let one_key = |length: usize| {
        let counts = [0_u64, 1].map(u64::to_le_bytes).concat();
        let key = [&(length as u64).to_le_bytes()[..], &vec![b'k'; length]].concat();
        let value = [4_u32, 1].map(u32::to_le_bytes).concat();
        [b"GGUF\x03\0\0\0", counts.as_slice(), &key, &value].concat()
    };
    assert!(briq_format::parse(&one_key(65_535)).is_ok());
    let error = briq_format::parse(&one_key(65_536)).map(drop).unwrap_err();
    assert_eq!(error.to_string(), "byte 32: the key has 65536 bytes, where at most 65535 are allowed");
}
