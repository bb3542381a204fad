//! Where a conversion goes: a file, or a pipe or device that takes a model from front to back and gives nothing of it
//! back.

use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use briq_convert::Error;
use briq_format::{AtomicFile, Existing};

use crate::output::stdout;
use crate::patient::Patient;
use crate::stalled::MayStall;

#[derive(Debug)]
pub(crate) enum Destination {
    /// A file, which appears complete under its name.
    File(PathBuf),
    /// A named pipe or a device, which is there already.
    Stream(PathBuf),
    /// Standard output, whatever it is: `-`.
    StandardOutput,
}

impl Destination {
    /// What `path` stands for on the command line.
    pub(crate) fn named(path: &Path) -> Self {
        match path {
            path if path == Path::new("-") => Self::StandardOutput,
            path if fs::metadata(path).is_ok_and(|found| is_stream(&found)) => Self::Stream(path.to_owned()),
            path => Self::File(path.to_owned()),
        }
    }

    /// Its name in reports.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::Stream(path) => path,
            Self::StandardOutput => Path::new("standard output"),
        }
    }

    /// Whether the model goes to standard output, so that a report has to go elsewhere.
    pub(crate) fn takes_standard_output(&self) -> bool {
        match self {
            Self::File(_) => false,
            Self::Stream(path) => is_standard_output(path),
            Self::StandardOutput => true,
        }
    }

    /// Refuses a file that a run would not write, and writes nothing.
    ///
    /// # Errors
    /// When it is there and is to be kept, is no file, or has no folder.
    pub(crate) fn check(&self, existing: Existing) -> Result<(), Error> {
        match self {
            Self::File(path) => Ok(AtomicFile::check(path, existing)?),
            Self::Stream(_) | Self::StandardOutput => Ok(()),
        }
    }

    /// What a stream is written to; none for a file. A named pipe is waited for until somebody reads it, or `stop` is
    /// set.
    ///
    /// # Errors
    /// When it cannot be opened, it is a terminal, or `stop` was set.
    pub(crate) fn open(&self, stop: &AtomicBool) -> Result<Option<Box<dyn Write>>, Error> {
        let (out, is_terminal): (Box<dyn Write>, _) = match self {
            Self::File(_) => return Ok(None),
            Self::Stream(path) => {
                let file = open(path, stop)?;
                let is_terminal = file.is_terminal();
                (Box::new(MayStall(Patient(file))), is_terminal)
            }
            Self::StandardOutput => (Box::new(stdout()), io::stdout().is_terminal()),
        };
        match is_terminal {
            true => {
                let name = self.path().display();
                Err(Error::usage(format!(
                    "{name}: a model goes into a file or a pipe, and this is a terminal"
                )))
            }
            false => Ok(Some(out)),
        }
    }
}

/// Opens a pipe or device on a thread of its own, because a pipe that nobody reads is waited for, which only the end of
/// the process ends.
fn open(path: &Path, stop: &AtomicBool) -> Result<File, Error> {
    const LOOK: Duration = Duration::from_millis(50);

    let failed = |error| Error::io(path, "open", error);
    let (opened, arrived) = mpsc::channel();
    let owned = path.to_owned();
    thread::Builder::new()
        .name("opens the output".to_owned())
        // Nobody hears of it any more when the work has ended.
        .spawn(move || opened.send(File::options().write(true).open(owned)))
        .map_err(failed)?;
    loop {
        match arrived.recv_timeout(LOOK) {
            Ok(file) => return file.map_err(failed),
            Err(RecvTimeoutError::Timeout) if !stop.load(Ordering::Relaxed) => {}
            Err(_) => return Err(Error::Interrupted),
        }
    }
}

#[cfg(unix)]
fn is_stream(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    found.file_type().is_fifo() || found.file_type().is_char_device()
}

#[cfg(not(unix))]
fn is_stream(_: &fs::Metadata) -> bool {
    false
}

/// Whether `path` leads to where standard output goes.
#[cfg(unix)]
fn is_standard_output(path: &Path) -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::MetadataExt;
    let own = || File::from(io::stdout().as_fd().try_clone_to_owned()?).metadata();
    match (own(), fs::metadata(path)) {
        (Ok(own), Ok(named)) => (own.dev(), own.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_standard_output(_: &Path) -> bool {
    false
}
