//! What can go wrong in a conversion, sorted by who can act on it.

use std::io;
use std::path::{Path, PathBuf};

/// An error of a conversion: where it is, what it is, and what was allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of the source says something that cannot be true, or lacks what it must have.
    #[error("{}: {problem}", path.display())]
    Bad {
        /// The file or directory at fault.
        path: PathBuf,
        /// What is wrong, where in the file, and what was allowed.
        problem: String,
    },
    /// The input is sound, but briq has no way to convert it.
    #[error("{0}")]
    Unsupported(String),
    /// The options contradict each other or the input.
    #[error("{0}")]
    Usage(String),
    /// The operating system refused.
    #[error("{}: cannot {action}: {error}", path.display())]
    Io {
        /// The file or directory it was about.
        path: PathBuf,
        /// What was being done, as in "cannot read".
        action: &'static str,
        /// The system's own words.
        error: io::Error,
    },
    /// The user asked to stop. A file that was being written is not there.
    #[error("interrupted")]
    Interrupted,
    /// A GGUF file could not be read or written.
    #[error(transparent)]
    Format(#[from] briq_format::Error),
}

impl Error {
    /// Bad input in the file at `path`.
    pub fn bad(path: impl AsRef<Path>, problem: impl Into<String>) -> Self {
        Self::Bad { path: path.as_ref().to_owned(), problem: problem.into() }
    }

    /// Sound input that briq cannot convert.
    pub fn unsupported(problem: impl Into<String>) -> Self {
        Self::Unsupported(problem.into())
    }

    /// Options that cannot be carried out.
    pub fn usage(problem: impl Into<String>) -> Self {
        Self::Usage(problem.into())
    }

    /// The system failed at `action` on `path`.
    pub fn io(path: impl AsRef<Path>, action: &'static str, error: io::Error) -> Self {
        Self::Io { path: path.as_ref().to_owned(), action, error }
    }
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
