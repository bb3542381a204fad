//! The safetensors container: eight bytes of length, a JSON header, data.
//!
//! The header is read here rather than by the `safetensors` crate, because a converter must refuse what that
//! crate lets pass: names given twice, names with control characters, sizes hidden behind a zero. The crate
//! is the judge in the tests for everything that is well-formed.

mod header;

use std::io::Read;
use std::path::Path;

use briq_format::{Endian, Escaped, Shape, counted};

use super::element::SAFETENSORS_TYPES;
use super::{Source, SourceFile, SourceKind, SourceTensor};
use crate::json::{Json, Object};
use crate::{Error, Result};

/// The entry of a header that is no tensor.
const METADATA: &str = "__metadata__";

/// The most bytes of a header, as the format's own reader has it.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Opens a single file as a source.
pub(super) fn open(path: &Path) -> Result<Source> {
    let file = SourceFile::open(path.to_owned())?;
    let tensors = read_tensors(&file, 0)?;
    Ok(Source { kind: SourceKind::Safetensors, path: path.to_owned(), tensors, files: vec![file] })
}

/// The tensors of `file`, which is file `index` of its source, sorted by the bytes of their names.
pub(super) fn read_tensors(file: &SourceFile, index: usize) -> Result<Vec<SourceTensor>> {
    let bad = |problem: String| Error::bad(&file.path, problem);
    let header_bytes = header_length(file)?;
    let data_start = 8 + header_bytes;
    let (mut tensors, mut has_metadata) = (Vec::new(), false);
    header::for_each_entry(file, header_bytes, |name, entry| {
        if name != METADATA {
            let shown = Escaped(name.as_bytes()).to_string();
            let tensor = read_entry(name, &entry, index, data_start);
            tensors.push(tensor.map_err(|problem| format!("tensor \"{shown}\": {problem}"))?);
        } else if std::mem::replace(&mut has_metadata, true) {
            return Err(format!("\"{METADATA}\" is given twice"));
        } else {
            check_metadata(&entry)?;
        }
        Ok(())
    })?;
    tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    if let Some(pair) = tensors.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(bad(format!("tensor \"{}\" is given twice", Escaped(pair[0].name.as_bytes()))));
    }
    check_packing(&tensors, data_start, file.bytes - data_start).map_err(bad)?;
    Ok(tensors)
}

/// The length of the header, held against the file.
fn header_length(file: &SourceFile) -> Result<u64> {
    let bad = |problem: String| Err(Error::bad(&file.path, problem));
    if file.bytes < 8 {
        return bad(format!("not a safetensors file: {} bytes, where the length alone takes 8", file.bytes));
    }
    let mut length = [0; 8];
    let mut reader = &file.file;
    reader.read_exact(&mut length).map_err(|error| Error::io(&file.path, "read", error))?;
    let header_bytes = u64::from_le_bytes(length);
    if header_bytes > MAX_HEADER_BYTES {
        return bad(match what_it_looks_like(length) {
            Some(what) => format!("not a safetensors file: it looks like {what}"),
            None => format!(
                "byte 0: a header of {header_bytes} bytes, where at most {MAX_HEADER_BYTES} are allowed"
            ),
        });
    }
    if header_bytes > file.bytes - 8 {
        return bad(format!("byte 0: a header of {header_bytes} bytes, but the file ends at {}", file.bytes));
    }
    Ok(header_bytes)
}

/// Names the format behind eight bytes that are no length of a header. A length that can be one is believed:
/// 60 is the byte `<`, and no HTML page.
fn what_it_looks_like(start: [u8; 8]) -> Option<&'static str> {
    let known: &[(&[u8], &str)] = &[
        (b"version ", "a git-lfs pointer; run `git lfs pull`"),
        (b"PK\x03\x04", "a PyTorch archive, which can run code when it is read; convert it to safetensors"),
        (b"\x80\x02", "a Python pickle, which can run code when it is read; convert it to safetensors"),
        (b"\x80\x04", "a Python pickle, which can run code when it is read; convert it to safetensors"),
        (b"GGUF", "a GGUF file; name it .gguf"),
        (b"<", "an HTML page; the download failed"),
    ];
    known.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, what)| *what)
}

fn check_metadata(entry: &Json) -> Result<(), String> {
    let strings = |metadata: &Object| metadata.values().all(|value| value.as_str().is_some());
    match entry {
        Json::Null => Ok(()),
        Json::Object(metadata) if strings(metadata) => Ok(()),
        _ => Err(format!("\"{METADATA}\" must be an object of strings")),
    }
}

fn read_entry(name: String, entry: &Json, file: usize, data_start: u64) -> Result<SourceTensor, String> {
    if name.contains('\0') {
        return Err("the name holds a NUL".to_owned());
    }
    let dtype = entry.get("dtype").and_then(Json::as_str).ok_or("\"dtype\" must be a string")?;
    let Some(&(_, bits, element)) = SAFETENSORS_TYPES.iter().find(|(known, ..)| *known == dtype) else {
        let known: Vec<_> = SAFETENSORS_TYPES.iter().map(|(known, ..)| *known).collect();
        return Err(format!("dtype {dtype:?} is none of {}", known.join(", ")));
    };
    // Safetensors puts the row length last, GGUF first.
    let mut dims = numbers(entry, "shape")?;
    dims.reverse();
    let [begin, end] = numbers(entry, "data_offsets")?[..] else {
        return Err("\"data_offsets\" must be two numbers".to_owned());
    };
    let shape = Shape::new(&dims).map_err(|error| error.to_string())?;
    let bytes = match shape.elements().checked_mul(bits) {
        Some(bits) if bits % 8 == 0 => bits / 8,
        Some(bits) => return Err(format!("{bits} bits are no whole number of bytes")),
        None => return Err(format!("shape {shape} of {dtype} takes more than 2^64 - 1 bits")),
    };
    if begin.checked_add(bytes) != Some(end) {
        return Err(format!(
            "data_offsets {begin} to {end}, but shape {shape} of {dtype} takes {bytes} bytes"
        ));
    }
    let offset = data_start.checked_add(begin).ok_or_else(|| format!("begins past 2^64 - 1, at {begin}"))?;
    Ok(SourceTensor { name, shape, element, bytes, file, offset, endian: Endian::Little, scaled: None })
}

fn numbers(entry: &Json, key: &str) -> Result<Vec<u64>, String> {
    let number = |value: &Json| match value {
        Json::Integer(number) => u64::try_from(*number).ok(),
        _ => None,
    };
    entry
        .get(key)
        .and_then(Json::as_array)
        .and_then(|values| values.iter().map(number).collect())
        .ok_or_else(|| format!("\"{key}\" must be an array of integers from 0 to 2^64 - 1"))
}

/// Every byte of the data, which begins at `data_start`, belongs to exactly one tensor.
fn check_packing(tensors: &[SourceTensor], data_start: u64, data_bytes: u64) -> Result<(), String> {
    let mut by_place: Vec<&SourceTensor> = tensors.iter().collect();
    by_place.sort_by_key(|tensor| (tensor.offset, tensor.bytes));
    let mut expected = 0;
    for tensor in by_place {
        let shown = Escaped(tensor.name.as_bytes());
        let begin = tensor.offset - data_start;
        if begin != expected {
            return Err(format!(
                "tensor \"{shown}\" begins at {begin} in the data, where the one before ends at {expected}"
            ));
        }
        // No overflow: the entry was checked to end at a 64-bit number.
        expected = begin + tensor.bytes;
        if expected > data_bytes {
            return Err(format!(
                "tensor \"{shown}\" ends at {expected} in the data, which has {data_bytes} bytes"
            ));
        }
    }
    match data_bytes - expected {
        0 => Ok(()),
        extra => {
            let extra =
                counted(extra, "byte behind the last tensor belongs", "bytes behind the last tensor belong");
            Err(format!("{extra} to none"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use safetensors::tensor::{Dtype, TensorView, serialize};

    use super::*;

    const DTYPES: [(Dtype, usize); 8] = [
        (Dtype::F64, 8),
        (Dtype::F32, 4),
        (Dtype::F16, 2),
        (Dtype::BF16, 2),
        (Dtype::I8, 1),
        (Dtype::BOOL, 1),
        (Dtype::U64, 8),
        (Dtype::F8_E4M3, 1),
    ];

    /// A file written by the reference: names of any characters but NUL, up to four dimensions.
    fn reference_file() -> impl Strategy<Value = Vec<u8>> {
        let tensor =
            (proptest::sample::select(&DTYPES), proptest::collection::vec(0_usize..5, 0..5), any::<u8>());
        proptest::collection::btree_map("[^\0]{0,12}", tensor, 0..6).prop_map(|tensors| {
            let data: Vec<_> = tensors
                .into_iter()
                .filter(|(name, _)| name != "__metadata__")
                .map(|(name, ((dtype, bytes), shape, fill))| {
                    let length = shape.iter().product::<usize>() * bytes;
                    (
                        name,
                        dtype,
                        shape,
                        (0..length).map(|at| fill.wrapping_add(at as u8)).collect::<Vec<u8>>(),
                    )
                })
                .collect();
            let views = data.iter().map(|(name, dtype, shape, bytes)| {
                (name.as_str(), TensorView::new(*dtype, shape.clone(), bytes).unwrap())
            });
            serialize(views, None).unwrap()
        })
    }

    fn open_bytes(bytes: &[u8]) -> Result<Source> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.safetensors");
        std::fs::write(&path, bytes).unwrap();
        open(&path)
    }

    /// Holds what was read against what the reference reads.
    fn check(source: &Source, bytes: &[u8]) {
        let reference = safetensors::SafeTensors::deserialize(bytes).unwrap();
        assert_eq!(source.tensors.len(), reference.len());
        assert!(source.tensors.is_sorted_by(|a, b| a.name.as_bytes() < b.name.as_bytes()));
        for tensor in &source.tensors {
            let view = reference.tensor(&tensor.name).unwrap();
            let shape: Vec<u64> = view.shape().iter().rev().map(|&dim| dim as u64).collect();
            assert_eq!(tensor.shape.dims(), shape);
            assert_eq!(tensor.element.to_string(), view.dtype().to_string());
            let mut data = vec![0; usize::try_from(tensor.bytes).unwrap()];
            source.read(tensor, 0, &mut data).unwrap();
            assert_eq!(data, view.data(), "{:?}", tensor.name);
        }
    }

    proptest! {
        #[test]
        fn what_the_reference_writes_is_read_as_the_reference_reads_it(bytes in reference_file()) {
            check(&open_bytes(&bytes).unwrap(), &bytes);
        }

        #[test]
        fn what_is_accepted_is_accepted_by_the_reference_too_and_reads_the_same(
            bytes in reference_file(),
            at in any::<prop::sample::Index>(),
            byte in prop_oneof![any::<u8>(), proptest::sample::select(&b"0123456789,:[]{}\" -"[..])],
        ) {
            let mut bytes = bytes;
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if let Ok(source) = open_bytes(&bytes) {
                check(&source, &bytes);
            }
        }
    }
}
