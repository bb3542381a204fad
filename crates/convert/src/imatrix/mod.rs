//! Importance matrices: how much each column of a tensor matters, measured by running the model on text.
//!
//! An [`Imatrix`] holds, for each tensor by name, the sum of squares of what was multiplied with every column,
//! and how often. Their quotient is the column's importance, by which encoders weigh the error of a weight.
//! A tensor of experts has a count per expert, since each sees only what is routed to it. Spec: imatrix.md.
//!
//! [`Imatrix::open`] proves a file as a whole: structure, lengths, every number. The values stay on disk and
//! are read a tensor at a time, so memory does not depend on the model. Left out: measuring one, which takes
//! a running model.

mod coverage;
mod gguf;
mod legacy;
mod limits;
mod write;

use std::fmt;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use briq_format::{Endian, Escaped, open_regular};

pub(crate) use coverage::{cover, matrices};
pub use write::{MergeOptions, Merged, merge};

use crate::source::read_exact_at;
use crate::{Error, Result};

/// How an importance matrix is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A GGUF file of the type `imatrix`.
    Gguf,
    /// The older format, a bare list of entries, usually called `.dat`.
    Legacy,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gguf => "GGUF",
            Self::Legacy => "legacy",
        })
    }
}

/// An importance matrix on disk, every number of it checked.
#[derive(Debug)]
pub struct Imatrix {
    path: PathBuf,
    file: File,
    contents: Contents,
}

/// What the file says, without the sums.
#[derive(Debug)]
struct Contents {
    format: Format,
    endian: Endian,
    datasets: Vec<String>,
    chunk_count: Option<u32>,
    chunk_size: Option<u32>,
    /// By name.
    entries: Vec<Entry>,
}

/// The importance of one tensor's columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    name: String,
    values: u64,
    counts: Vec<f32>,
    /// Where the sums begin in the file.
    offset: u64,
}

impl Entry {
    /// The name of the tensor in the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Columns of all matrices together.
    pub fn values(&self) -> u64 {
        self.values
    }

    /// Columns of one matrix.
    pub fn columns(&self) -> u64 {
        self.values / (self.counts.len() as u64).max(1)
    }

    /// The count of the matrix that a value belongs to. The values are as many columns for each of the counts: in a
    /// GGUF file a row of sums has a count, in a legacy file there is one.
    fn count_of(&self, value: u64) -> f32 {
        self.counts[(value / self.columns()) as usize]
    }

    /// For each matrix, of which a tensor of experts has many, how often it was multiplied with: per token in
    /// the GGUF format, per chunk of tokens in the legacy one. 0 means that nothing is known of it.
    pub fn counts(&self) -> &[f32] {
        &self.counts
    }
}

impl Imatrix {
    /// Opens the importance matrix at `path`, GGUF or legacy, and checks all of it.
    ///
    /// # Errors
    /// When the file cannot be read, breaks a rule of its format, names a tensor twice, holds none, or holds a
    /// number that no measurement gives: sums are finite and at least 0, counts are 0 or from 1 to 2^63, and a matrix
    /// with a count has a column whose importance is above 0.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = open_regular(path)?;
        let length = file.metadata().map_err(|error| Error::io(path, "read the size", error))?.len();
        let mut magic = [0; 4];
        let is_gguf = length >= 4 && {
            read_at(path, &file, &mut magic, 0)?;
            magic == briq_format::wire::MAGIC
        };
        let contents = match is_gguf {
            true => gguf::read(path, &mut file)?,
            false => legacy::read(path, &file, length)?,
        };
        let imatrix = Self { path: path.to_owned(), file, contents };
        imatrix.check()?;
        Ok(imatrix)
    }

    /// Where the file is, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the file is stored.
    pub fn format(&self) -> Format {
        self.contents.format
    }

    /// The texts it was measured on, as far as the file says.
    pub fn datasets(&self) -> &[String] {
        &self.contents.datasets
    }

    /// Chunks of text it was measured on, as far as the file says.
    pub fn chunk_count(&self) -> Option<u32> {
        self.contents.chunk_count
    }

    /// Tokens of a chunk; the legacy format does not say.
    pub fn chunk_size(&self) -> Option<u32> {
        self.contents.chunk_size
    }

    /// The entries in the order of their names.
    pub fn entries(&self) -> &[Entry] {
        &self.contents.entries
    }

    /// The place in [`entries`](Self::entries) of the tensor called `name`.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.entries().binary_search_by(|entry| entry.name.as_str().cmp(name)).ok()
    }

    /// The importance of the columns in `range`, which counts through matrix after matrix: sums by counts. A
    /// matrix that nothing is known of has ones.
    ///
    /// # Errors
    /// When `range` is not inside the entry, reading fails, or the file has become shorter.
    pub fn importance(&self, entry: &Entry, range: Range<u64>) -> Result<Vec<f32>> {
        if range.start > range.end || range.end > entry.values {
            return Err(Error::usage(format!("columns {range:?} of an entry with {} values", entry.values)));
        }
        let mut values = self.sums(entry, range.clone())?;
        for (value, index) in values.iter_mut().zip(range) {
            match entry.count_of(index) {
                0.0 => *value = 1.0,
                count => *value /= count,
            }
        }
        Ok(values)
    }

    /// The sums in `range` as stored.
    fn sums(&self, entry: &Entry, range: Range<u64>) -> Result<Vec<f32>> {
        let offset = entry.offset + 4 * range.start;
        floats_at(&self.path, &self.file, self.contents.endian, offset, range.end - range.start)
    }

    /// Looks at every number.
    fn check(&self) -> Result<()> {
        for entry in self.entries() {
            if let Some(index) = entry.counts.iter().position(|&count| !is_count(count)) {
                let count = entry.counts[index];
                let allowed = "allowed are 0 and numbers from 1 to 2^63";
                return self.bad(entry, format!("count {index} is {count:?}; {allowed}"));
            }
            self.check_sums(entry, entry.counts.len() as u64)?;
        }
        Ok(())
    }

    /// Looks at every sum of an entry, whose columns belong to so many matrices, a megabyte at a time.
    fn check_sums(&self, entry: &Entry, matrices: u64) -> Result<()> {
        const PIECE: u64 = 1 << 18;
        let columns = (entry.values / matrices.max(1)).max(1);
        // Of the matrix so far: whether there is a column that is worth anything.
        let mut has_weight = false;
        for start in (0..entry.values).step_by(PIECE as usize) {
            let sums = self.sums(entry, start..entry.values.min(start + PIECE))?;
            for (index, sum) in (start..).zip(sums) {
                if !(sum.is_finite() && sum >= 0.0) {
                    let allowed = "allowed are finite numbers of at least 0";
                    return self.bad(entry, format!("sum {index} is {sum:?}; {allowed}"));
                }
                // As encoders see it: a quotient may be 0 although its sum is not. Without a count it is 1.
                let count = entry.count_of(index);
                has_weight |= count == 0.0 || sum / count > 0.0;
                if (index + 1) % columns != 0 {
                    continue;
                }
                if !has_weight {
                    let matrix = index / columns;
                    let columns = match columns {
                        1 => "its only column".to_owned(),
                        several => format!("each of its {several} columns"),
                    };
                    return self.bad(
                        entry,
                        format!(
                            "matrix {matrix} of {matrices} counts {count:?}, but the importance of {columns} is 0, \
                             which would encode its weights as nothing; at least one above 0 is required, or a \
                             count of 0"
                        ),
                    );
                }
                has_weight = false;
            }
        }
        Ok(())
    }

    fn bad<T>(&self, entry: &Entry, problem: String) -> Result<T> {
        let name = Escaped(entry.name.as_bytes());
        Err(Error::bad(&self.path, format!("entry \"{name}\": {problem}")))
    }
}

/// Whether a count may come from counting. It keeps every quotient finite as well.
fn is_count(count: f32) -> bool {
    const MOST: f32 = (1_u64 << 63) as f32;
    count == 0.0 || (1.0..=MOST).contains(&count)
}

/// `length` floats from byte `offset` on.
fn floats_at(path: &Path, file: &File, endian: Endian, offset: u64, length: u64) -> Result<Vec<f32>> {
    // The length was held against the size of the file, and against `limits`.
    let mut bytes = vec![0; length as usize * 4];
    read_at(path, file, &mut bytes, offset)?;
    let (numbers, _) = bytes.as_chunks::<4>();
    Ok(numbers
        .iter()
        .map(|&number| match endian {
            Endian::Little => f32::from_le_bytes(number),
            Endian::Big => f32::from_be_bytes(number),
        })
        .collect())
}

fn read_at(path: &Path, file: &File, bytes: &mut [u8], offset: u64) -> Result<()> {
    read_exact_at(file, bytes, offset).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::bad(path, "the file became shorter while it was read"),
        _ => Error::io(path, "read", error),
    })
}

#[cfg(test)]
mod tests;
