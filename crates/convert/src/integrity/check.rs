//! A model held against a listing: the record it carries, or a manifest. Spec: integrity.md, "Verdicts".

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use blake3::Hash;
use blake3::hazmat::ChainingValue;
use briq_format::shard::{Part, open_parts};
use briq_format::{Escaped, Header, Limits, TensorInfo};
use serde::Serialize;

use super::data::{Place, Tensors, hash_places};
use super::listing::{KeyLine, Listing, TensorLine, form, plain_dims};
use super::record::{Record, Unusable, VERSION};
use super::tree::{PIECE_BYTES, TensorHash};
use crate::run::Progress;
use crate::{Error, Result};

/// What is found out.
#[derive(Clone, Debug, Serialize)]
pub struct Findings {
    /// The verdict.
    pub state: State,
    /// How many keys are listed.
    pub keys: usize,
    /// How many tensors are listed.
    pub tensors: usize,
    /// Bytes that are not what was written.
    pub damage: Vec<Damage>,
    /// What somebody changed since.
    pub changes: Vec<Change>,
}

/// A verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There is nothing to hold the model against.
    Absent,
    /// Every key and every tensor is what it was.
    Holds,
    /// The model was changed by somebody who left the record as it was. What is still as it was described is whole.
    Stale,
    /// The record is of a version that is not known.
    Unknown,
    /// Bytes are not what was written.
    Damaged,
}

/// Bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Damage {
    /// What they belong to, and what is wrong, in words.
    pub problem: String,
    /// The tensor, if they are of one.
    pub tensor: Option<String>,
    /// The file they lie in.
    pub file: PathBuf,
    /// Where in that file.
    pub ranges: Vec<ByteRange>,
}

/// Bytes from `start` up to but not including `end`, counted from the beginning of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ByteRange {
    /// The first.
    pub start: u64,
    /// The one after the last.
    pub end: u64,
}

/// A difference that somebody made, in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Change(pub String);

/// Holds the model at `path`, one file or all its shards, against the record that it carries.
///
/// # Errors
/// When the model is bad or cannot be read, or `stop` was set. What is wrong with its content is in the findings.
pub fn check(path: &Path, progress: &(dyn Progress + Sync), stop: &AtomicBool) -> Result<Findings> {
    let parts = open_parts(path, &Limits::default())?;
    let Some(first) = parts.first() else { return Ok(Findings::new(State::Absent)) };
    let metadata = first.head.view().metadata();
    match Record::read(|key| metadata.get(key)) {
        Ok(None) => Ok(Findings::new(State::Absent)),
        Ok(Some(Record { listing, pieces })) => compare(&parts, &listing, Some(&pieces), progress, stop),
        Err(Unusable::Version(version)) => {
            let mut findings = Findings::new(State::Unknown);
            let change = format!("the record is of version {version}, where {VERSION} is known");
            findings.changes.push(Change(change));
            Ok(findings)
        }
        Err(Unusable::Damaged(problem)) => {
            let mut findings = Findings::new(State::Damaged);
            // Everything in front of the tensors; nobody keeps where a single key lies.
            let range = ByteRange { start: 0, end: first.head.view().head_bytes() };
            let problem = format!("the record is damaged: {problem}");
            findings.damage.push(Damage {
                problem,
                tensor: None,
                file: first.path.clone(),
                ranges: vec![range],
            });
            Ok(findings)
        }
    }
}

/// Holds the model at `path` against a listing from elsewhere.
///
/// # Errors
/// As [`check`].
pub(super) fn check_listing(
    path: &Path,
    listing: &Listing,
    progress: &(dyn Progress + Sync),
    stop: &AtomicBool,
) -> Result<Findings> {
    compare(&open_parts(path, &Limits::default())?, listing, None, progress, stop)
}

/// Fails unless the bytes at each place have these hashes.
pub(crate) fn hold_tensors(
    places: &[(&str, Place<'_>)],
    hashes: &[TensorHash],
    stop: &AtomicBool,
) -> Result<()> {
    let (names, places): (Vec<&str>, Vec<Place<'_>>) = places.iter().copied().unzip();
    let found = hash_places(&places, &(), stop)?;
    let other = found.iter().zip(hashes).position(|(found, hash)| found.data != hash.data);
    match other {
        None => Ok(()),
        Some(index) => {
            let problem = format!("tensor \"{}\" does not read back as it was written", names[index]);
            Err(Error::bad(places[index].path, problem))
        }
    }
}

impl Findings {
    pub(super) fn new(state: State) -> Self {
        Self { state, keys: 0, tensors: 0, damage: Vec::new(), changes: Vec::new() }
    }

    /// Derives the verdict from what was found.
    pub(super) fn judged(mut self) -> Self {
        self.state = match (self.damage.is_empty(), self.changes.is_empty()) {
            (false, _) => State::Damaged,
            (true, false) => State::Stale,
            (true, true) => State::Holds,
        };
        self
    }
}

fn compare(
    parts: &[Part],
    listing: &Listing,
    pieces: Option<&[Vec<ChainingValue>]>,
    progress: &(dyn Progress + Sync),
    stop: &AtomicBool,
) -> Result<Findings> {
    let mut findings = Findings::new(State::Holds);
    (findings.keys, findings.tensors) = (listing.keys.len(), listing.tensors.len());
    let changes = &mut findings.changes;
    let headers = parts.iter().map(|part| part.head.view().header());
    changes.extend(headers.into_iter().find_map(container_change));
    if let Some(first) = parts.first() {
        key_changes(&listing.keys, &Listing::keys_of(first.head.view().metadata().iter()), changes);
    }
    let tensors = Tensors::of(parts);
    let pairs = pairs(&listing.tensors, &tensors.infos, changes);
    // The bytes of a big-endian file stand for other bytes than those that were hashed.
    let comparable = if tensors.big_endian().is_some() { Vec::new() } else { pairs };
    let places: Vec<Place<'_>> = comparable.iter().map(|&(_, index)| tensors.places[index]).collect();
    let hashes = hash_places(&places, progress, stop)?;
    for ((&(line, index), hash), place) in comparable.iter().zip(&hashes).zip(&places) {
        let (listed, info) = (&listing.tensors[line], &tensors.infos[index]);
        let pieces = pieces.and_then(|pieces| pieces.get(line)).map(Vec::as_slice);
        findings.damage.extend(tensor_damage(listed, info, hash, pieces, place));
    }
    if findings.changes.is_empty() && pieces.is_some() {
        for part in parts {
            findings.damage.extend(padding_damage(part, stop)?);
        }
    }
    Ok(findings.judged())
}

/// What briq writes is of one kind; another is the work of another program.
fn container_change(header: Header) -> Option<Change> {
    let Header { version, endian, .. } = header;
    let is_written = (version, endian) == (briq_format::wire::VERSION, briq_format::Endian::Little);
    (!is_written).then(|| Change(format!("the container is of version {version}, {}", endian.name())))
}

fn key_changes(listed: &[KeyLine], found: &[KeyLine], changes: &mut Vec<Change>) {
    let quoted = |key: &str| Escaped(key.as_bytes()).to_string();
    let by_key: HashMap<&str, &KeyLine> = found.iter().map(|line| (line.key.as_str(), line)).collect();
    for line in listed {
        match by_key.get(line.key.as_str()) {
            Some(found) if *found == line => {}
            Some(_) => changes.push(Change(format!("key \"{}\" has another value", quoted(&line.key)))),
            None => changes.push(Change(format!("key \"{}\" is gone", quoted(&line.key)))),
        }
    }
    let listed: HashMap<&str, ()> = listed.iter().map(|line| (line.key.as_str(), ())).collect();
    let new = found.iter().filter(|line| !listed.contains_key(line.key.as_str()));
    changes.extend(new.map(|line| Change(format!("key \"{}\" is new", quoted(&line.key)))));
}

/// The tensors that are in both with the same type and shape, by their places in the two lists.
fn pairs(listed: &[TensorLine], found: &[TensorInfo<'_>], changes: &mut Vec<Change>) -> Vec<(usize, usize)> {
    let quoted = |name: &str| Escaped(name.as_bytes()).to_string();
    let by_name: HashMap<&str, usize> =
        found.iter().enumerate().map(|(index, info)| (info.name, index)).collect();
    let mut pairs = Vec::new();
    for (number, line) in listed.iter().enumerate() {
        let name = quoted(&line.name);
        match by_name.get(line.name.as_str()).map(|&index| (index, &found[index])) {
            None => changes.push(Change(format!("tensor \"{name}\" is gone"))),
            Some((index, info)) => {
                let (was, is) = (line.form(), form(info.type_id, &plain_dims(info.shape)));
                match was == is {
                    true => pairs.push((number, index)),
                    false => changes.push(Change(format!("tensor \"{name}\" was {was} and is {is}"))),
                }
            }
        }
    }
    let listed: HashMap<&str, ()> = listed.iter().map(|line| (line.name.as_str(), ())).collect();
    let new = found.iter().filter(|info| !listed.contains_key(info.name));
    changes.extend(new.map(|info| Change(format!("tensor \"{}\" is new", quoted(info.name)))));
    if changes.is_empty() && !pairs.is_sorted_by_key(|&(_, index)| index) {
        changes.push(Change("the tensors are in another order".to_owned()));
    }
    pairs
}

fn tensor_damage(
    listed: &TensorLine,
    info: &TensorInfo<'_>,
    hash: &TensorHash,
    pieces: Option<&[ChainingValue]>,
    place: &Place<'_>,
) -> Option<Damage> {
    let line = |data: &Hash| TensorLine::new(info.name, info.type_id, info.shape, info.bytes, data);
    let holds = line(&hash.data) == *listed;
    if holds && pieces.is_none_or(|pieces| pieces == hash.pieces) {
        return None;
    }
    // The digest of a tensor says whether what is recorded of its pieces is still what was written.
    let joined = pieces.and_then(|pieces| TensorHash::join(pieces.to_vec()));
    let pieces_hold = joined.is_some_and(|joined| line(&joined.data) == *listed);
    let all = ByteRange { start: place.offset, end: place.offset + place.bytes };
    let name = Escaped(info.name.as_bytes());
    let (problem, ranges) = match (holds, pieces.filter(|_| pieces_hold)) {
        (true, _) => (format!("the record of the pieces of tensor \"{name}\" is damaged"), Vec::new()),
        (false, None) => (format!("tensor \"{name}\" is damaged"), vec![all]),
        (false, Some(pieces)) => {
            (format!("tensor \"{name}\" is damaged"), differing(pieces, &hash.pieces, all))
        }
    };
    Some(Damage { problem, tensor: Some(info.name.to_owned()), file: place.path.to_owned(), ranges })
}

/// The pieces that differ, neighbours as one range.
fn differing(listed: &[ChainingValue], found: &[ChainingValue], all: ByteRange) -> Vec<ByteRange> {
    let mut ranges: Vec<ByteRange> = Vec::new();
    let pieces = listed.iter().zip(found).enumerate().filter(|(_, (listed, found))| listed != found);
    for (number, _) in pieces {
        let start = all.start + number as u64 * PIECE_BYTES;
        let end = (start + PIECE_BYTES).min(all.end);
        match ranges.last_mut() {
            Some(last) if last.end == start => last.end = end,
            _ => ranges.push(ByteRange { start, end }),
        }
    }
    ranges
}

/// The first padding in a file that is not of zeros.
fn padding_damage(part: &Part, stop: &AtomicBool) -> Result<Option<Damage>> {
    let view = part.head.view();
    let mut at = view.head_bytes();
    let mut buffer = Vec::new();
    let range = |info: TensorInfo<'_>| (info.offset_in_file, info.offset_in_file + info.bytes);
    // What the last tensor is padded with ends where another would begin, or with the file.
    let padded = |end: u64| end.next_multiple_of(view.alignment()).min(view.file_bytes());
    let last = view.tensor_infos().last().map(|info| padded(range(info).1)).map(|end| (end, end));
    for (start, end) in view.tensor_infos().map(range).chain(last) {
        let place = Place { path: &part.path, file: &part.file, offset: at, bytes: start.saturating_sub(at) };
        let mut is_zero = true;
        place.read(0, place.bytes, &mut buffer, stop, |bytes| {
            is_zero &= bytes.iter().all(|&byte| byte == 0)
        })?;
        if !is_zero {
            let range = ByteRange { start: at, end: start };
            let problem = "padding is damaged: it is not of zeros".to_owned();
            return Ok(Some(Damage { problem, tensor: None, file: part.path.clone(), ranges: vec![range] }));
        }
        at = end;
    }
    Ok(None)
}
