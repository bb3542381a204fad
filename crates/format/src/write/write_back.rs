//! Writing to the disk what the system would rather keep for later.
//!
//! A system holds written bytes in memory until it runs short of it or somebody waits for them. A program that computes
//! what it writes then waits for all of it at its end, with its processors idle. Begun early, the disk works meanwhile.

use std::fs::File;
use std::ops::Range;

/// Has the system begin to write these bytes of `file` to the disk. The bytes stay in memory for whoever reads next.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(super) fn begin(file: &File, bytes: Range<u64>) {
    use std::os::fd::AsRawFd;

    let len = bytes.end.saturating_sub(bytes.start);
    let (Ok(start), Ok(len)) = (bytes.start.try_into(), len.try_into()) else { return };
    // SAFETY: the call takes a descriptor, which is open as long as `file`, and numbers; it touches no memory.
    // Whatever it returns: an error here takes nothing from the one that a sync will report.
    unsafe { libc::sync_file_range(file.as_raw_fd(), start, len, libc::SYNC_FILE_RANGE_WRITE) };
}

/// Elsewhere there is no call that begins without waiting.
#[cfg(not(target_os = "linux"))]
pub(super) fn begin(_: &File, _: Range<u64>) {}
