//! A file that appears complete under its name, or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempPath};

use crate::error::{Error, Result};

/// What to do with a file that has the output's name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse, and leave it as it is.
    Keep,
    /// Put the new file in its place, once the new one is complete.
    Replace,
}

/// A file that is written beside its final place and renamed into it when it is complete and on disk.
///
/// Dropped before [`commit`](Self::commit), it leaves nothing behind. A symbolic link is followed: the file
/// it points to is replaced, and the link stays; one that leads nowhere is refused. A new file gets the usual mode; a replaced one keeps its own.
#[derive(Debug)]
pub struct AtomicFile {
    out: BufWriter<File>,
    /// Removes the file when dropped.
    temporary: TempPath,
    target: PathBuf,
    existing: Existing,
}

impl AtomicFile {
    /// Opens a temporary sibling of `path`.
    ///
    /// # Errors
    /// When the folder is missing or not writable, `path` is there and is to be kept, or it is no regular file.
    pub fn create(path: impl AsRef<Path>, existing: Existing) -> Result<Self> {
        let path = path.as_ref();
        Self::beside(path, existing).map_err(|error| error.in_file(path))
    }

    fn beside(path: &Path, existing: Existing) -> Result<Self> {
        let old = match fs::metadata(path) {
            Ok(old) if existing == Existing::Keep => return Err(refused(old.is_dir())),
            Ok(old) if !old.is_file() => {
                return Err(Error::invalid("the output is there and is no regular file"));
            }
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::symlink_metadata(path) {
                Ok(_) => return Err(Error::invalid("the output is a symbolic link that leads nowhere")),
                Err(_) => None,
            },
            Err(error) => return Err(Error::io("look at")(error)),
        };
        let target = match old {
            Some(_) => fs::canonicalize(path).map_err(Error::io("resolve"))?,
            None => path.to_owned(),
        };
        let folder = folder_of(&target);
        if !folder.is_dir() {
            return Err(Error::invalid(format!("there is no folder {}", folder.display())));
        }
        let mut builder = Builder::new();
        builder.prefix(".briq-").suffix(".tmp");
        #[cfg(unix)]
        builder.permissions(usual_mode());
        // The kind alone: the whole error quotes the temporary's random name, which means nothing to a user.
        let without_name =
            |error: io::Error| Error::io("create a temporary file beside it")(error.kind().into());
        let (file, temporary) = builder.tempfile_in(folder).map_err(without_name)?.into_parts();
        if let Some(old) = old {
            file.set_permissions(old.permissions()).map_err(Error::io("set the mode of"))?;
        }
        Ok(Self { out: BufWriter::with_capacity(1 << 20, file), temporary, target, existing })
    }

    /// The file as written so far, for reading it back before [`commit`](Self::commit).
    ///
    /// # Errors
    /// When what is buffered cannot be written, or the file cannot be opened again.
    pub fn reopen(&mut self) -> Result<File> {
        self.out.flush().map_err(Error::io("write"))?;
        File::open(&self.temporary).map_err(Error::io("read back"))
    }

    /// Puts the file under its name: flush, sync, rename, sync of the folder.
    ///
    /// # Errors
    /// When one of these fails. Until the rename has happened nothing is there under the name but what was.
    pub fn commit(self) -> Result<()> {
        let target = self.target.clone();
        self.finish().map_err(|error| error.in_file(target))
    }

    fn finish(self) -> Result<()> {
        let file = self.out.into_inner().map_err(|error| Error::io("write")(error.into_error()))?;
        file.sync_all().map_err(Error::io("sync"))?;
        match self.existing {
            Existing::Replace => self.temporary.persist(&self.target),
            Existing::Keep => self.temporary.persist_noclobber(&self.target),
        }
        .map_err(|failed| match failed.error.kind() {
            io::ErrorKind::AlreadyExists => refused(false),
            _ => Error::io("rename into place")(failed.error),
        })?;
        sync_folder(folder_of(&self.target))
            .map_err(Error::io("sync the folder; the file is complete, but a power cut may still undo it"))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

fn refused(is_folder: bool) -> Error {
    match is_folder {
        true => Error::invalid("the output is a folder"),
        false => Error::invalid("the output exists; pass --force to replace it"),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(unix)]
fn usual_mode() -> fs::Permissions {
    // The system takes the umask off.
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a rename is made durable by the file system, and a folder cannot be opened as a file.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn nothing_is_there_until_the_commit_and_nothing_else_after_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.bin");
        let mut file = AtomicFile::create(&path, Existing::Keep).unwrap();
        file.write_all(b"new").unwrap();
        assert!(!path.exists());
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["out.bin"]);
    }

    #[test]
    fn a_dropped_file_leaves_the_old_one_and_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.bin");
        fs::write(&path, b"old").unwrap();
        let mut file = AtomicFile::create(&path, Existing::Replace).unwrap();
        file.write_all(b"new").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["out.bin"]);
    }

    #[test]
    fn an_existing_file_is_kept_even_when_it_appears_late() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.bin");
        let file = AtomicFile::create(&path, Existing::Keep).unwrap();
        fs::write(&path, b"old").unwrap();
        assert!(
            file.commit().unwrap_err().to_string().ends_with("the output exists; pass --force to replace it")
        );
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert!(AtomicFile::create(&path, Existing::Keep).is_err());
        assert_eq!(names(folder.path()), ["out.bin"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_a_mode_stays_a_mode() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real", &link).unwrap();
        let mut file = AtomicFile::create(&link, Existing::Replace).unwrap();
        file.write_all(b"new").unwrap();
        file.commit().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        let astray = folder.path().join("astray");
        symlink("nowhere", &astray).unwrap();
        assert!(AtomicFile::create(&astray, Existing::Replace).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}
