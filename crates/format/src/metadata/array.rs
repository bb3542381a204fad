//! Arrays stay flat: the bytes of the file, decoded element by element when somebody looks.

use super::Value;
use crate::wire::{ValueType, Wire};

/// A row of values of one type, borrowed from the file.
///
/// A vocabulary of 262,144 tokens costs nothing until it is read: opening a file proves that every element
/// lies inside it, and keeps no index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<'a> {
    element_type: ValueType,
    len: u64,
    bytes: &'a [u8],
    wire: Wire,
}

impl<'a> Array<'a> {
    /// The type of the elements.
    pub fn element_type(&self) -> ValueType {
        self.element_type
    }

    /// The number of elements.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The elements as they lie in the file, without the element type and the length.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How the file spells the elements.
    pub(super) fn wire(&self) -> Wire {
        self.wire
    }

    /// The elements in order. Each step costs the same; nothing is allocated.
    pub fn iter(&self) -> Elements<'a> {
        Elements { element_type: self.element_type, left: self.len, bytes: self.bytes, wire: self.wire }
    }

    /// Element `index`: at once for numbers, by walking over the earlier ones for strings and arrays.
    pub fn get(&self, index: u64) -> Option<Value<'a>> {
        if index >= self.len {
            return None;
        }
        match self.element_type.fixed_bytes() {
            Some(size) => {
                let start = usize::try_from(index).ok()?.checked_mul(size)?;
                Value::take(self.element_type, &mut self.bytes.get(start..)?, self.wire)
            }
            None => self.iter().nth(usize::try_from(index).ok()?),
        }
    }

    /// Takes an array (element type, length, elements) off the front of `bytes`.
    pub(super) fn take(bytes: &mut &'a [u8], wire: Wire) -> Option<Self> {
        let element_type = ValueType::from_id(wire.unsigned(bytes.split_off(..4)?) as u32)?;
        let len = wire.unsigned(bytes.split_off(..wire.length_bytes())?);
        let elements = *bytes;
        match element_type.fixed_bytes() {
            Some(size) => {
                let total = usize::try_from(len).ok()?.checked_mul(size)?;
                bytes.split_off(..total)?;
            }
            None => {
                for _ in 0..len {
                    Value::take(element_type, bytes, wire)?;
                }
            }
        }
        let taken = elements.len() - bytes.len();
        Some(Self { element_type, len, bytes: &elements[..taken], wire })
    }
}

impl<'a> IntoIterator for Array<'a> {
    type Item = Value<'a>;
    type IntoIter = Elements<'a>;

    fn into_iter(self) -> Elements<'a> {
        self.iter()
    }
}

/// The elements of an [`Array`] in order.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    element_type: ValueType,
    left: u64,
    bytes: &'a [u8],
    wire: Wire,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        self.left = self.left.checked_sub(1)?;
        Value::take(self.element_type, &mut self.bytes, self.wire)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        (left, Some(left))
    }
}
