//! Temporary files that outlive no later run.
//!
//! A run that is killed cannot clear up. So a temporary file carries the name of its output, and is locked while
//! somebody writes it; the system lets go of the lock when the process ends, however it ends. The next run for
//! the same output removes the temporary files that nobody holds. Where the system has no such locks, they stay.

use std::ffi::{OsStr, OsString};
use std::fs::File;
#[cfg(unix)]
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tempfile::Builder;

use super::system::FileSystem;

const MARK: &str = ".briq-";
const SUFFIX: &str = ".tmp";
const RANDOM_CHARACTERS: usize = 6;
/// What a temporary name has of a longer output name, in bytes: file systems have names of up to 255.
const MAX_NAME_BYTES: usize = 200;

/// How often a name is tried that another run takes for a leftover.
const TRIES: usize = 8;

/// The temporary files that this process writes.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the temporary files of all files that this process writes, so that it can end where nothing is dropped.
///
/// It asks for no memory, unless a path has hundreds of bytes, and waits for nobody. What it leaves, the next run for
/// the same output removes.
pub fn remove_unfinished() {
    if let Ok(paths) = UNFINISHED.try_lock() {
        for path in paths.iter() {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The path of a temporary file, for as long as it is one.
#[derive(Debug)]
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    fn new(path: PathBuf) -> Self {
        UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        Self(path)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut paths = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = paths.iter().position(|path| *path == self.0) {
            paths.swap_remove(place);
        }
    }
}

impl Deref for Unfinished {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

/// Makes an empty file in `folder` for an output called `name`.
///
/// # Errors
/// When it cannot be made.
pub(super) fn create(
    system: &mut dyn FileSystem,
    folder: &Path,
    name: &OsStr,
) -> io::Result<(File, Unfinished)> {
    let prefix = prefix(name);
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(SUFFIX).rand_bytes(RANDOM_CHARACTERS);
    for _ in 0..TRIES {
        let mut number = None;
        let made = builder
            .make_in(folder, |path| system.create(path).inspect_err(|error| number = error.raw_os_error()));
        // The builder's error quotes the random name, which means nothing to a user.
        let made = made.map_err(|error| number.map_or(error.kind().into(), io::Error::from_raw_os_error))?;
        let (file, path) = made.into_parts();
        let path = path.keep().map_err(|failed| failed.error)?;
        // A run that clears up may see the file before it is locked, and then removes it.
        if is_locked(&file) && path.exists() {
            return Ok((file, Unfinished::new(path)));
        }
        let _ = system.remove(&path);
    }
    Err(io::Error::other("other runs remove it"))
}

/// Removes the temporary files of outputs called `name` that nobody writes any more. What cannot be removed stays.
#[cfg(unix)]
pub(super) fn remove_leftovers(system: &mut dyn FileSystem, folder: &Path, name: &OsStr) {
    let prefix = prefix(name);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if !is_file || !is_temporary(&entry.file_name(), &prefix) {
            continue;
        }
        let path = entry.path();
        // For writing, because some file systems lock nothing that is open for reading alone; for reading where the
        // run was killed after the file had got the mode of the one it replaces.
        let opened = OpenOptions::new().read(true).write(true).open(&path).or_else(|_| File::open(&path));
        let Ok(file) = opened else { continue };
        if file.try_lock().is_ok() {
            let _ = system.remove(&path);
        }
    }
}

/// Locks keep readers away there, even the one that reads back what was written: no file is locked.
#[cfg(not(unix))]
pub(super) fn remove_leftovers(_: &mut dyn FileSystem, _: &Path, _: &OsStr) {}

/// Locks the file, unless the system has no locks. False when another run has it.
#[cfg(unix)]
fn is_locked(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

#[cfg(not(unix))]
fn is_locked(_: &File) -> bool {
    true
}

fn prefix(name: &OsStr) -> OsString {
    let name = name.to_string_lossy();
    let mut end = name.len().min(MAX_NAME_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!(".{}{MARK}", &name[..end]).into()
}

/// Whether `name` is one that [`create`] gives.
#[cfg(any(unix, test))]
fn is_temporary(name: &OsStr, prefix: &OsStr) -> bool {
    let random = name
        .as_encoded_bytes()
        .strip_prefix(prefix.as_encoded_bytes())
        .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()));
    random.is_some_and(|random| {
        random.len() == RANDOM_CHARACTERS && random.iter().all(u8::is_ascii_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::super::system::System;
    use super::*;

    #[cfg(unix)]
    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[cfg(unix)]
    #[test]
    fn what_nobody_holds_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (held, held_path) = create(&mut System, folder.path(), "out.gguf".as_ref()).unwrap();
        let (left, _) = create(&mut System, folder.path(), "out.gguf".as_ref()).unwrap();
        let (other, _) = create(&mut System, folder.path(), "out.gguf.gguf".as_ref()).unwrap();
        let foreign = ["out.gguf", ".out.gguf.tmp", ".out.gguf.briq-12345.tmp", ".out.gguf.briq-12.456.tmp"];
        foreign.iter().for_each(|name| fs::write(folder.path().join(name), "").unwrap());
        std::os::unix::fs::symlink("out.gguf", folder.path().join(".out.gguf.briq-abcdef.tmp")).unwrap();
        assert_eq!(names(folder.path()).len(), 8);
        drop((left, other));
        remove_leftovers(&mut System, folder.path(), "out.gguf".as_ref());
        assert_eq!(names(folder.path()).len(), 7);
        assert!(held_path.exists());
        drop(held);
        remove_leftovers(&mut System, folder.path(), "out.gguf".as_ref());
        assert_eq!(names(folder.path()).len(), 6);
        assert!(foreign.iter().all(|name| folder.path().join(name).exists()));
    }

    #[test]
    fn a_temporary_file_is_known_as_long_as_it_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let is_known = |path: &PathBuf| UNFINISHED.lock().unwrap().contains(path);
        let (_, first) = create(&mut System, folder.path(), "out.gguf".as_ref()).unwrap();
        let (_, second) = create(&mut System, folder.path(), "out.gguf".as_ref()).unwrap();
        let paths = [first.to_path_buf(), second.to_path_buf()];
        assert_eq!(paths.each_ref().map(is_known), [true, true]);
        drop(first);
        assert_eq!(paths.each_ref().map(is_known), [false, true]);
        drop(second);
        assert_eq!(paths.each_ref().map(is_known), [false, false]);
    }

    #[test]
    fn the_longest_name_has_a_temporary_one() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x".repeat(255), "ß".repeat(127)] {
            let (_, path) = create(&mut System, folder.path(), name.as_ref()).unwrap();
            assert!(is_temporary(path.file_name().unwrap(), &prefix(name.as_ref())), "{}", path.display());
        }
    }
}
