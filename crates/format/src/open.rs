//! A model on disk, mapped.

use std::path::Path;

use crate::error::{Error, Result};
use crate::header::Header;
use crate::map::Mapping;
use crate::metadata::Metadata;
use crate::read::{Limits, View};
use crate::shard::{self, Part, open_parts};
use crate::tensor::Tensor;

/// An open model: one file, or all its shards as one.
///
/// Header, metadata and tensor table are read once into private memory and proved; only tensor data is
/// mapped, and no weight is copied.
///
/// ```no_run
/// use briq_format::{Gguf, block};
///
/// let model = Gguf::open("model.gguf")?;
/// println!("{:?}", model.metadata().architecture());
/// if let Some(tensor) = model.tensor("blk.0.attn_q.weight") {
///     let blocks: &[block::Q4_K] = tensor.blocks()?;
///     println!("{} blocks, the first scale is {}", blocks.len(), blocks[0].scale.to_f32());
/// }
/// # Ok::<(), briq_format::Error>(())
/// ```
#[derive(Debug)]
pub struct Gguf {
    parts: Vec<(Part, Mapping)>,
}

impl Gguf {
    /// Opens the file at `path`; any shard of a model opens the whole model.
    ///
    /// Nobody may write to the files or truncate them while they are open: borrowed weights would change, and touching
    /// a page that is gone raises SIGBUS, as with every mapping. A file that another program replaces by renaming
    /// stays as it was opened.
    ///
    /// # Errors
    /// When a file cannot be read, breaks a rule of the container, passes a limit, or a shard is missing.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, &Limits::default())
    }

    /// As [`open`](Self::open), with limits of the caller's.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, limits: &Limits) -> Result<Self> {
        let parts = open_parts(path.as_ref(), limits)?
            .into_iter()
            .map(|part| {
                let mapping = Mapping::new(&part.file, part.head.view().file_bytes())
                    .map_err(|error| Error::io("map")(error).in_file(&part.path))?;
                Ok((part, mapping))
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { parts })
    }

    /// The files of the model in order, each with its path.
    pub fn files(&self) -> impl ExactSizeIterator<Item = (&Path, View<'_>)> {
        self.parts.iter().map(|(part, mapping)| (part.path.as_path(), shard::view(part, mapping.bytes())))
    }

    /// The files of the model in order, as they were opened.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = &Part> {
        self.parts.iter().map(|(part, _)| part)
    }

    /// Version, byte order and counts of the first file.
    pub fn header(&self) -> Header {
        self.first().header()
    }

    /// Keys and values of the first file, which speaks for the model.
    pub fn metadata(&self) -> Metadata<'_> {
        self.first().metadata()
    }

    /// All tensors, in the order of the tables.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor<'_>> {
        self.files().flat_map(|(_, view)| view.tensors())
    }

    /// The tensor called `name`.
    pub fn tensor(&self, name: &str) -> Option<Tensor<'_>> {
        self.files().find_map(|(_, view)| view.tensor(name))
    }

    fn first(&self) -> View<'_> {
        // Opening always yields at least one part.
        let (part, mapping) = &self.parts[0];
        shard::view(part, mapping.bytes())
    }
}
