//! The only way forward through the head of a file.
//!
//! A cursor owns a position; [`Cursor::take`] moves it, and holds every length against the bytes that remain
//! in the file before anything is done with it. The head may still be partly on disk: then the cursor stops
//! and says how much it needs.

use crate::error::{Error, Result};
use crate::wire::Wire;
use crate::words::counted;

use super::Limits;

/// A range of bytes in the head of a file, proved to lie inside it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: usize,
    len: usize,
}

impl Span {
    /// The bytes of this range in `head`, the same head that the range was proved for.
    pub(crate) fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.start..).and_then(|rest| rest.get(..self.len)).unwrap_or_default()
    }

    /// Where the range begins, from the beginning of the file.
    pub(crate) fn start(self) -> u64 {
        self.start as u64
    }
}

/// Why parsing came to a halt.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The head is longer than the bytes at hand: come back with at least this many.
    Need(u64),
    /// The file is bad.
    Fail(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Fail(error)
    }
}

pub(crate) struct Cursor<'a> {
    /// The front of the file; all of it, or as much as has been read.
    head: &'a [u8],
    file_bytes: u64,
    pub(crate) limits: &'a Limits,
    position: usize,
    pub(crate) wire: Wire,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(head: &'a [u8], file_bytes: u64, limits: &'a Limits) -> Self {
        Self { head, file_bytes, limits, position: 0, wire: Wire::WRITTEN }
    }

    /// Bytes from the beginning of the file.
    pub(crate) fn position(&self) -> u64 {
        self.position as u64
    }

    /// An error at the position reached.
    pub(crate) fn fail(&self, problem: impl Into<String>) -> Stop {
        Error::malformed(self.position(), problem).into()
    }

    /// The next `len` bytes, which are `what`.
    pub(crate) fn take(&mut self, len: u64, what: impl FnOnce() -> String) -> Result<Span, Stop> {
        let left = self.file_bytes - self.position();
        if len > left {
            let (need, left) = (counted(len, "byte", "bytes"), counted(left, "is", "are"));
            return Err(self.fail(format!("{} takes {need}, but only {left} left", what())));
        }
        // No overflow: both parts are at most the size of the file.
        let end = self.position() + len;
        let what = "the size of header, metadata and tensor table in bytes";
        self.limit(self.position(), what, end, self.limits.head_bytes)?;
        if end > self.head.len() as u64 {
            return Err(Stop::Need(end));
        }
        // No truncation: the range lies inside a slice.
        let span = Span { start: self.position, len: len as usize };
        self.position += span.len;
        Ok(span)
    }

    /// The range from `start` up to the position reached.
    pub(crate) fn since(&self, start: u64) -> Span {
        // No truncation: the start is a position that this cursor had.
        let start = start as usize;
        Span { start, len: self.position.saturating_sub(start) }
    }

    pub(crate) fn bytes(&self, span: Span) -> &'a [u8] {
        span.of(self.head)
    }

    pub(crate) fn u32(&mut self, what: &str) -> Result<u32, Stop> {
        let span = self.take(4, || what.to_owned())?;
        // Four bytes widened; nothing is lost.
        Ok(self.wire.unsigned(self.bytes(span)) as u32)
    }

    pub(crate) fn u64(&mut self, what: &str) -> Result<u64, Stop> {
        let span = self.take(8, || what.to_owned())?;
        Ok(self.wire.unsigned(self.bytes(span)))
    }

    /// A length, a count or a dimension, 4 or 8 bytes wide as the version has it.
    pub(crate) fn length(&mut self, what: impl FnOnce() -> String) -> Result<u64, Stop> {
        let span = self.take(self.wire.length_bytes() as u64, what)?;
        Ok(self.wire.unsigned(self.bytes(span)))
    }

    /// The number of entries in a table, of which `what` is one, that take at least `min_bytes` each, refused where the
    /// file cannot hold them, or 32 bits cannot tell them apart.
    pub(crate) fn count(&mut self, what: &str, min_bytes: u64) -> Result<u64, Stop> {
        let at = self.position();
        let count = self.length(|| format!("the number of {what}s"))?;
        self.hold(at, count, what, String::new, min_bytes)?;
        if count > u32::MAX.into() {
            let problem = format!("{count} {what}s, where at most {} are allowed", u32::MAX);
            return Err(Error::malformed(at, problem).into());
        }
        Ok(count)
    }

    /// Holds `count` things of at least `min_bytes` each against the bytes that remain. One of them is `what`; `of`
    /// what they are is said behind it, where there is something to say: of arrays there are many, and keys are long.
    pub(crate) fn hold(
        &self,
        at: u64,
        count: u64,
        what: &str,
        of: impl FnOnce() -> String,
        min_bytes: u64,
    ) -> Result<(), Stop> {
        let left = self.file_bytes - self.position();
        if count > left / min_bytes.max(1) {
            let (each, left) = (counted(min_bytes, "byte", "bytes"), counted(left, "is", "are"));
            let of = of();
            let need = match count {
                1 => format!("1 {what}{of} takes at least {each}"),
                _ => format!("{count} {what}s{of} take at least {each} each"),
            };
            let problem = format!("{need}, but only {left} left");
            return Err(Error::malformed(at, problem).into());
        }
        Ok(())
    }

    /// Holds `found` of `what` at byte `at` against a limit of the caller's.
    pub(crate) fn limit(&self, at: u64, what: &'static str, found: u64, limit: u64) -> Result<(), Stop> {
        if found > limit {
            return Err(Error::LimitExceeded { at, what, found, limit }.into());
        }
        Ok(())
    }

    /// A length and that many bytes.
    pub(crate) fn string(&mut self, what: impl Fn() -> String) -> Result<Span, Stop> {
        let len = self.length(|| format!("the length of {}", what()))?;
        self.take(len, what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_as_many_entries_as_32_bits_can_tell_apart() {
        let count = |number: u64| {
            let head = number.to_le_bytes();
            let counted = Cursor::new(&head, 1 << 40, &Limits::default()).count("key", 14);
            counted.map_err(|stop| match stop {
                Stop::Fail(error) => error.to_string(),
                Stop::Need(bytes) => bytes.to_string(),
            })
        };
        assert_eq!(count(4_294_967_295), Ok(4_294_967_295));
        let problem = "byte 0: 4294967296 keys, where at most 4294967295 are allowed";
        assert_eq!(count(4_294_967_296), Err(problem.to_owned()));
    }
}
