//! Standard output, which may be closed: then a report fails, and does not vanish.
//!
//! Rust's runtime opens `/dev/null` in the place of a standard stream that is closed, so that no other file gets
//! its number. From then on nobody can tell `>&-` from `>/dev/null`, and what is printed is lost without a word.
//! The loader calls a function of this module before the runtime starts, which looks and keeps what it saw.

use std::io::{self, BufWriter, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::patient::Patient;
use crate::stalled::MayStall;

/// Whether standard output was closed when the program was started.
static WAS_CLOSED: AtomicBool = AtomicBool::new(false);

/// Standard output, buffered.
pub(crate) fn stdout() -> BufWriter<Output> {
    BufWriter::new(Output(MayStall(Patient(io::stdout()))))
}

/// Standard output that fails where it was closed from the start, and waits where it has no room.
pub(crate) struct Output(MayStall<Patient<Stdout>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match WAS_CLOSED.load(Ordering::Relaxed) {
            true => Err(io::Error::new(io::ErrorKind::NotConnected, "it is closed")),
            false => self.0.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(target_os = "linux")]
mod before_main {
    use std::io;
    use std::os::fd::AsFd;
    use std::sync::atomic::Ordering;

    use super::WAS_CLOSED;

    // SAFETY: the section is an array of pointers to C functions that return nothing; the loader calls each once
    // before `main`, on the one thread there is, with arguments that a C function may leave alone. The function
    // below is of that type, and uses of the library only what needs no runtime: an allocation and a system call.
    #[allow(unsafe_code)]
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;

    /// Asks for a second number for standard output, which there is for every open file.
    extern "C" fn look() {
        let is_closed = io::stdout().as_fd().try_clone_to_owned().is_err();
        WAS_CLOSED.store(is_closed, Ordering::Relaxed);
    }
}
