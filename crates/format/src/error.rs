//! What can go wrong with a file, sorted by who can act on it.

use std::io;
use std::path::{Path, PathBuf};

/// An error in reading or writing a GGUF file: where, what, and what was allowed.
///
/// The text is complete: it holds the system's words too, so an error has no further source to print.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to open or to read a file: act on the path, the disk or the permissions.
    #[error("cannot {action}: {error}")]
    Io {
        /// What was being done, as in "cannot open".
        action: &'static str,
        /// The system's own words.
        error: io::Error,
    },
    /// The operating system refused to make or to write a file: act on the disk, the folder or the permissions.
    #[error("cannot {action}: {error}")]
    Output {
        /// What was being done, as in "cannot write".
        action: &'static str,
        /// The system's own words.
        error: io::Error,
    },
    /// The bytes break a rule of the container: act on whatever wrote the file.
    #[error("byte {at}: {problem}")]
    Malformed {
        /// Where in the file, in bytes from its beginning.
        at: u64,
        /// The thing's name, what is wrong with it, and what was allowed.
        problem: String,
    },
    /// The bytes are sound, but this version of briq cannot do what was asked.
    #[error("{0}")]
    Unsupported(String),
    /// The file asks for more than [`Limits`](crate::Limits) allow: raise the limit if the file is trusted.
    #[error("byte {at}: {what} is {found}, over the limit of {limit}")]
    LimitExceeded {
        /// Where in the file, in bytes from its beginning.
        at: u64,
        /// What is too large.
        what: &'static str,
        /// How large it is.
        found: u64,
        /// How large it may be.
        limit: u64,
    },
    /// The shards of a model do not fit together: act on the set of files.
    #[error("{0}")]
    Shards(String),
    /// The caller asked for something that cannot be done.
    #[error("{0}")]
    Invalid(String),
    /// One of the above, in a file with a name.
    #[error("{}: {error}", path.display())]
    InFile {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        error: Box<Error>,
    },
}

impl Error {
    pub(crate) fn malformed(at: u64, problem: impl Into<String>) -> Self {
        Self::Malformed { at, problem: problem.into() }
    }

    pub(crate) fn invalid(problem: impl Into<String>) -> Self {
        Self::Invalid(problem.into())
    }

    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { action, error }
    }

    pub(crate) fn output(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Output { action, error }
    }

    /// The same error with the file's name in front.
    pub fn in_file(self, path: impl AsRef<Path>) -> Self {
        match self {
            named @ Self::InFile { .. } => named,
            error => Self::InFile { path: path.as_ref().to_owned(), error: Box::new(error) },
        }
    }

    /// The error without the file's name: what happened, for programs that decide by it.
    pub fn root(&self) -> &Self {
        match self {
            Self::InFile { error, .. } => error.root(),
            other => other,
        }
    }
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
