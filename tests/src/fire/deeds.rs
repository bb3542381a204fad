//! File operations that go wrong at a point that is known beforehand.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use briq_format::{Existing, FileSystem, System};

/// What happens at the point.
#[derive(Clone, Debug)]
pub enum Deed {
    /// The operation fails with this error of the system, and the following ones do not.
    Fail(i32),
    /// The process ends, as with SIGKILL; a write is half done.
    Kill,
    /// A file loses its second half.
    Truncate(PathBuf),
    /// A file is written to, and stays as long as it was.
    Rewrite(PathBuf),
}

/// The operations of the system, with one deed among them. No write takes more than 4 KiB at a time.
#[derive(Debug)]
pub struct Fire {
    at: u64,
    deed: Deed,
    hit: Arc<Hit>,
}

/// What is known of the operations from outside.
#[derive(Debug, Default)]
pub struct Hit {
    pub(super) operations: AtomicU64,
    operation: OnceLock<&'static str>,
}

impl Hit {
    /// The operation at which the deed was done.
    pub fn operation(&self) -> Option<&'static str> {
        self.operation.get().copied()
    }
}

/// A file system that says how many more bytes fit, and takes none.
#[derive(Debug)]
pub struct Full {
    /// What it says.
    pub room: u64,
}

impl FileSystem for Full {
    fn room(&mut self, _: &Path) -> Option<u64> {
        Some(self.room)
    }

    fn write(&mut self, _: &mut File, _: &[u8]) -> io::Result<usize> {
        Err(super::error(super::libc_errno::NO_SPACE))
    }
}

const WRITE_BYTES: usize = 4096;

impl Fire {
    /// Operations of which number `at`, counted from 0, is the one for the deed.
    pub fn new(at: u64, deed: Deed) -> (Self, Arc<Hit>) {
        let hit = Arc::new(Hit::default());
        (Self { at, deed, hit: Arc::clone(&hit) }, hit)
    }

    /// Counts an operation. `half` is the part of it that is done before a kill.
    fn step(&mut self, operation: &'static str, half: impl FnOnce()) -> io::Result<()> {
        if self.hit.operations.fetch_add(1, Ordering::Relaxed) != self.at {
            return Ok(());
        }
        // Set once, because the number is reached once.
        let _ = self.hit.operation.set(operation);
        match &self.deed {
            Deed::Fail(errno) => Err(super::error(*errno)),
            Deed::Truncate(path) => {
                let file = File::options().write(true).open(path)?;
                file.set_len(file.metadata()?.len() / 2)
            }
            Deed::Rewrite(path) => {
                let file = File::options().write(true).open(path)?;
                file.set_modified(std::time::SystemTime::UNIX_EPOCH)
            }
            Deed::Kill => {
                half();
                kill();
            }
        }
    }
}

/// Ends this process as the system does: nothing is flushed, no destructor runs.
fn kill() -> ! {
    let _ = std::process::Command::new("kill").args(["-s", "KILL", &std::process::id().to_string()]).status();
    // The signal arrives, be it late.
    loop {
        std::thread::park();
    }
}

impl FileSystem for Fire {
    fn create(&mut self, path: &Path) -> io::Result<File> {
        self.step("create", || ())?;
        System.create(path)
    }

    fn write(&mut self, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES)];
        self.step("write", || drop(System.write(file, &bytes[..bytes.len() / 2])))?;
        System.write(file, bytes)
    }

    fn sync(&mut self, _: &File) -> io::Result<()> {
        self.step("sync", || ())?;
        // The disk is not what is tested, and waiting for it takes most of the time.
        Ok(())
    }

    fn rename(&mut self, temporary: &Path, target: &Path, existing: Existing) -> io::Result<()> {
        self.step("rename", || ())?;
        System.rename(temporary, target, existing)
    }

    fn sync_folder(&mut self, _: &Path) -> io::Result<()> {
        self.step("sync_folder", || ())
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.step("remove", || ())?;
        System.remove(path)
    }
}
