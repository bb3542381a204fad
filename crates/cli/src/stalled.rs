//! Writing to a reader who may have stopped reading: nothing but the end of the process ends such a write.
//!
//! Whoever waits for an interrupt to be noticed can ask here whether the work is at such a write, and end the process
//! then. What was written is with the reader; it cannot be taken back, and is not a whole model.

// Only where signals are watched by a thread of their own does somebody ask.
#![cfg_attr(not(unix), allow(dead_code))]

use std::io::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;

/// What the thread that writes is at. There is one: reports and models are written by the thread of `main`.
static STATE: AtomicU8 = AtomicU8::new(IDLE);

const IDLE: u8 = 0;
const WRITING: u8 = 1;
/// Another thread ends the process, because of a write that was under way.
const ENDING: u8 = 2;

/// Output whose writes are found by [`take_over`].
pub(crate) struct MayStall<W>(pub(crate) W);

impl<W: Write> Write for MayStall<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        watched(|| self.0.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        watched(|| self.0.flush())
    }
}

fn watched<T>(write: impl FnOnce() -> T) -> T {
    STATE.store(WRITING, Ordering::SeqCst);
    let done = write();
    if STATE.compare_exchange(WRITING, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_err() {
        // It went on after all, too late: the other thread has the last word.
        loop {
            thread::park();
        }
    }
    done
}

/// Whether a write is under way. Where one is, the process is the caller's to end: what comes behind the write never
/// happens.
pub(crate) fn take_over() -> bool {
    STATE.compare_exchange(WRITING, ENDING, Ordering::SeqCst, Ordering::SeqCst).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, RecvTimeoutError};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_write_that_is_taken_over_never_returns_and_no_other_is_taken_over() {
        assert!(!take_over());
        MayStall(Vec::new()).write_all(b"done").unwrap();
        assert!(!take_over());
        let (begun, has_begun) = mpsc::channel();
        let (go_on, may_go_on) = mpsc::channel();
        let (returned, has_returned) = mpsc::channel::<()>();
        thread::spawn(move || {
            watched(|| {
                begun.send(()).unwrap();
                may_go_on.recv().unwrap()
            });
            drop(returned);
        });
        has_begun.recv().unwrap();
        assert!(take_over() && !take_over());
        go_on.send(()).unwrap();
        let answer = has_returned.recv_timeout(Duration::from_millis(100));
        assert_eq!(answer, Err(RecvTimeoutError::Timeout));
        STATE.store(IDLE, Ordering::SeqCst);
    }
}
