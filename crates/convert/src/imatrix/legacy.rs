//! The older form: a bare list of entries, without magic or version. Spec: imatrix.md.
//!
//! ```text
//! | entries: i32 | entry ... | chunks: i32 | length: i32 | dataset |     the last three may be absent
//!
//! | length: i32 | name | calls: i32 | values: i32 | value: f32 ... |     an entry
//! ```

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use briq_format::{Endian, Escaped, counted};

use super::{Contents, Entry, Format, limits};
use crate::{Error, Result};

/// The longest name, in bytes, as for tensors of a GGUF file.
const MAX_NAME_BYTES: i32 = 1024;
/// The smallest entry: three numbers, a name of one byte, one value.
const MIN_ENTRY_BYTES: u64 = 17;

/// Reads everything but the values of a file of `length` bytes.
pub(super) fn read(path: &Path, file: &File, length: u64) -> Result<Contents> {
    let mut cursor = Cursor { path, reader: BufReader::new(file), position: 0, length };
    let mut entries = cursor.entries()?;
    let (chunk_count, datasets) = cursor.end()?;
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Contents {
        format: Format::Legacy,
        endian: Endian::Little,
        datasets,
        chunk_count,
        chunk_size: None,
        entries,
    })
}

/// The only way forward; every length is held against the bytes that are left.
struct Cursor<'a> {
    path: &'a Path,
    reader: BufReader<&'a File>,
    position: u64,
    length: u64,
}

impl Cursor<'_> {
    fn entries(&mut self) -> Result<Vec<Entry>> {
        let hint = "neither a GGUF file nor a legacy importance matrix";
        if self.length < 4 {
            return self.bad(0, format!("the file has {} bytes: it is {hint}", self.length));
        }
        let count = self.number("the number of entries")?;
        let most = self.left() / MIN_ENTRY_BYTES;
        if count < 1 || count as u64 > most {
            let allowed = format!("at least 1 is required, and at most {most} fit the file");
            return self.bad(0, format!("the number of entries is {count}; {allowed}: it is {hint}"));
        }
        let mut names = HashSet::new();
        let mut entries = Vec::new();
        for number in 0..count {
            let at = self.position;
            let entry = self.entry(number)?;
            if !names.insert(entry.name.clone()) {
                return self.bad(at, format!("entry \"{}\" is there twice", Escaped(entry.name.as_bytes())));
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn entry(&mut self, number: i32) -> Result<Entry> {
        let at = self.position;
        let length = self.number(&format!("the length of the name of entry {number}"))?;
        if !(1..=MAX_NAME_BYTES).contains(&length) {
            return self.bad(
                at,
                format!("the name of entry {number} has length {length}; allowed are 1 to {MAX_NAME_BYTES}"),
            );
        }
        let at = self.position;
        let name = self.text(length as u64, &format!("the name of entry {number}"))?;
        if name.chars().any(char::is_control) {
            let name = Escaped(name.as_bytes());
            return self
                .bad(at, format!("the name of entry {number}, \"{name}\", holds a control character"));
        }
        let what = format!("entry \"{}\"", Escaped(name.as_bytes()));
        let at = self.position;
        let calls = self.number(&what)?;
        if calls < 0 {
            return self.bad(at, format!("{what} counts {calls} calls; allowed are numbers of at least 0"));
        }
        let at = self.position;
        let values = limits::legacy_values(self.number(&what)?);
        let values = values.or_else(|problem| self.bad(at, format!("{what} {problem}")))?;
        let offset = self.position;
        self.skip(4 * values, &format!("{what} with {values} values"))?;
        // Without calls the values are taken as they are, which a count of 1 says too.
        Ok(Entry { name, values, counts: vec![calls.max(1) as f32], offset })
    }

    /// What follows the entries: the number of chunks and the dataset, or nothing.
    fn end(&mut self) -> Result<(Option<u32>, Vec<String>)> {
        if self.left() == 0 {
            return Ok((None, Vec::new()));
        }
        let at = self.position;
        let count = self.number("the number of chunks")?;
        let Ok(chunk_count) = u32::try_from(count) else {
            return self
                .bad(at, format!("the number of chunks is {count}; allowed are numbers of at least 0"));
        };
        let at = self.position;
        let length = self.number("the length of the dataset's name")?;
        if length < 0 || length as u64 != self.left() {
            let left = counted(self.left(), "byte is", "bytes are");
            return self.bad(at, format!("the dataset's name has length {length}, but {left} left"));
        }
        let dataset = self.text(length as u64, "the dataset's name")?;
        Ok((Some(chunk_count), Some(dataset).filter(|name| !name.is_empty()).into_iter().collect()))
    }

    fn left(&self) -> u64 {
        self.length - self.position
    }

    fn number(&mut self, what: &str) -> Result<i32> {
        let mut bytes = [0; 4];
        self.take(&mut bytes, what)?;
        Ok(i32::from_le_bytes(bytes))
    }

    fn text(&mut self, length: u64, what: &str) -> Result<String> {
        let at = self.position;
        self.hold(length, what)?;
        // As long as what is left of the file; a name has its own limit.
        let mut bytes = vec![0; length as usize];
        self.take(&mut bytes, what)?;
        String::from_utf8(bytes).or_else(|_| self.bad(at, format!("{what} is not UTF-8")))
    }

    fn take(&mut self, bytes: &mut [u8], what: &str) -> Result<()> {
        self.hold(bytes.len() as u64, what)?;
        self.reader.read_exact(bytes).map_err(|error| self.failed(error))?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    fn skip(&mut self, bytes: u64, what: &str) -> Result<()> {
        self.hold(bytes, what)?;
        // At most four times the values that are allowed.
        self.reader.seek_relative(bytes as i64).map_err(|error| self.failed(error))?;
        self.position += bytes;
        Ok(())
    }

    fn hold(&self, bytes: u64, what: &str) -> Result<()> {
        match self.left() {
            left if bytes > left => {
                let (need, left) = (counted(bytes, "byte", "bytes"), counted(left, "is", "are"));
                self.bad(self.position, format!("{what} takes {need}, but only {left} left"))
            }
            _ => Ok(()),
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::bad(self.path, "the file became shorter while it was read")
            }
            _ => Error::io(self.path, "read", error),
        }
    }

    fn bad<T>(&self, at: u64, problem: String) -> Result<T> {
        Err(Error::bad(self.path, format!("byte {at}: {problem}")))
    }
}
