//! What `briq inspect` and `briq verify` say of bytes for which a file holds no data. Spec: container.md, "Holes".

use std::fmt;

use briq_format::shard::Part;
use briq_format::{Escaped, Hole, holes};
use serde::Serialize;

/// Bytes of a file that no disk holds, and the tensors that they belong to.
#[derive(Serialize)]
pub(super) struct Unwritten<'a> {
    pub(super) file: String,
    /// The first byte, and the one behind the last.
    start: u64,
    end: u64,
    /// Whether there is nothing behind them: the file was never finished.
    pub(super) reaches_end: bool,
    tensors: Vec<&'a str>,
}

/// Those of all files of a model, in order.
pub(super) fn unwritten<'a>(parts: impl Iterator<Item = &'a Part>) -> Vec<Unwritten<'a>> {
    let of_part = |part: &'a Part| {
        let file = part.path.to_string_lossy();
        let of_hole = move |Hole { bytes, reaches_end, tensors }| Unwritten {
            file: file.to_string(),
            start: bytes.start,
            end: bytes.end,
            reaches_end,
            tensors,
        };
        holes(&part.file, part.head.view()).into_iter().map(of_hole)
    };
    parts.flat_map(of_part).collect()
}

impl fmt::Display for Unwritten<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, start, end, reaches_end, tensors } = self;
        write!(f, "{} holds no data ", Escaped(file.as_bytes()))?;
        match reaches_end {
            true => write!(f, "from byte {start} to its end")?,
            false => write!(f, "in bytes {start} to {}", end - 1)?,
        }
        let first = tensors.first().copied().unwrap_or_default();
        write!(f, ": tensor \"{}\"", Escaped(first.as_bytes()))?;
        match tensors.len() {
            0 | 1 => Ok(()),
            several => write!(f, " and {} more", several - 1),
        }
    }
}
