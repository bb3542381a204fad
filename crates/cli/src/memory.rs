//! Memory that runs out: an error like others, where Rust would abort.
//!
//! Most memory is asked for where nobody can say what to do without it. So the allocator itself ends the program: the
//! temporary files are removed, and the outputs are what they were.

// To be the allocator of a program is to promise what the trait asks for.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, Write};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::exit::SYSTEM_FAILED;

#[global_allocator]
static MEMORY: OrEnd = OrEnd;

/// The allocator of the system, which ends the program where it has no more.
struct OrEnd;

// SAFETY: every method is that of the system's allocator, called with what the caller called it with, and gives what
// that one gave; where it gave nothing, the method does not return, and does not unwind.
unsafe impl GlobalAlloc for OrEnd {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that is asked for.
        given(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        given(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        // SAFETY: as above.
        given(unsafe { System.realloc(old, layout, bytes) }, bytes)
    }

    unsafe fn dealloc(&self, given: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(given, layout) }
    }
}

#[inline]
fn given(memory: *mut u8, bytes: usize) -> *mut u8 {
    if memory.is_null() {
        end(bytes);
    }
    memory
}

/// Ends the program because the system refused `bytes` bytes. Asks for none itself, and cannot panic.
#[cold]
fn end(bytes: usize) -> ! {
    static IS_ENDING: AtomicBool = AtomicBool::new(false);
    thread_local! {
        static IS_ENDING_IT: Cell<bool> = const { Cell::new(false) };
    }
    if IS_ENDING_IT.replace(true) {
        // The end itself needed memory. What is left behind, the next run removes.
        process::abort();
    }
    if IS_ENDING.swap(true, Ordering::SeqCst) {
        // Another thread is at it.
        loop {
            thread::sleep(Duration::from_secs(1));
        }
    }
    briq_format::remove_unfinished();
    let mut line = [0; 100];
    let room = line.len();
    let mut rest = &mut line[..];
    // The line has room for it, and where standard error cannot be written the exit code has to do.
    let _ = writeln!(rest, "briq: out of memory: the system refused {bytes} bytes");
    let len = room - rest.len();
    let _ = say(&line[..len]);
    // At once: what others do at an exit may wait for what this thread was at.
    signal_hook::low_level::exit(SYSTEM_FAILED.into())
}

/// Writes to standard error, whoever is about to: a thread that waits here for memory may hold its lock.
#[cfg(unix)]
fn say(line: &[u8]) -> io::Result<()> {
    use std::os::fd::AsFd;

    std::fs::File::from(io::stderr().as_fd().try_clone_to_owned()?).write_all(line)
}

#[cfg(not(unix))]
fn say(line: &[u8]) -> io::Result<()> {
    io::stderr().write_all(line)
}
