//! The mapping of a file into memory; the one unsafe operation of this crate.
//!
//! Only tensor data is read through a mapping. Names, lengths and offsets are read once into private memory,
//! so another process that changes the file can change weights, but no bound that was proved.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::{Mmap, MmapOptions};

/// A file mapped for reading.
#[derive(Debug)]
pub(crate) struct Mapping(Option<Mmap>);

impl Mapping {
    /// Maps the first `bytes` bytes of `file`.
    ///
    /// Reading a page that a later truncation took away raises SIGBUS: who maps files of others must know
    /// that they stay. [`Gguf::open`](crate::Gguf::open) says so to its callers.
    pub(crate) fn new(file: &File, bytes: u64) -> io::Result<Self> {
        let len = usize::try_from(bytes).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        if len == 0 {
            return Ok(Self(None));
        }
        // SAFETY: the mapping is private to this process and never written. A change of the file by others
        // changes only bytes that are plain data to every reader (all bit patterns of a block are valid).
        let map = unsafe { MmapOptions::new().len(len).map(file)? };
        Ok(Self(Some(map)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
