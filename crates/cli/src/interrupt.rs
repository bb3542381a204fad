//! Ctrl-C and its relatives: a flag that long work looks at, so that it can end with nothing left behind.
//!
//! A write whose reader has stopped reading never looks: half a second after the first interrupt it ends with the
//! process.
//!
//! A second interrupt ends the process at once, whatever it is at; but only one that comes a while after the
//! first. `timeout -s INT` signals its child and then the child's group, within a millisecond, and a terminal that
//! closes may send several kinds: these are one wish, and the work gets the time to end as it should.
//!
//! A signal that is ignored when the program starts stays ignored, as `nohup` and shells with jobs in the background
//! ask for.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use signal_hook::{consts, flag};

#[cfg(unix)]
use crate::{exit, stalled};

/// The signal that arrived last; 0 for none.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

#[cfg(unix)]
const INTERRUPTS: [i32; 3] = [consts::SIGINT, consts::SIGTERM, consts::SIGHUP];
#[cfg(windows)]
const INTERRUPTS: [i32; 2] = [consts::SIGINT, consts::SIGTERM];

/// Makes the first interrupt set the returned flag instead of ending the process, and a later one end it.
///
/// The signal of a file-size limit is caught as well: the write that passed the limit then fails with an
/// error, and the temporary file is removed like after every other failed write.
///
/// # Errors
/// When the system gives no more signal handlers, pipes or threads.
pub(crate) fn flag() -> anyhow::Result<Arc<AtomicBool>> {
    watch().map_err(|error| anyhow::anyhow!("cannot watch for interrupts: {error}"))
}

fn watch() -> io::Result<Arc<AtomicBool>> {
    let stop: Arc<AtomicBool> = Arc::default();
    let is_impatient: Arc<AtomicBool> = Arc::default();
    let signals: Vec<i32> = INTERRUPTS.into_iter().filter(|&signal| !is_ignored(signal)).collect();
    for &signal in &signals {
        // What it leaves behind, the next run for the same output removes.
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&is_impatient))?;
        flag::register(signal, Arc::clone(&stop))?;
        flag::register_usize(signal, Arc::clone(&SIGNAL), usize::try_from(signal).unwrap_or(0))?;
    }
    #[cfg(unix)]
    {
        flag::register(consts::SIGXFSZ, Arc::default())?;
        after_the_first(&signals, move || {
            is_impatient.store(true, Ordering::SeqCst);
            end_with_a_write();
        })?;
    }
    #[cfg(windows)]
    for &signal in &signals {
        // A console sends one signal for one Ctrl-C. Behind the question above, so that the second one ends it.
        flag::register(signal, Arc::clone(&is_impatient))?;
    }
    Ok(stop)
}

/// Whether whoever started the program wants this signal ignored.
#[cfg(unix)]
#[allow(unsafe_code)]
fn is_ignored(signal: i32) -> bool {
    use std::{mem, ptr};

    // SAFETY: the struct is numbers and an optional function, and all of them may be zeros.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    // SAFETY: without a new action the call changes nothing, and the old one goes into a struct that is there for it.
    let done = unsafe { libc::sigaction(signal, ptr::null(), &mut action) };
    done == 0 && action.sa_sigaction == libc::SIG_IGN
}

/// A console has no signals to ignore.
#[cfg(windows)]
fn is_ignored(_: i32) -> bool {
    false
}

/// Does `then` on a thread of its own, half a second after the first of these signals.
///
/// A handler may do next to nothing, and neither read a clock nor wait: it writes to a pipe at which the thread
/// sleeps.
#[cfg(unix)]
fn after_the_first(signals: &[i32], then: impl FnOnce() + Send + 'static) -> io::Result<()> {
    use std::io::Read;
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::Duration;

    // Longer than any program takes to send its signals, and shorter than people take to press a key again
    // because nothing happened.
    const ONE_WISH: Duration = Duration::from_millis(500);

    let (mut heard, told) = UnixStream::pair()?;
    for &signal in signals {
        signal_hook::low_level::pipe::register(signal, told.try_clone()?)?;
    }
    let wait = move || {
        if heard.read_exact(&mut [0]).is_ok() {
            thread::sleep(ONE_WISH);
            then();
        }
    };
    thread::Builder::new().name("interrupts".to_owned()).spawn(wait).map(drop)
}

/// Waits until the work is at a write to a reader, and ends the process there.
#[cfg(unix)]
fn end_with_a_write() -> ! {
    use std::thread;
    use std::time::Duration;

    while !stalled::take_over() {
        thread::sleep(Duration::from_millis(50));
    }
    briq_format::remove_unfinished();
    exit::say_without_waiting(&briq_convert::Error::Interrupted);
    signal_hook::low_level::exit(exit_code().into())
}

/// 128 and the number of the signal, as shells count: 130 for Ctrl-C.
pub(crate) fn exit_code() -> u8 {
    u8::try_from(128 + SIGNAL.load(Ordering::Relaxed)).unwrap_or(u8::MAX)
}
