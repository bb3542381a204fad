//! A file that appears complete under its name, or not at all.

use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::system::{FileSystem, System};
use super::temporary::{self, Unfinished, remove_leftovers};
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
/// Dropped before [`commit`](Self::commit), it leaves nothing behind. A process that is killed leaves a temporary
/// file, `.NAME.briq-RANDOM.tmp`, which the next one for the same name removes. A symbolic link is followed: the
/// file it points to is replaced, and the link stays; one that leads nowhere is refused. A new file gets the usual
/// mode; a replaced one keeps its own.
#[derive(Debug)]
pub struct AtomicFile {
    out: BufWriter<Temporary>,
    /// As the caller named it.
    path: PathBuf,
    target: PathBuf,
    /// That of the file it replaces.
    mode: Option<Permissions>,
    existing: Existing,
}

/// A file under its temporary name, removed when dropped.
#[derive(Debug)]
struct Temporary {
    file: File,
    /// None once the file has its final name.
    path: Option<Unfinished>,
    system: Box<dyn FileSystem>,
    /// Bytes that were written from front to back.
    written_bytes: u64,
    /// How many of them the disk was told to begin with: whole pages.
    begun_bytes: u64,
}

impl AtomicFile {
    /// Opens a temporary sibling of `path`, and removes those that killed processes left.
    ///
    /// # Errors
    /// When the folder is missing or not writable, `path` is there and is to be kept, or it is no regular file.
    pub fn create(path: impl AsRef<Path>, existing: Existing) -> Result<Self> {
        Self::create_with(path, existing, Box::new(System))
    }

    /// Makes sure that [`create`](Self::create) would find nothing to refuse, and touches nothing.
    ///
    /// # Errors
    /// As [`create`](Self::create), but for a folder that is not writable.
    pub fn check(path: impl AsRef<Path>, existing: Existing) -> Result<()> {
        let path = path.as_ref();
        let checked = Place::of(path).and_then(|place| refuse_existing(place.old.as_ref(), existing));
        checked.map_err(|error| error.in_file(path))
    }

    /// As [`create`](Self::create), with operations of the caller's in place of the system's.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_with(
        path: impl AsRef<Path>,
        existing: Existing,
        system: Box<dyn FileSystem>,
    ) -> Result<Self> {
        let path = path.as_ref();
        Self::beside(path, existing, system).map_err(|error| error.in_file(path))
    }

    fn beside(path: &Path, existing: Existing, mut system: Box<dyn FileSystem>) -> Result<Self> {
        let Place { old, target } = Place::of(path)?;
        let folder = folder_of(&target);
        let name = target.file_name().ok_or_else(|| Error::invalid("the output has no file name"))?;
        remove_leftovers(&mut *system, folder, name);
        refuse_existing(old.as_ref(), existing)?;
        let made = temporary::create(&mut *system, folder, name);
        let (file, temporary) = made.map_err(Error::output("create a temporary file beside it"))?;
        let temporary = Temporary { file, path: Some(temporary), system, written_bytes: 0, begun_bytes: 0 };
        let mode = old.map(|old| old.permissions());
        if let Some(mode) = &mode {
            temporary.file.set_permissions(while_written(mode)).map_err(Error::output("set the mode of"))?;
        }
        let out = BufWriter::with_capacity(BUFFER_BYTES, temporary);
        Ok(Self { out, path: path.to_owned(), target, mode, existing })
    }

    /// Where the file will be, as the caller named it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes sure that nothing is known to stand against a file of `bytes` bytes. A disk may be full all the same when
    /// its turn comes.
    ///
    /// # Errors
    /// When the file system has less room.
    pub fn expect(&mut self, bytes: u64) -> Result<()> {
        let folder = folder_of(&self.target);
        match self.out.get_mut().system.room(folder) {
            Some(room) if room < bytes => {
                let problem = format!("the file takes {bytes} bytes, and the disk has room for {room}");
                let error = io::Error::new(io::ErrorKind::StorageFull, problem);
                Err(Error::output("write")(error).in_file(&self.path))
            }
            _ => Ok(()),
        }
    }

    /// The file as written so far, for reading it back before [`commit`](Self::commit).
    ///
    /// # Errors
    /// When what is buffered cannot be written, or the file cannot be opened again.
    pub fn reopen(&mut self) -> Result<File> {
        self.out.flush().map_err(Error::output("write"))?;
        // It has a path until it is committed.
        let path = self.out.get_ref().path.as_deref().unwrap_or(&self.target);
        File::open(path).map_err(Error::output("read back"))
    }

    /// Writes `bytes` over what was written from byte `at` on; what is written next goes behind everything again.
    ///
    /// # Errors
    /// When what is buffered, or this, cannot be written.
    pub fn rewrite(&mut self, at: u64, bytes: &[u8]) -> Result<()> {
        self.out.flush().map_err(Error::output("write"))?;
        let temporary = self.out.get_mut();
        let (written_bytes, begun_bytes) = (temporary.written_bytes, temporary.begun_bytes);
        temporary.file.seek(SeekFrom::Start(at)).map_err(Error::output("seek"))?;
        temporary.write_all(bytes).map_err(Error::output("write"))?;
        // What is written over has been counted.
        (temporary.written_bytes, temporary.begun_bytes) = (written_bytes, begun_bytes);
        temporary.file.seek(SeekFrom::End(0)).map(drop).map_err(Error::output("seek"))
    }

    /// Puts the file under its name: flush, sync, rename, sync of the folder.
    ///
    /// # Errors
    /// When one of these fails. Until the rename has happened nothing is there under the name but what was.
    pub fn commit(self) -> Result<()> {
        let path = self.path.clone();
        self.finish().map_err(|error| error.in_file(path))
    }

    fn finish(self) -> Result<()> {
        let mut temporary =
            self.out.into_inner().map_err(|error| Error::output("write")(error.into_error()))?;
        if let Some(mode) = self.mode {
            temporary.file.set_permissions(mode).map_err(Error::output("set the mode of"))?;
        }
        temporary.system.sync(&temporary.file).map_err(Error::output("sync"))?;
        temporary.rename(&self.target, self.existing).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => Error::invalid(EXISTS),
            _ => Error::output("rename into place")(error),
        })?;
        let synced = temporary.system.sync_folder(folder_of(&self.target));
        synced.map_err(Error::output(
            "sync the folder; the file is complete, but a power cut may still undo it",
        ))
    }
}

impl Temporary {
    fn rename(&mut self, target: &Path, existing: Existing) -> io::Result<()> {
        if let Some(path) = &self.path {
            self.system.rename(path, target, existing)?;
        }
        self.path = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // What stays is removed by the next run.
            let _ = self.system.remove(path);
        }
    }
}

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.system.write(&mut self.file, bytes)?;
        self.written_bytes += written as u64;
        let whole_pages = self.written_bytes / PAGE_BYTES * PAGE_BYTES;
        if whole_pages >= self.begun_bytes + SYNC_STEP_BYTES {
            self.system.begin_sync(&self.file, self.begun_bytes..whole_pages);
            self.begun_bytes = whole_pages;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

/// What small writes are gathered to. Larger ones go to the system as they are: copying them took 7 % of the processor
/// time of a Q8_0 conversion, and a long write keeps those waiting that make what is written next.
const BUFFER_BYTES: usize = 1 << 16;

/// Bytes that are written before the disk is told to begin with them: many enough that it moves them in long runs.
const SYNC_STEP_BYTES: u64 = 8 << 20;

/// What systems keep of a file in one place. One that was begun with half full would go to the disk twice; where pages
/// are larger, a few do.
const PAGE_BYTES: u64 = 4096;

const EXISTS: &str = "the output exists; pass --force to replace it";

/// Where a file goes.
struct Place {
    /// What is there.
    old: Option<fs::Metadata>,
    /// Its name, behind links.
    target: PathBuf,
}

impl Place {
    fn of(path: &Path) -> Result<Self> {
        let old = old_file(path)?;
        let target = match old {
            Some(_) => fs::canonicalize(path).map_err(Error::output("resolve"))?,
            None => path.to_owned(),
        };
        let folder = folder_of(&target);
        match folder.is_dir() {
            true => Ok(Self { old, target }),
            false => Err(Error::invalid(format!("there is no folder {}", folder.display()))),
        }
    }
}

fn refuse_existing(old: Option<&fs::Metadata>, existing: Existing) -> Result<()> {
    match (old, existing) {
        (Some(_), Existing::Keep) => Err(Error::invalid(EXISTS)),
        _ => Ok(()),
    }
}

/// What is at `path`, if anything: a regular file, or something that a file can replace.
fn old_file(path: &Path) -> Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(old) if !old.is_file() => Err(Error::invalid("the output is there and is no regular file")),
        Ok(old) => Ok(Some(old)),
        Err(error) if is_absent(&error) => match fs::symlink_metadata(path) {
            Ok(_) => Err(Error::invalid("the output is a symbolic link that leads nowhere")),
            Err(_) => Ok(None),
        },
        Err(error) => Err(Error::output("look at")(error)),
    }
}

/// Whether nothing has a name: what would be its folder may be no folder.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A mode that shows the file to nobody whom `mode` hides it from, but lets its owner read it back and clear it up.
#[cfg(unix)]
fn while_written(mode: &Permissions) -> Permissions {
    use std::os::unix::fs::PermissionsExt;
    Permissions::from_mode(mode.mode() | 0o600)
}

#[cfg(not(unix))]
fn while_written(mode: &Permissions) -> Permissions {
    let mut mode = mode.clone();
    // Windows has this one bit alone.
    #[allow(clippy::permissions_set_readonly_false)]
    mode.set_readonly(false);
    mode
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
