//! The mapping of a file into memory.
//!
//! Only tensor data is read through a mapping. Names, lengths and offsets are read once into private memory,
//! so another process that changes the file can change weights, but no bound that was proved.
//!
//! No operating system promises that a mapped file stays as it is. That nobody writes or shortens it is a contract
//! with the caller, as it is for every program that maps files; [`Gguf::open`](crate::Gguf::open) states it.
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
        // SAFETY: nothing here writes to the mapping, and the caller answers for others. Where one writes all the
        // same, the bytes are plain data: no length or offset is read from them, and any bits are a valid block.
        let map = unsafe { MmapOptions::new().len(len).map(file)? };
        Ok(Self(Some(map)))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
