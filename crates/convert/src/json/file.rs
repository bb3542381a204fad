//! Files of a model directory, read up to a cap on their size.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::{Json, parse};
use crate::{Error, Result};

/// The most bytes a configuration file may have.
pub const CONFIG_CAP: u64 = 16 << 20;
/// The most bytes a tokenizer file may have.
pub const TOKENIZER_CAP: u64 = 256 << 20;

/// Reads the JSON file at `path`, which may have at most `cap` bytes.
///
/// # Errors
///
/// When the file is missing, is no regular file, is longer than `cap`, or is not JSON as this module
/// takes it; the message has line and column.
pub fn read(path: &Path, cap: u64) -> Result<Json> {
    parse(path, &read_text(path, cap)?)
}

/// As [`read`], but a missing file is `None`.
///
/// # Errors
///
/// As [`read`], except for a missing file.
pub fn read_if_present(path: &Path, cap: u64) -> Result<Option<Json>> {
    if is_present(path) { read(path, cap).map(Some) } else { Ok(None) }
}

/// Whether there is anything at `path`, be it a link that leads nowhere: such a file is broken, not missing.
pub(crate) fn is_present(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Reads the text file at `path`, which may have at most `cap` bytes.
///
/// # Errors
///
/// When the file is missing, is no regular file, is longer than `cap`, or is not UTF-8.
pub fn read_text(path: &Path, cap: u64) -> Result<String> {
    String::from_utf8(read_bytes(path, cap)?)
        .map_err(|error| Error::bad(path, format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())))
}

/// How the text begins that stands for a large file in a repository whose large files were not fetched.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Reads the file at `path`, which may have at most `cap` bytes.
///
/// # Errors
///
/// When the file is missing, is no regular file, is longer than `cap`, or is a pointer of git-lfs.
pub fn read_bytes(path: &Path, cap: u64) -> Result<Vec<u8>> {
    // Asked before opening: to open a FIFO would wait for its other end.
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::bad(path, "the file does not exist"),
        _ => Error::io(path, "read", error),
    })?;
    if !metadata.is_file() {
        return Err(Error::bad(path, "not a regular file"));
    }
    let too_large = |found: u64| Error::bad(path, format!("{found} bytes, but at most {cap} are read"));
    if metadata.len() > cap {
        return Err(too_large(metadata.len()));
    }
    // At most the cap. Without it the first bytes are read by the dozen.
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    let file = fs::File::open(path).map_err(|error| Error::io(path, "open", error))?;
    // The file may have grown since it was asked for its size.
    file.take(cap + 1).read_to_end(&mut bytes).map_err(|error| Error::io(path, "read", error))?;
    if bytes.starts_with(LFS_POINTER) {
        return Err(Error::bad(path, "a git-lfs pointer in place of the file; run `git lfs pull`"));
    }
    if bytes.len() as u64 > cap { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path, cap: u64) -> String {
        read(path, cap).unwrap_err().to_string()
    }

    fn said(path: &Path, problem: &str) -> String {
        format!("{}: {problem}", path.display())
    }

    #[test]
    fn a_pointer_of_git_lfs_is_named_as_such() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n").unwrap();
        let problem = "a git-lfs pointer in place of the file; run `git lfs pull`";
        assert_eq!(refused(&path, 1000), said(&path, problem));
    }

    #[test]
    fn a_file_over_the_cap_a_directory_and_a_missing_file_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        assert_eq!(refused(&path, 10), said(&path, "the file does not exist"));
        assert_eq!(read_if_present(&path, 10).unwrap(), None);
        fs::write(&path, "[1, 2, 3, 4]").unwrap();
        assert_eq!(refused(&path, 10), said(&path, "12 bytes, but at most 10 are read"));
        assert!(read(&path, 12).is_ok());
        assert_eq!(refused(directory.path(), 10), said(directory.path(), "not a regular file"));
        fs::write(&path, [b'"', 0xff, b'"']).unwrap();
        assert_eq!(refused(&path, 12), said(&path, "byte 1 is not UTF-8"));
    }
}
