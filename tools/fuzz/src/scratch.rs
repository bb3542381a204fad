//! Files for targets that read from disk: a folder per thread, in memory where the system has such a place.
//!
//! A target runs tens of thousands of times a second only where it makes few calls to the system. A file stays
//! open here, and the next input is written over the last.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

thread_local! {
    static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
    static FILES: RefCell<HashMap<PathBuf, File>> = RefCell::default();
}

/// The folder of this thread.
pub(crate) fn folder() -> PathBuf {
    FOLDER.with(|folder| {
        let make = || {
            let memory = Path::new("/dev/shm");
            let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
            made.expect("a folder for scratch files can be made")
        };
        folder.get_or_init(make).path().to_owned()
    })
}

/// A file of these bytes. The next call with the same name replaces what is in it.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    write(&path, bytes);
    path
}

/// Puts these bytes into the file at `path`.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    FILES.with_borrow_mut(|files| {
        if !files.contains_key(path) {
            let file = File::create(path).expect("a scratch file can be made");
            files.insert(path.to_owned(), file);
        }
        let file = files.get_mut(path).expect("it was made");
        file.rewind().expect("a scratch file can be written from its start");
        file.write_all(bytes).expect("a scratch file can be written");
        file.set_len(bytes.len() as u64).expect("a scratch file can be cut");
    });
}

/// A path at which there is no file.
pub(crate) fn absent(name: &str) -> PathBuf {
    let path = folder().join(name);
    FILES.with_borrow_mut(|files| files.remove(&path));
    let _ = fs::remove_file(&path);
    path
}

/// The folder of fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}
