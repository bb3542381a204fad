//! Hashes in the forms that people already use: that of `sha256sum`, and that of llama.cpp's hash tool.

use std::fmt;
use std::hash::Hasher;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use briq_format::{Head, Limits, TensorInfo, open_regular};
use rayon::prelude::*;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use twox_hash::XxHash64;

use super::data::Place;
use super::line;
use crate::run::Progress;
use crate::{Error, Result};

/// A hash that people use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// XXH64 with the seed 0.
    Xxh64,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// BLAKE3.
    Blake3,
    /// A UUID of version 5, in llama.cpp's namespace; of whole models.
    Uuid,
}

impl Algorithm {
    /// All of them, in the order in which they are printed.
    pub const ALL: [Self; 5] = [Self::Xxh64, Self::Sha1, Self::Sha256, Self::Blake3, Self::Uuid];

    /// The name, as in `xxh64`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xxh64 => "xxh64",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Blake3 => "blake3",
            Self::Uuid => "uuid",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Whether it is made of single tensors as well.
    fn is_of_tensors(self) -> bool {
        self != Self::Uuid
    }
}

/// A hash of a tensor's bytes, or of those of all tensors together, without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorDigest {
    /// What it was made with.
    pub algorithm: Algorithm,
    /// The hash, as it is printed.
    pub digest: String,
    /// The tensor; `None` for all of them in their order.
    pub tensor: Option<String>,
}

impl TensorDigest {
    /// The line that llama.cpp's hash tool prints of it for a file called `file`, with its end. That tool knows no way
    /// to write a name that breaks the line; here such a line is marked as [`sum_line`] does it.
    pub fn line(&self, file: &[u8]) -> Vec<u8> {
        let Self { algorithm, digest, tensor } = self;
        let tensor = tensor.as_ref().map(|name| format!(":{name}")).unwrap_or_default();
        line::write(
            &format!("{:8}  {digest}", algorithm.name()),
            &[file, tensor.as_bytes()].concat(),
            b"\n\r",
        )
    }
}

/// The line that `sha256sum` prints for a file called `file`, with its end. Where the name holds a backslash or ends a
/// line, a backslash in front marks the line, and the name has `\\`, `\n` and `\r` instead. Source: coreutils.
pub fn sum_line(sha256: &str, file: &[u8]) -> Vec<u8> {
    line::write(sha256, file, b"\\\n\r")
}

/// Hashes the tensors of the file at `path`: all algorithms of the first tensor, of the second, and so on, then of
/// all together. Without `with_tensors` only the latter. A shard is hashed by itself.
///
/// # Errors
/// When the file is bad or cannot be read, or `stop` was set.
pub fn tensor_digests(
    path: &Path,
    algorithms: &[Algorithm],
    with_tensors: bool,
    progress: &(dyn Progress + Sync),
    stop: &AtomicBool,
) -> Result<Vec<TensorDigest>> {
    let mut file = open_regular(path)?;
    let head = Head::read(&mut file, &Limits::default()).map_err(|error| error.in_file(path))?;
    let infos: Vec<TensorInfo<'_>> = head.view().tensor_infos().collect();
    let place =
        |info: &TensorInfo<'_>| Place { path, file: &file, offset: info.offset_in_file, bytes: info.bytes };
    let places: Vec<Place<'_>> = infos.iter().map(place).collect();
    let whole = algorithms.iter().map(|&algorithm| (algorithm, None));
    let tensors = (0..infos.len()).filter(|_| with_tensors).flat_map(|index| {
        let of_tensors = algorithms.iter().filter(|algorithm| algorithm.is_of_tensors());
        of_tensors.map(move |&algorithm| (algorithm, Some(index)))
    });
    // A hash of everything takes longest, so those begin first.
    let tasks: Vec<(Algorithm, Option<usize>)> = whole.chain(tensors).collect();
    let mut digests = tasks
        .par_iter()
        .map(|&(algorithm, index)| {
            let places = index.map_or(&places[..], |index| &places[index..=index]);
            let digest = digest(algorithm, places, progress, stop)?;
            let tensor = index.map(|index| infos[index].name.to_owned());
            Ok(TensorDigest { algorithm, digest, tensor })
        })
        .collect::<Result<Vec<_>>>()?;
    digests.rotate_left(algorithms.len());
    Ok(digests)
}

/// The SHA-256 of the file at `path`, whatever it holds.
///
/// # Errors
/// When it cannot be read, or `stop` was set.
pub fn file_sha256(path: &Path, progress: &(dyn Progress + Sync), stop: &AtomicBool) -> Result<String> {
    let file = open_regular(path)?;
    let bytes = file.metadata().map_err(|error| Error::io(path, "read the size", error))?.len();
    digest(Algorithm::Sha256, &[Place { path, file: &file, offset: 0, bytes }], progress, stop)
}

fn digest(
    algorithm: Algorithm,
    places: &[Place<'_>],
    progress: &(dyn Progress + Sync),
    stop: &AtomicBool,
) -> Result<String> {
    let mut state = State::new(algorithm);
    let mut buffer = Vec::new();
    for place in places {
        place.read(0, place.bytes, &mut buffer, stop, |bytes| {
            state.update(bytes);
            progress.advance(bytes.len() as u64);
        })?;
    }
    Ok(state.finish())
}

/// `uuid5(NAMESPACE_URL, "en.wikipedia.org/wiki/Llama.cpp")`. Source: llama.cpp's hash tool.
const LLAMA_CPP: uuid::Uuid = uuid::Uuid::from_u128(0xef00_1206_dadc_5f6d_a15f_3359_e577_d4e5);

/// A hash in the making.
enum State {
    Xxh64(XxHash64),
    Sha1(Sha1),
    Sha256(Sha256),
    Blake3(Box<blake3::Hasher>),
    Uuid(Sha1),
}

impl State {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Xxh64 => Self::Xxh64(XxHash64::with_seed(0)),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
            Algorithm::Uuid => Self::Uuid(Sha1::new_with_prefix(LLAMA_CPP.as_bytes())),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Xxh64(state) => state.write(bytes),
            Self::Sha1(state) | Self::Uuid(state) => state.update(bytes),
            Self::Sha256(state) => state.update(bytes),
            Self::Blake3(state) => {
                state.update(bytes);
            }
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Xxh64(state) => format!("{:016x}", state.finish()),
            Self::Sha1(state) => format!("{:x}", state.finalize()),
            Self::Sha256(state) => format!("{:x}", state.finalize()),
            Self::Blake3(state) => state.finalize().to_string(),
            Self::Uuid(state) => {
                let hash: [u8; 20] = state.finalize().into();
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&hash[..16]);
                uuid::Builder::from_sha1_bytes(bytes).into_uuid().to_string()
            }
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
