//! Where weights come from: files of tensors, read with positioned reads.
//!
//! A source is opened by its headers alone. Its files are read, never mapped, so that a file that shrinks
//! while it is converted is an error and not a signal.

mod directory;
mod element;
mod gguf;
mod safetensors;
mod scaled;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use briq_format::{Endian, MetadataBuf, Shape};

pub(crate) use directory::is_plain;
pub use element::Element;

use crate::{Error, Result};
use scaled::Scaled;

/// Tensors on disk, and what their container says of them.
#[derive(Debug)]
pub struct Source {
    /// What kind of source it is.
    pub kind: SourceKind,
    /// What the user named.
    pub path: PathBuf,
    /// The tensors, in the order in which a float conversion writes them.
    pub tensors: Vec<SourceTensor>,
    files: Vec<SourceFile>,
}

/// The kinds of sources.
#[derive(Debug)]
pub enum SourceKind {
    /// A Hugging Face model directory: `config.json`, tokenizer files, one or many safetensors.
    Directory,
    /// A single safetensors file; its tensors keep their names.
    Safetensors,
    /// A GGUF file, or all its shards, with its metadata.
    Gguf(MetadataBuf),
}

/// A tensor of a source.
#[derive(Clone, Debug)]
pub struct SourceTensor {
    /// The name in the source.
    pub name: String,
    /// The dimensions, row length first.
    pub shape: Shape,
    /// What its elements are stored as.
    pub element: Element,
    /// Bytes of the tensor.
    pub bytes: u64,
    file: usize,
    /// Where it begins in its file.
    offset: u64,
    endian: Endian,
    /// The bytes behind its elements, where those are only computed from them.
    scaled: Option<Arc<Scaled>>,
}

impl SourceTensor {
    /// The byte order of its numbers.
    pub fn endian(&self) -> Endian {
        self.endian
    }
}

#[derive(Debug)]
struct SourceFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    modified: Option<SystemTime>,
}

impl SourceFile {
    fn new(path: PathBuf, file: File) -> Result<Self> {
        let about = file.metadata().map_err(|error| Error::io(&path, "read the size", error))?;
        Ok(Self { path, file, bytes: about.len(), modified: about.modified().ok() })
    }

    fn open(path: PathBuf) -> Result<Self> {
        let file = briq_format::open_regular(&path)?;
        Self::new(path, file)
    }
}

/// Bytes that are compared at a time.
const CHUNK: usize = 1 << 16;

impl Source {
    /// Opens what is at `path`: a model directory, a `.safetensors` file, or a `.gguf` file.
    ///
    /// # Errors
    /// When it is missing, of none of these kinds, or its headers are bad.
    pub fn open(path: &Path) -> Result<Self> {
        let about = std::fs::metadata(path).map_err(|error| Error::io(path, "open", error))?;
        if about.is_dir() {
            return directory::open(path);
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("gguf") => gguf::open(path),
            Some("safetensors") => safetensors::open(path).map(scaled::plain),
            _ => Err(Error::bad(
                path,
                "a source is a model directory, a .safetensors file or a .gguf file; its name must say which",
            )),
        }
    }

    /// Reads bytes of `tensor` from its byte `at` on, as many as `buffer` takes.
    ///
    /// # Errors
    /// When reading fails, the tensor has fewer bytes, or the file has become shorter.
    pub fn read(&self, tensor: &SourceTensor, at: u64, buffer: &mut [u8]) -> Result<()> {
        if let Some(scaled) = &tensor.scaled {
            return self.read_scaled(scaled, at, buffer);
        }
        let file = &self.files[tensor.file];
        if at.checked_add(buffer.len() as u64).is_none_or(|end| end > tensor.bytes) {
            let problem =
                format!("tensor \"{}\" has {} bytes, and more were asked for", tensor.name, tensor.bytes);
            return Err(Error::bad(&file.path, problem));
        }
        read_exact_at(&file.file, buffer, tensor.offset + at).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::bad(
                &file.path,
                format!("tensor \"{}\" is cut short: the file changed while it was read", tensor.name),
            ),
            _ => Error::io(&file.path, "read", error),
        })
    }

    /// Whether every byte of a tensor is as `holds` says.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn all_bytes(&self, tensor: &SourceTensor, holds: impl Fn(u8) -> bool) -> Result<bool> {
        self.all_runs([tensor], |[run]| run.iter().all(|&byte| holds(byte)))
    }

    /// Whether two tensors have the same shape, type and bytes.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn are_equal(&self, one: &SourceTensor, other: &SourceTensor) -> Result<bool> {
        if (one.shape, one.element, one.bytes) != (other.shape, other.element, other.bytes) {
            return Ok(false);
        }
        self.all_runs([one, other], |[one, other]| one == other)
    }

    /// Whether `holds` is true of every run of bytes at the same place of these tensors, which are of one length.
    fn all_runs<const N: usize>(
        &self,
        tensors: [&SourceTensor; N],
        holds: impl Fn([&[u8]; N]) -> bool,
    ) -> Result<bool> {
        let bytes = tensors.iter().map(|tensor| tensor.bytes).min().unwrap_or(0);
        let mut buffers = tensors.map(|_| vec![0; CHUNK]);
        let mut at = 0;
        while at < bytes {
            // No more than a chunk.
            let now = (bytes - at).min(CHUNK as u64) as usize;
            for (tensor, buffer) in tensors.iter().zip(&mut buffers) {
                self.read(tensor, at, &mut buffer[..now])?;
            }
            if !holds(buffers.each_ref().map(|buffer| &buffer[..now])) {
                return Ok(false);
            }
            at += now as u64;
        }
        Ok(true)
    }

    /// Fails when a file is no longer what it was when the source was opened.
    ///
    /// # Errors
    /// When the size or the time of the last change differs.
    pub fn check_unchanged(&self) -> Result<()> {
        for file in &self.files {
            let now = file.file.metadata().map_err(|error| Error::io(&file.path, "read the size", error))?;
            if now.len() != file.bytes || now.modified().ok() != file.modified {
                return Err(Error::bad(&file.path, "the file changed while it was converted"));
            }
        }
        Ok(())
    }

    /// The weights in a model directory that are not read, because an index beside them names other files.
    pub(crate) fn passed_over(&self) -> Option<PathBuf> {
        let whole = self.path.join(directory::WHOLE);
        let is_read = || self.files.iter().any(|file| file.path == whole);
        (matches!(self.kind, SourceKind::Directory) && whole.exists() && !is_read()).then_some(whole)
    }

    /// All files that belong to the source: those with tensors, and everything else in a model directory and its
    /// folders but GGUF files, which are earlier results.
    pub fn files_beside(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = self.files.iter().map(|file| file.path.clone()).collect();
        if matches!(self.kind, SourceKind::Directory) {
            let is_result = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "gguf");
            let in_folder = |path: &Path| -> Vec<PathBuf> {
                let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
                entries.map(|entry| entry.path()).filter(|path| !is_result(path)).collect()
            };
            let here = in_folder(&self.path);
            // Templates and the settings of a pooling layer lie one folder further down.
            paths.extend(here.iter().filter(|path| path.is_dir()).flat_map(|path| in_folder(path)));
            paths.extend(here);
        }
        paths
    }

    /// How many files hold its tensors.
    pub fn file_count(&self) -> usize {
        self.files.len()
    }

    /// Bytes of all tensors.
    pub fn bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.bytes).sum()
    }

    /// The path of the file that holds `tensor`, for messages.
    pub fn path_of(&self, tensor: &SourceTensor) -> &Path {
        &self.files[tensor.file].path
    }
}

#[cfg(unix)]
pub(crate) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
pub(crate) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}
