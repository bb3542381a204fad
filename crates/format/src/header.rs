//! The first 24 bytes: magic, version, counts.

use crate::error::{Error, Result};
use crate::read::{Cursor, Stop};
use crate::wire::{Endian, MAGIC, VERSION, Wire};

/// The fixed part at the front of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The version of the container: 1, 2 or 3.
    pub version: u32,
    /// The byte order of the whole file.
    pub endian: Endian,
    /// The number of tensors in this file.
    pub tensor_count: u64,
    /// The number of metadata keys in this file.
    pub key_count: u64,
}

/// The fewest bytes of a key with its value: length, one byte, value type, one byte.
fn min_key_bytes(wire: Wire) -> u64 {
    wire.length_bytes() as u64 + 6
}

/// The fewest bytes of an entry in the tensor table: length, one byte, rank, type, offset.
fn min_tensor_bytes(wire: Wire) -> u64 {
    wire.length_bytes() as u64 + 17
}

impl Header {
    pub(crate) fn read(cursor: &mut Cursor<'_>) -> Result<Self, Stop> {
        let magic = cursor.take(4, || "the magic \"GGUF\"".to_owned())?;
        let magic = cursor.bytes(magic);
        if magic != MAGIC {
            let problem = format!("not a GGUF file: it begins with {}", what_it_looks_like(magic));
            return Err(Error::malformed(0, problem).into());
        }
        let version = cursor.u32("the version")?;
        let (version, endian) = match (version, version.swap_bytes()) {
            (1..=VERSION, _) => (version, Endian::Little),
            (_, 1..=VERSION) => (version.swap_bytes(), Endian::Big),
            _ => {
                let problem = format!("version {version}, where 1, 2 and {VERSION} are allowed");
                return Err(Error::malformed(4, problem).into());
            }
        };
        cursor.wire = Wire { endian, narrow: version == 1 };
        let tensor_count = cursor.count("tensor", min_tensor_bytes(cursor.wire))?;
        let key_count = cursor.count("key", min_key_bytes(cursor.wire))?;
        Ok(Self { version, endian, tensor_count, key_count })
    }
}

/// Names the format behind four bytes that are not ours: a failed download, another container, an old one.
fn what_it_looks_like(magic: &[u8]) -> String {
    let known: &[(&[u8], &str)] = &[
        (b"FUGG", "\"FUGG\", the magic backwards, which no version of the format has"),
        (b"tjgg", "the magic of GGJT, a format before GGUF; convert the original checkpoint"),
        (b"ggjt", "the magic of GGJT, a format before GGUF; convert the original checkpoint"),
        (b"fmgg", "the magic of GGMF, a format before GGUF; convert the original checkpoint"),
        (b"lmgg", "the magic of GGML, a format before GGUF; convert the original checkpoint"),
        (b"vers", "\"vers\", as a git-lfs pointer does; run `git lfs pull`"),
        (b"PK\x03\x04", "the magic of a ZIP archive, as PyTorch checkpoints have"),
        (b"\x1f\x8b", "the magic of gzip; decompress it first"),
        (b"\x28\xb5\x2f\xfd", "the magic of zstd; decompress it first"),
        (b"<", "\"<\", as an HTML page does; the download failed"),
        (b"{", "\"{\", as JSON does"),
    ];
    known
        .iter()
        .find(|(start, _)| magic.starts_with(start))
        .map(|(_, words)| (*words).to_owned())
        .unwrap_or_else(|| format!("\"{}\"", crate::Escaped(magic)))
}
