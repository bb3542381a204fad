//! Metadata that is being made: owned, ordered, checked as it grows.

use super::{Metadata, OwnedValue, Value};
use crate::error::{Error, Result};
use crate::read::check_key;

/// Owned metadata in the order in which it is written.
///
/// ```
/// # use briq_format::metadata::MetadataBuf;
/// let mut metadata = MetadataBuf::new();
/// metadata.set("general.architecture", "llama")?;
/// metadata.set("llama.block_count", 32_u32)?;
/// assert_eq!(metadata.get("llama.block_count").and_then(|value| value.as_u64()), Some(32));
/// # Ok::<(), briq_format::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetadataBuf {
    entries: Vec<(String, OwnedValue)>,
}

impl MetadataBuf {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Stores `value` under `key`. A key that is there already keeps its place and takes the new value.
    ///
    /// # Errors
    /// When the key breaks the rules of metadata.md, "Keys".
    pub fn set(&mut self, key: &str, value: impl Into<OwnedValue>) -> Result<()> {
        check_key(key.as_bytes()).map_err(Error::Invalid)?;
        let value = value.into();
        match self.entries.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value,
            None => self.entries.push((key.to_owned(), value)),
        }
        Ok(())
    }

    /// Stores `value` under `key`, after all other keys.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_last(&mut self, key: &str, value: impl Into<OwnedValue>) -> Result<()> {
        self.remove(key);
        self.set(key, value)
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<Value<'_>> {
        self.entries.iter().find(|(known, _)| known == key)?.1.as_value()
    }

    /// Whether there is a value under `key`.
    pub fn contains(&self, key: &str) -> bool {
        self.entries.iter().any(|(known, _)| known == key)
    }

    /// Takes `key` out; whether it was there.
    pub fn remove(&mut self, key: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|(known, _)| known != key);
        self.entries.len() < before
    }

    /// Takes out all keys that begin with `prefix`.
    pub fn remove_all(&mut self, prefix: &str) {
        self.entries.retain(|(known, _)| !known.starts_with(prefix));
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.entries.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_value()?)))
    }

    /// Bytes that the keys and values take in a file.
    pub(crate) fn written_bytes(&self) -> usize {
        self.entries.iter().map(|(key, value)| 8 + key.len() + 4 + value.bytes().len()).sum()
    }

    /// Appends the keys and values as version 3 spells them.
    pub(crate) fn write_to(&self, out: &mut Vec<u8>) {
        for (key, value) in &self.entries {
            out.extend((key.len() as u64).to_le_bytes());
            out.extend(key.as_bytes());
            out.extend(value.value_type().id().to_le_bytes());
            out.extend(value.bytes());
        }
    }
}

impl From<Metadata<'_>> for MetadataBuf {
    fn from(metadata: Metadata<'_>) -> Self {
        // An open file has no key twice and no bad key, so there is nothing to check again.
        let entries = metadata.iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        Self { entries }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_set_twice_keeps_its_place_and_takes_the_last_value() {
        let mut metadata = MetadataBuf::new();
        metadata.set("a", 1_u32).unwrap();
        metadata.set("b", "x").unwrap();
        metadata.set("a", 2.5_f32).unwrap();
        let entries: Vec<_> = metadata.iter().collect();
        assert_eq!(entries[0], ("a", Value::F32(2.5)));
        assert_eq!(entries.len(), 2);
        metadata.set_last("a", 3_u32).unwrap();
        assert_eq!(metadata.iter().last(), Some(("a", Value::U32(3))));
    }

    #[test]
    fn a_key_that_no_reader_would_take_is_refused() {
        let mut metadata = MetadataBuf::new();
        let long = "k".repeat(65_536);
        for (key, message) in [
            ("", "the key is empty; it must have 1 to 65535 bytes"),
            ("a\0b", "the key \"a\\u{0}b\" holds a control character"),
            ("a\nb", "the key \"a\\nb\" holds a control character"),
            (long.as_str(), "the key has 65536 bytes, where at most 65535 are allowed"),
        ] {
            assert_eq!(metadata.set(key, 1_u32).unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn arrays_come_back_as_they_went_in() {
        let mut metadata = MetadataBuf::new();
        metadata.set("tokens", vec!["a", "", "ß"]).unwrap();
        metadata.set("scores", vec![0.5_f32, -1.0]).unwrap();
        let tokens = metadata.get("tokens").and_then(|value| value.as_array()).unwrap();
        assert_eq!(
            tokens.iter().filter_map(|t| t.as_str().map(str::to_owned)).collect::<Vec<_>>(),
            ["a", "", "ß"]
        );
        let scores = metadata.get("scores").and_then(|value| value.as_array()).unwrap();
        assert_eq!(scores.get(1), Some(Value::F32(-1.0)));
        assert_eq!(scores.get(2), None);
    }
}
