//! Converted files against llama.cpp's converter followed by its quantizer.
//!
//! The golden file is what the converter wrote for the same checkpoint in a folder called `hf`; the folder's
//! name is part of the metadata. So the checkpoint is converted twice: under its own name, where the keys of
//! [`DIFFERING_KEYS`] may differ, and from a folder called `hf`, where the whole file has to be the same.
//! Files of 16-bit floats keep the converter's order of tensors, which the quantizer sorts: they hold the same
//! tensors in the golden file's order.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use briq_format::Gguf;

use crate::briq::{TARGETS, Target, convert_plainly};
use crate::claims::Claims;
use crate::llama::Llama;
use crate::place::{Place, copy_files};

/// Keys that may differ, each with the reason.
const DIFFERING_KEYS: &[(&str, &str)] = &[("general.name", "made from the name of the checkpoint's folder")];

/// Compares every target.
pub(super) fn run(place: &Place) -> Result<()> {
    let llama = Llama::load(&place.libraries())?;
    let work = place.work("files")?;
    let same_folder = work.join("hf");
    copy_files(&place.tiny_llama(), &same_folder)?;

    let own_folder = work.join("tiny-llama");
    fs::create_dir_all(&own_folder)?;

    let mut claims = Claims::default();
    println!("target   tensors  keys  differing tensors  differing keys  from a folder of the same name");
    for target in TARGETS {
        let expected = expected(place, &llama, target, &work)?;
        let found = convert_plainly(place, &place.tiny_llama(), target.name, &own_folder)?;
        let twin = convert_plainly(place, &same_folder, target.name, &work)?;
        let (tensors, keys) = compare(&mut claims, target, &Gguf::open(&expected)?, &Gguf::open(&found)?);
        let verdict = compare_twin(&mut claims, target, &place.golden(), &expected, &twin)?;
        let file = Gguf::open(&expected)?;
        let (tensor_count, key_count) = (file.tensors().count(), file.metadata().len());
        println!("{:8} {tensor_count:7} {key_count:5} {tensors:18} {keys:15}  {verdict}", target.name);
    }
    for (key, reason) in DIFFERING_KEYS {
        println!("(may differ: {key}, {reason})");
    }
    claims.settle()
}

/// Tensors and keys under the checkpoint's own name; how many of each differ.
fn compare(claims: &mut Claims, target: &Target, expected: &Gguf, found: &Gguf) -> (usize, usize) {
    let tensors = differing_tensors(expected, found);
    let keys = differing_keys(expected, found);
    for difference in &tensors {
        claims.that(false, format_args!("{}: {difference}", target.name));
    }
    for (key, difference) in &keys {
        let allowed = DIFFERING_KEYS.iter().any(|(name, _)| name == key);
        claims.that(allowed, format_args!("{}: {difference}", target.name));
    }
    (tensors.len(), keys.len())
}

/// The conversion from a folder of the same name, where nothing may differ; what it was found to be.
fn compare_twin(
    claims: &mut Claims,
    target: &Target,
    golden: &Path,
    expected: &Path,
    twin: &Path,
) -> Result<&'static str> {
    if matches!(target.name, "F16" | "BF16") {
        let (golden, expected, twin) = (Gguf::open(golden)?, Gguf::open(expected)?, Gguf::open(twin)?);
        let ordered =
            twin.tensors().map(|tensor| tensor.name()).eq(golden.tensors().map(|tensor| tensor.name()));
        claims.that(ordered, format_args!("{}: tensors are not in the converter's order", target.name));
        let keys = differing_keys(&expected, &twin);
        claims.that(keys.is_empty(), format_args!("{}: keys differ: {keys:?}", target.name));
        return Ok("the converter's order");
    }
    let identical = read(expected)? == read(twin)?;
    claims.that(identical, format_args!("{} and {} differ", twin.display(), expected.display()));
    Ok(if identical { "identical file" } else { "DIFFERENT FILE" })
}

/// The file that llama.cpp's tools make for this target.
fn expected(place: &Place, llama: &Llama, target: &Target, work: &Path) -> Result<PathBuf> {
    if target.name == "F32" {
        return Ok(place.golden());
    }
    let path = work.join(format!("llama.cpp-{}.gguf", target.name));
    llama.quantize_file(&place.golden(), &path, target.file_type)?;
    Ok(path)
}

/// What differs in the tensors, whatever their order: one line each.
pub(super) fn differing_tensors(expected: &Gguf, found: &Gguf) -> Vec<String> {
    let mut differences = Vec::new();
    let extra = found.tensors().filter(|tensor| expected.tensor(tensor.name()).is_none());
    differences.extend(extra.map(|tensor| format!("{} is not expected", tensor.name())));
    for expected in expected.tensors() {
        let (name, theirs) = (expected.name(), expected.info);
        let Some(found) = found.tensor(name) else {
            differences.push(format!("{name} is missing"));
            continue;
        };
        let ours = found.info;
        if theirs.shape != ours.shape {
            differences.push(format!("{name} has the shape {}, expected {}", ours.shape, theirs.shape));
        } else if theirs.type_id != ours.type_id {
            differences.push(format!("{name} is {}, expected {}", ours.type_id, theirs.type_id));
        } else if let Some(at) = expected.bytes().iter().zip(found.bytes()).position(|(a, b)| a != b) {
            differences.push(format!("{name} ({}) differs from byte {at} on", ours.type_id));
        }
    }
    differences
}

/// Keys that are missing, extra, or have another value or type, each with a line on it.
fn differing_keys(expected: &Gguf, found: &Gguf) -> Vec<(String, String)> {
    let (expected, found) = (expected.metadata(), found.metadata());
    let mut differences = Vec::new();
    for (key, value) in expected.iter() {
        match found.get(key) {
            Some(ours) if ours == value => {}
            Some(ours) => {
                differences.push((key.to_owned(), format!("{key} is {ours:?}, expected {value:?}")))
            }
            None => differences.push((key.to_owned(), format!("{key} is missing, expected {value:?}"))),
        }
    }
    for (key, value) in found.iter().filter(|(key, _)| expected.get(key).is_none()) {
        differences.push((key.to_owned(), format!("{key} is {value:?}, expected none")));
    }
    differences
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
