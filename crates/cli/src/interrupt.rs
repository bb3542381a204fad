//! Ctrl-C and its relatives: a flag that long work looks at, so that it can end with nothing left behind.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

/// The signal that arrived last; 0 for none.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Makes the first interrupt set the returned flag instead of ending the process; a second one ends it.
///
/// The signal of a file-size limit is caught as well: the write that passed the limit then fails with an
/// error, and the temporary file is removed like after every other failed write.
pub(crate) fn flag() -> io::Result<Arc<AtomicBool>> {
    use signal_hook::{consts, flag};
    let stop: Arc<AtomicBool> = Arc::default();
    #[cfg(unix)]
    let interrupts = {
        flag::register(consts::SIGXFSZ, Arc::default())?;
        [consts::SIGINT, consts::SIGTERM, consts::SIGHUP]
    };
    #[cfg(windows)]
    let interrupts = [consts::SIGINT, consts::SIGTERM];
    for signal in interrupts {
        let code = 128 + signal;
        // Asked before the flag is set: the first signal finds it unset, the second does not and ends the process at
        // once. What it leaves behind, the next run for the same output removes.
        flag::register_conditional_shutdown(signal, code, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
        flag::register_usize(signal, Arc::clone(&SIGNAL), usize::try_from(signal).unwrap_or(0))?;
    }
    Ok(stop)
}

/// 128 and the number of the signal, as shells count: 130 for Ctrl-C.
pub(crate) fn exit_code() -> u8 {
    u8::try_from(128 + SIGNAL.load(Ordering::Relaxed)).unwrap_or(u8::MAX)
}
