//! Output that waits for its reader. A pipe may be set not to block, often by whoever has its other end; it then
//! refuses what it has no room for at the moment, and takes it a moment later.

#[cfg(unix)]
use std::os::fd::AsFd as Handle;
#[cfg(windows)]
use std::os::windows::io::AsHandle as Handle;

use std::io::{self, ErrorKind, Write};

/// Writes as to a pipe that blocks, whether it does or not.
pub(crate) struct Patient<W>(pub(crate) W);

impl<W: Write + Handle> Patient<W> {
    /// Does something that did nothing where it would have had to wait.
    fn try_until_there_is_room<T>(&mut self, mut act: impl FnMut(&mut W) -> io::Result<T>) -> io::Result<T> {
        loop {
            match act(&mut self.0) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait(&self.0, error)?,
                done => return done,
            }
        }
    }
}

impl<W: Write + Handle> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_until_there_is_room(|out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.try_until_there_is_room(W::flush)
    }
}

/// Sleeps until there is room, the reader has left, or a signal arrived.
#[cfg(unix)]
fn wait(out: &impl Handle, _: io::Error) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::new(out, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(windows)]
fn wait(_: &impl Handle, error: io::Error) -> io::Result<()> {
    Err(error)
}
