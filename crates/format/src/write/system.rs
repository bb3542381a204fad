//! What is asked of the operating system to put a file in its place, an operation each.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use tempfile::TempPath;

use super::{Existing, write_back};

/// What an [`AtomicFile`](super::AtomicFile) asks of the system; nearly all of it can fail.
///
/// Programs use [`System`]. A test that has to see what a failure leaves behind brings operations that fail, or end
/// the process, when it wants them to.
pub trait FileSystem: fmt::Debug + Send {
    /// Makes a new file, which must not be there yet, open for reading and writing.
    ///
    /// # Errors
    /// As the system has them, here and below.
    fn create(&mut self, path: &Path) -> io::Result<File> {
        System.create(path)
    }

    /// An upper bound of the bytes that files may still take where `folder` is; none where there is none to be had.
    fn room(&mut self, folder: &Path) -> Option<u64> {
        System.room(folder)
    }

    /// Writes some of `bytes` where `file` stands; how many.
    ///
    /// # Errors
    /// When nothing was written.
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
        System.write(file, bytes)
    }

    /// Has the disk begin with these bytes of `file`, so that [`sync`](Self::sync) finds most of its work done. A hint:
    /// it may wait for room in the queue of the disk, never for the bytes, and what goes wrong is for `sync` to tell.
    fn begin_sync(&mut self, file: &File, bytes: Range<u64>) {
        System.begin_sync(file, bytes);
    }

    /// Waits until the bytes of `file` are on the disk.
    ///
    /// # Errors
    /// When they may not be.
    fn sync(&mut self, file: &File) -> io::Result<()> {
        System.sync(file)
    }

    /// Gives the file at `temporary` the name `target`, in one step.
    ///
    /// # Errors
    /// When both names are what they were; of the kind `AlreadyExists` when `existing` forbids to replace.
    fn rename(&mut self, temporary: &Path, target: &Path, existing: Existing) -> io::Result<()> {
        System.rename(temporary, target, existing)
    }

    /// Waits until the names in `folder` are on the disk.
    ///
    /// # Errors
    /// When they may not be.
    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        System.sync_folder(folder)
    }

    /// Removes the file at `path`.
    ///
    /// # Errors
    /// When it is still there.
    fn remove(&mut self, path: &Path) -> io::Result<()> {
        System.remove(path)
    }
}

/// The operating system itself.
#[derive(Clone, Copy, Debug)]
pub struct System;

impl FileSystem for System {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        // The usual mode, 0666 less the umask; never through a link, because the name must be new.
        OpenOptions::new().read(true).write(true).create_new(true).open(path)
    }

    fn room(&mut self, folder: &Path) -> Option<u64> {
        room(folder)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }

    fn begin_sync(&mut self, file: &File, bytes: Range<u64>) {
        write_back::begin(file, bytes);
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn rename(&mut self, temporary: &Path, target: &Path, existing: Existing) -> io::Result<()> {
        match existing {
            Existing::Replace => fs::rename(temporary, target),
            Existing::Keep => {
                let temporary = TempPath::try_from_path(temporary)?;
                temporary.persist_noclobber(target).map_err(|failed| {
                    // Whoever called removes the file.
                    let _ = failed.path.keep();
                    failed.error
                })
            }
        }
    }

    #[cfg(unix)]
    fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    /// Elsewhere a rename is made durable by the file system, and a folder cannot be opened as a file.
    #[cfg(not(unix))]
    fn sync_folder(&mut self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// The blocks that no file has, those that are kept for the administrator among them: a file of more bytes cannot be
/// written by anybody. That holds on file systems that neither compress files nor share their blocks, and only such
/// are asked; behind a network or another program nobody knows.
#[cfg(target_os = "linux")]
fn room(folder: &Path) -> Option<u64> {
    // Source: the magic numbers of statfs(2): ext2 to ext4, tmpfs, exFAT, FAT.
    const PLAIN: [i128; 4] = [0xef53, 0x0102_1994, 0x2011_bab0, 0x4d44];

    let found = rustix::fs::statfs(folder).ok()?;
    // Its types differ between processors.
    let (kind, block) = (i128::from(found.f_type), u64::try_from(found.f_bsize).ok()?);
    // A tmpfs without a limit has no blocks at all.
    let is_limited = PLAIN.contains(&kind) && found.f_blocks > 0;
    is_limited.then(|| found.f_bfree.checked_mul(block))?
}

#[cfg(not(target_os = "linux"))]
fn room(_: &Path) -> Option<u64> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_made_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (link, target) = (folder.path().join("link"), folder.path().join("target"));
        for there in [false, true] {
            if there {
                fs::write(&target, "old").unwrap();
            }
            std::os::unix::fs::symlink(&target, &link).unwrap();
            assert_eq!(System.create(&link).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
            assert_eq!(fs::read(&target).ok(), there.then(|| b"old".to_vec()));
            fs::remove_file(&link).unwrap();
        }
    }
}
