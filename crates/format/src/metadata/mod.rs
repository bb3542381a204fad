//! Metadata: ordered keys with typed values.
//!
//! [`Metadata`] is the borrowed view of an open file; [`MetadataBuf`] is owned, and what a writer is given.
//! Both keep the order of the file and everything they do not understand.

mod array;
mod buf;
pub mod keys;
mod owned;
mod value;

pub use array::{Array, Elements};
pub use buf::MetadataBuf;
pub use owned::OwnedValue;
pub use value::{Text, Value};

use crate::read::Span;
use crate::wire::{ValueType, Wire};

/// Where a key and its value lie in the head of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyRecord {
    pub(crate) key: Span,
    pub(crate) value_type: ValueType,
    pub(crate) value: Span,
}

/// The metadata of an open file, borrowed.
#[derive(Clone, Copy, Debug)]
pub struct Metadata<'a> {
    pub(crate) head: &'a [u8],
    pub(crate) records: &'a [KeyRecord],
    /// Indices of `records` in the order of their keys.
    pub(crate) by_key: &'a [u32],
    pub(crate) wire: Wire,
}

impl<'a> Metadata<'a> {
    /// The number of keys.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The value under `key`.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        let found = self.by_key.binary_search_by(|&index| self.key_bytes(index as usize).cmp(key.as_bytes()));
        let record = self.records.get(*self.by_key.get(found.ok()?)? as usize)?;
        self.value(record)
    }

    /// Keys and values in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> + use<'a> {
        let this = *self;
        this.records.iter().filter_map(move |record| Some((this.key(record)?, this.value(record)?)))
    }

    /// The unsigned number under `key`, whatever integer type stores it.
    pub fn u64(&self, key: &str) -> Option<u64> {
        self.get(key)?.as_u64()
    }

    /// The text under `key`.
    pub fn str(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }

    /// The architecture the file names, as in `llama`.
    pub fn architecture(&self) -> Option<&'a str> {
        self.str(keys::ARCHITECTURE)
    }

    fn key_bytes(&self, index: usize) -> &'a [u8] {
        self.records.get(index).map_or(&[], |record| record.key.of(self.head))
    }

    // Opening proved that keys are UTF-8 and values whole, so nothing is ever missing here.
    fn key(&self, record: &KeyRecord) -> Option<&'a str> {
        std::str::from_utf8(record.key.of(self.head)).ok()
    }

    fn value(&self, record: &KeyRecord) -> Option<Value<'a>> {
        Value::take(record.value_type, &mut record.value.of(self.head), self.wire)
    }
}
