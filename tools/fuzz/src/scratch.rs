//! Files for targets that read from disk: a folder per thread, in memory where the system has such a place.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

thread_local! {
    static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
}

fn folder() -> PathBuf {
    FOLDER.with(|folder| {
        let make = || {
            let memory = Path::new("/dev/shm");
            let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
            made.expect("a folder for scratch files can be made")
        };
        folder.get_or_init(make).path().to_owned()
    })
}

/// A file of these bytes. The next call with the same name replaces it.
pub(crate) fn file(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    fs::write(&path, bytes).expect("a scratch file can be written");
    path
}

/// A path at which there is no file.
pub(crate) fn absent(name: &str) -> PathBuf {
    let path = folder().join(name);
    let _ = fs::remove_file(&path);
    path
}

/// A copy of a checkpoint of the fixtures, made once, with these bytes in place of one of its files.
pub(crate) fn checkpoint(fixture: &str, file: &str, bytes: &[u8]) -> PathBuf {
    let copy = folder().join(format!("{fixture}-{file}"));
    if !copy.exists() {
        fs::create_dir(&copy).expect("a folder can be made");
        for entry in fs::read_dir(fixtures().join("checkpoints").join(fixture)).expect("the fixture is there")
        {
            let from = entry.expect("a folder can be listed").path();
            if let (Some(name), true) = (from.file_name(), from.is_file()) {
                let bytes = fs::read(&from).expect("a fixture can be read");
                fs::write(copy.join(name), bytes).expect("a fixture can be copied");
            }
        }
    }
    fs::write(copy.join(file), bytes).expect("a scratch file can be written");
    copy
}

/// The folder of fixtures.
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures")
}
