//! Tensors read by position and hashed in pieces, on all threads, however large they are.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use blake3::Hash;
use blake3::hazmat::ChainingValue;
use briq_format::shard::Part;
use briq_format::{Endian, TensorInfo};
use rayon::prelude::*;

use super::tree::{PIECE_BYTES, Run, TensorHash, Tree, chaining_value, subtree};
use crate::pieces::Pieces;
use crate::run::Progress;
use crate::source::read_exact_at;
use crate::{Error, Result};

/// Bytes that are read at a time: what fits the cache next to a core, and a power of two, so that it is a subtree.
const BUFFER_BYTES: usize = 256 << 10;

/// Bytes of a file that belong together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) path: &'a Path,
    pub(crate) file: &'a File,
    /// Where they begin in the file.
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

/// The tensors of a model, all shards as one.
#[derive(Debug)]
pub(crate) struct Tensors<'a> {
    pub(crate) infos: Vec<TensorInfo<'a>>,
    /// Where each of them lies.
    pub(crate) places: Vec<Place<'a>>,
}

impl<'a> Tensors<'a> {
    pub(crate) fn of(parts: &'a [Part]) -> Self {
        let all = parts.iter().flat_map(|part| part.head.view().tensor_infos().map(move |info| (part, info)));
        let place = |(part, info): (&'a Part, TensorInfo<'a>)| {
            let Part { path, file, .. } = part;
            (info, Place { path, file, offset: info.offset_in_file, bytes: info.bytes })
        };
        let (infos, places) = all.map(place).unzip();
        Self { infos, places }
    }

    /// Whether a file of the model is big-endian, and which.
    pub(super) fn big_endian(&self) -> Option<&'a Path> {
        let mut tensors = self.infos.iter().zip(&self.places);
        tensors.find(|(info, _)| info.endian == Endian::Big).map(|(_, place)| place.path)
    }
}

/// What is known of a piece of a tensor.
enum Piece {
    /// The hash of a tensor of one piece.
    Whole(Hash),
    /// The chaining values of the subtrees of one of several.
    One(Vec<ChainingValue>),
}

/// Hashes the bytes at each place.
///
/// # Errors
/// When a file cannot be read or has become shorter, or `stop` was set.
pub(crate) fn hash_places(
    places: &[Place<'_>],
    progress: &(dyn Progress + Sync),
    stop: &AtomicBool,
) -> Result<Vec<TensorHash>> {
    let mut pieces = Pieces::default();
    places.iter().for_each(|place| pieces.add(place.bytes, PIECE_BYTES));
    let hashed: Vec<Piece> = (0..pieces.count())
        .into_par_iter()
        .map_init(Vec::new, |buffer, number| {
            let (index, range) = pieces.get(number);
            let place = &places[index];
            let is_whole = range.start == 0 && range.end == place.bytes;
            let (mut tree, mut subtrees) = (Tree::default(), Vec::new());
            let mut at = range.start;
            place.read(range.start, range.end, buffer, stop, |bytes| {
                match is_whole {
                    true => tree.add(&Run::of(at, bytes, place.bytes), bytes),
                    // What is read at a time is a subtree, or the end of the tree.
                    false => subtrees.push(chaining_value(at, bytes)),
                }
                at += bytes.len() as u64;
                progress.advance(bytes.len() as u64);
            })?;
            Ok(match is_whole {
                true => Piece::Whole(tree.finish().data),
                false => Piece::One(subtrees),
            })
        })
        .collect::<Result<_>>()?;
    let mut hashed = hashed.into_iter();
    Ok(places.iter().map(|place| joined(hashed.by_ref().take(piece_count(place.bytes)))).collect())
}

/// Pieces of a tensor of so many bytes.
fn piece_count(bytes: u64) -> usize {
    usize::try_from(bytes.div_ceil(PIECE_BYTES)).unwrap_or(usize::MAX)
}

fn joined(pieces: impl Iterator<Item = Piece>) -> TensorHash {
    // Of an empty tensor, which has no pieces, unless it turns out to be another.
    let (mut data, mut values) = (blake3::hash(&[]), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Whole(hash) => data = hash,
            Piece::One(subtrees) => values.extend(subtree(&subtrees)),
        }
    }
    TensorHash::join(values).unwrap_or(TensorHash { data, pieces: Vec::new() })
}

impl Place<'_> {
    /// Hands the bytes from `start` to `end`, counted from the place's beginning, on in order.
    pub(super) fn read(
        &self,
        start: u64,
        end: u64,
        buffer: &mut Vec<u8>,
        stop: &AtomicBool,
        mut each: impl FnMut(&[u8]),
    ) -> Result<()> {
        let mut at = start;
        while at < end {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            // No more than a buffer.
            buffer.resize((end - at).min(BUFFER_BYTES as u64) as usize, 0);
            self.fill(at, buffer)?;
            each(buffer);
            at += buffer.len() as u64;
        }
        Ok(())
    }

    /// Fills the buffer with the bytes from `start`, counted from the place's beginning.
    pub(crate) fn fill(&self, start: u64, buffer: &mut [u8]) -> Result<()> {
        read_exact_at(self.file, buffer, self.offset + start).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::bad(self.path, "it is cut short: the file changed while it was read")
            }
            _ => Error::io(self.path, "read", error),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::integrity::tree::tests::bytes;

    #[test]
    fn tensors_of_any_size_have_the_hashes_that_they_have_while_they_are_written() {
        const PIECE: usize = PIECE_BYTES as usize;
        const GROUP: usize = 16 << 10;
        let small = [0, 1, 1024, BUFFER_BYTES - 1, BUFFER_BYTES, BUFFER_BYTES + 1, 3 * BUFFER_BYTES];
        let groups = [1, 2, 3].map(|groups| BUFFER_BYTES + groups * GROUP);
        let large = [PIECE - 1, PIECE, PIECE + 1, PIECE + GROUP, PIECE + BUFFER_BYTES, 2 * PIECE];
        let lens = small.into_iter().chain(groups).chain(large).chain([2 * PIECE + 3000]);
        let mut file = tempfile::tempfile().unwrap();
        let all = bytes(3 * PIECE);
        file.write_all(&all).unwrap();
        let place = |len| Place { path: Path::new("model"), file: &file, offset: 7, bytes: len as u64 };
        let places: Vec<_> = lens.map(place).collect();
        let hashes = hash_places(&places, &(), &AtomicBool::new(false)).unwrap();
        for (place, hash) in places.iter().zip(hashes) {
            let bytes = &all[7..][..place.bytes as usize];
            let mut tree = Tree::default();
            tree.add(&Run::of(0, bytes, place.bytes), bytes);
            assert_eq!((hash.data, hash), (blake3::hash(bytes), tree.finish()), "{} bytes", place.bytes);
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_named() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes(BUFFER_BYTES + 9)).unwrap();
        let place = Place { path: Path::new("model"), file: &file, offset: 10, bytes: BUFFER_BYTES as u64 };
        let error = hash_places(&[place], &(), &AtomicBool::new(false)).unwrap_err();
        assert_eq!(error.to_string(), "model: it is cut short: the file changed while it was read");
    }
}
