//! The JSON of a header, read an entry at a time: a hundred megabytes of it are never in memory.

use std::cell::Cell;
use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read};

use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::super::SourceFile;
use crate::json::Json;
use crate::{Error, Result};

/// What is read from the file at a time.
const BUFFER_BYTES: usize = 1 << 16;

/// Calls `take` for each member of the object in the next `bytes` bytes of `file`, in their order. A problem that it
/// finds ends the reading.
///
/// # Errors
/// With that problem, and when the bytes are no object in JSON, or there are fewer.
pub(super) fn for_each_entry(
    file: &SourceFile,
    bytes: u64,
    take: impl FnMut(String, Json) -> Result<(), String>,
) -> Result<()> {
    let bad = |problem: String| Error::bad(&file.path, problem);
    let left = Cell::new(bytes);
    let part = BufReader::with_capacity(BUFFER_BYTES, Part { file: &file.file, left: &left });
    let mut json = serde_json::Deserializer::from_reader(part);
    let (mut problem, mut is_object) = (None, false);
    let entries = Entries { take, problem: &mut problem, is_object: &mut is_object };
    let read = json.deserialize_any(entries).and_then(|()| json.end());
    match (problem, read) {
        (Some(problem), _) => Err(bad(problem)),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if error.is_io() => Err(Error::io(&file.path, "read", error.into())),
        (None, Err(error)) if error.is_eof() && left.get() > 0 => {
            Err(bad("the file shrank while it was read".to_owned()))
        }
        // The error quotes what it is instead, all of it.
        (None, Err(error)) if error.is_data() && !is_object => {
            Err(bad("the header is no JSON object".to_owned()))
        }
        (None, Err(error)) => Err(bad(format!("the header: {error}"))),
    }
}

/// The next `left` bytes of a file.
struct Part<'a> {
    file: &'a File,
    left: &'a Cell<u64>,
}

impl Read for Part<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.left.get()).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read(&mut buffer[..left])?;
        self.left.set(self.left.get() - read as u64);
        Ok(read)
    }
}

/// Hands the members of an object on, until one has a problem.
struct Entries<'a, F> {
    take: F,
    problem: &'a mut Option<String>,
    is_object: &'a mut bool,
}

impl<'de, F: FnMut(String, Json) -> Result<(), String>> Visitor<'de> for Entries<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<(), A::Error> {
        *self.is_object = true;
        while let Some((name, entry)) = access.next_entry()? {
            if let Err(problem) = (self.take)(name, entry) {
                *self.problem = Some(problem);
                // Not seen by anybody.
                return Err(de::Error::custom("a problem"));
            }
        }
        Ok(())
    }
}
