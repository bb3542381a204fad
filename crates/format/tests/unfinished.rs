//! A process that ends where nothing is dropped. The list of what it writes is its own, so this test has one to itself.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;

use briq_format::{AtomicFile, Existing, remove_unfinished};

#[test]
fn what_is_not_complete_is_removed_and_what_is_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("replaced"), "old").unwrap();
    let begin = |name: &str| {
        let mut file = AtomicFile::create(path(name), Existing::Replace).unwrap();
        file.write_all(b"new").unwrap();
        file
    };
    begin("complete").commit().unwrap();
    let unfinished = [begin("absent"), begin("replaced")];
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    remove_unfinished();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    assert_eq!(fs::read(path("complete")).unwrap(), b"new");
    assert_eq!(fs::read(path("replaced")).unwrap(), b"old");
    drop(unfinished);
}
