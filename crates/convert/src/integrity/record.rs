//! The record that a file carries: a listing, as keys of its metadata. Spec: integrity.md, "Record".

use blake3::hazmat::ChainingValue;
use briq_format::metadata::keys;
use briq_format::{Array, Escaped, FilePlan, MetadataBuf, TensorSpec, Text, Value, counted};

use super::TensorHash;
use super::listing::{KeyLine, Listing, TensorLine, parse_digest};
use super::tree::PIECE_BYTES;
use crate::Result;

/// The version of records that is written and read.
pub const VERSION: u32 = 1;
/// The hash that the digests are made with.
pub const ALGORITHM: &str = "blake3";

/// A record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// A line per key and tensor.
    pub listing: Listing,
    /// For each tensor the chaining values of its pieces; none where it is a single one.
    pub(super) pieces: Vec<Vec<ChainingValue>>,
}

/// What keeps a record from being used.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Unusable {
    /// It is of a version that this program does not know.
    Version(u32),
    /// It is not what was written.
    Damaged(String),
}

impl Record {
    /// The record of a file with these keys and tensors, whose bytes have these hashes.
    pub(crate) fn new(
        metadata: &MetadataBuf,
        tensors: &[(&TensorSpec, u64)],
        hashes: Vec<TensorHash>,
    ) -> Self {
        let line = |((spec, bytes), hash): (&(&TensorSpec, u64), &TensorHash)| {
            TensorLine::new(spec.name(), spec.type_id(), spec.shape(), *bytes, &hash.data)
        };
        let tensors = tensors.iter().zip(&hashes).map(line).collect();
        let listing = Listing { keys: Listing::keys_of(metadata.iter()), tensors };
        Self { listing, pieces: hashes.into_iter().map(|hash| hash.pieces).collect() }
    }

    /// A record as long as that of the same file will be, whatever its bytes are.
    pub(crate) fn placeholder(metadata: &MetadataBuf, tensors: &[(&TensorSpec, u64)]) -> Self {
        let hash = |(_, bytes): &(&TensorSpec, u64)| {
            let pieces = Some(bytes.div_ceil(PIECE_BYTES)).filter(|&pieces| pieces > 1).unwrap_or(0);
            // As many as there will be: a tensor of so many bytes is about to be written.
            TensorHash { data: [0; 32].into(), pieces: vec![[0; 32]; pieces as usize] }
        };
        Self::new(metadata, tensors, tensors.iter().map(hash).collect())
    }

    /// Puts the record behind all other keys.
    pub(crate) fn write_to(&self, metadata: &mut MetadataBuf) -> Result<()> {
        let Listing { keys: key_lines, tensors } = &self.listing;
        let hex = |pieces: &Vec<ChainingValue>| -> String {
            pieces.iter().map(|piece| blake3::Hash::from(*piece).to_string()).collect()
        };
        metadata.set_last(keys::INTEGRITY_VERSION, VERSION)?;
        metadata.set_last(keys::INTEGRITY_ALGORITHM, ALGORITHM)?;
        metadata.set_last(keys::INTEGRITY_WHOLE, self.listing.whole().to_string())?;
        let arrays = [
            (keys::INTEGRITY_KEYS, key_lines.iter().map(KeyLine::to_string).collect()),
            (keys::INTEGRITY_TENSORS, tensors.iter().map(TensorLine::to_string).collect()),
            (keys::INTEGRITY_PIECES, self.pieces.iter().map(hex).collect::<Vec<_>>()),
        ];
        for (key, lines) in arrays {
            // An array of nothing is left out, like everywhere.
            if lines.iter().any(|line| !line.is_empty()) {
                metadata.set_last(key, lines)?;
            }
        }
        Ok(())
    }

    /// The record in the metadata of a file; `None` where there is none.
    pub(super) fn read<'a>(get: impl Fn(&str) -> Option<Value<'a>>) -> Result<Option<Self>, Unusable> {
        let all = [
            keys::INTEGRITY_VERSION,
            keys::INTEGRITY_ALGORITHM,
            keys::INTEGRITY_WHOLE,
            keys::INTEGRITY_KEYS,
            keys::INTEGRITY_TENSORS,
            keys::INTEGRITY_PIECES,
        ];
        if all.iter().all(|key| get(key).is_none()) {
            return Ok(None);
        }
        match get(keys::INTEGRITY_VERSION) {
            Some(Value::U32(VERSION)) => {}
            Some(Value::U32(version)) => return Err(Unusable::Version(version)),
            other => return Err(wrong(keys::INTEGRITY_VERSION, other, "a u32")),
        }
        let text = |key| match get(key) {
            Some(Value::String(text)) => as_str(key, text),
            other => Err(wrong(key, other, "a string")),
        };
        let algorithm = text(keys::INTEGRITY_ALGORITHM)?;
        if algorithm != ALGORITHM {
            return Err(damaged(format!(
                "{} is {algorithm:?}, where \"{ALGORITHM}\" is allowed",
                keys::INTEGRITY_ALGORITHM
            )));
        }
        let whole = parse_digest(text(keys::INTEGRITY_WHOLE)?)
            .map_err(|problem| damaged(format!("{}: {problem}", keys::INTEGRITY_WHOLE)))?;
        let listing = Listing {
            keys: lines(keys::INTEGRITY_KEYS, get(keys::INTEGRITY_KEYS), KeyLine::parse)?,
            tensors: lines(keys::INTEGRITY_TENSORS, get(keys::INTEGRITY_TENSORS), TensorLine::parse)?,
        };
        if listing.whole() != whole {
            let key = keys::INTEGRITY_WHOLE;
            return Err(damaged(format!("{key} is not the digest over its lines: one of them was changed")));
        }
        if let Some(repeated) = listing.repeated() {
            let (key, name) = (keys::INTEGRITY_TENSORS, Escaped(listing.tensors[repeated].name.as_bytes()));
            return Err(damaged(format!(
                "{key}, line {repeated}: tensor \"{name}\" has a line already; one is allowed"
            )));
        }
        let pieces = lines(keys::INTEGRITY_PIECES, get(keys::INTEGRITY_PIECES), parse_pieces)?;
        let pieces = match (pieces.len(), listing.tensors.len()) {
            (0, tensors) => vec![Vec::new(); tensors],
            (lines, tensors) if lines == tensors => pieces,
            (lines, tensors) => {
                let key = keys::INTEGRITY_PIECES;
                let lines = counted(lines, "line", "lines");
                return Err(damaged(format!(
                    "{key} has {lines}, where each of the {tensors} tensors has one"
                )));
            }
        };
        Ok(Some(Self { listing, pieces }))
    }
}

/// The layout with a record of the tensors, each with the bytes that a reader will see.
pub(crate) fn recorded(
    layout: &FilePlan,
    metadata: &MetadataBuf,
    specs: Vec<TensorSpec>,
    record: impl FnOnce(&MetadataBuf, &[(&TensorSpec, u64)]) -> Record,
) -> Result<FilePlan> {
    let seen: Vec<_> = specs.iter().map(|spec| (spec, layout.seen_bytes(spec))).collect();
    let record = record(metadata, &seen);
    let mut metadata = metadata.clone();
    record.write_to(&mut metadata)?;
    Ok(FilePlan::new(&metadata, specs)?)
}

fn damaged(problem: String) -> Unusable {
    Unusable::Damaged(problem)
}

fn wrong(key: &str, found: Option<Value<'_>>, allowed: &str) -> Unusable {
    damaged(match found {
        None => format!("{key} is missing"),
        Some(found) => format!("{key} is of type {}, where {allowed} is allowed", found.value_type().name()),
    })
}

fn as_str<'a>(key: &str, text: Text<'a>) -> Result<&'a str, Unusable> {
    text.as_str().map_err(|_| damaged(format!("{key} is not UTF-8")))
}

fn lines<T>(
    key: &str,
    value: Option<Value<'_>>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Unusable> {
    let strings = |array: Array<'_>| {
        array
            .iter()
            .enumerate()
            .map(|(number, element)| {
                let Value::String(text) = element else {
                    return Err(wrong(key, Some(element), "an array of strings"));
                };
                parse(as_str(key, text)?)
                    .map_err(|problem| damaged(format!("{key}, line {number}: {problem}")))
            })
            .collect()
    };
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(array)) => strings(array),
        other => Err(wrong(key, other, "an array of strings")),
    }
}

fn parse_pieces(text: &str) -> Result<Vec<ChainingValue>, String> {
    let digits = text.as_bytes().chunks(64).map(|piece| {
        let text = std::str::from_utf8(piece).map_err(|_| "is not ASCII".to_owned())?;
        parse_digest(text).map(|digest| *digest.as_bytes())
    });
    digits.collect()
}

#[cfg(test)]
mod tests {
    use briq_format::{Shape, TensorType};

    use super::*;

    #[test]
    fn a_second_line_for_a_tensor_is_damage() {
        let spec = TensorSpec::new("w", Shape::new(&[1]).unwrap(), TensorType::F32).unwrap();
        let read = |tensors: &[(&TensorSpec, u64)]| {
            let mut metadata = MetadataBuf::new();
            Record::placeholder(&metadata, tensors).write_to(&mut metadata).unwrap();
            Record::read(|key| metadata.get(key))
        };
        assert!(read(&[(&spec, 4)]).is_ok());
        let problem = "briq.integrity.tensors, line 1: tensor \"w\" has a line already; one is allowed";
        assert_eq!(read(&[(&spec, 4); 2]).unwrap_err(), Unusable::Damaged(problem.to_owned()));
    }
}
