//! Values that own their bytes, already in the form in which they are written.

use super::Value;
use crate::wire::{Endian, ValueType, Wire};

/// A value to be written: its type, and its bytes as version 3 spells them.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnedValue {
    ty: ValueType,
    bytes: Vec<u8>,
}

impl OwnedValue {
    /// The type under which the value is stored.
    pub fn value_type(&self) -> ValueType {
        self.ty
    }

    /// The value, borrowed.
    pub fn as_value(&self) -> Option<Value<'_>> {
        Value::take(self.ty, &mut self.bytes.as_slice(), Wire::WRITTEN)
    }

    /// The bytes after the value type in a file of version 3, little-endian.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn array(element_type: ValueType, len: usize) -> Self {
        let mut bytes = Vec::with_capacity(12 + len * element_type.fixed_bytes().unwrap_or(16));
        bytes.extend(element_type.id().to_le_bytes());
        bytes.extend((len as u64).to_le_bytes());
        Self { ty: ValueType::Array, bytes }
    }

    fn push_string(&mut self, text: &[u8]) {
        self.bytes.extend((text.len() as u64).to_le_bytes());
        self.bytes.extend(text);
    }

    fn push(&mut self, value: Value<'_>) {
        match value {
            Value::U8(n) => self.bytes.push(n),
            Value::I8(n) => self.bytes.extend(n.to_le_bytes()),
            Value::U16(n) => self.bytes.extend(n.to_le_bytes()),
            Value::I16(n) => self.bytes.extend(n.to_le_bytes()),
            Value::U32(n) => self.bytes.extend(n.to_le_bytes()),
            Value::I32(n) => self.bytes.extend(n.to_le_bytes()),
            Value::F32(x) => self.bytes.extend(x.to_bits().to_le_bytes()),
            Value::Bool(b) => self.bytes.push(b.into()),
            Value::String(text) => self.push_string(text.as_bytes()),
            Value::U64(n) => self.bytes.extend(n.to_le_bytes()),
            Value::I64(n) => self.bytes.extend(n.to_le_bytes()),
            Value::F64(x) => self.bytes.extend(x.to_bits().to_le_bytes()),
            Value::Array(array) => {
                self.bytes.extend(array.element_type().id().to_le_bytes());
                self.bytes.extend(array.len().to_le_bytes());
                let written = array.wire() == Wire::WRITTEN
                    || (array.wire().endian == Endian::Little
                        && array.element_type().fixed_bytes().is_some());
                if written {
                    self.bytes.extend(array.bytes());
                } else {
                    array.iter().for_each(|element| self.push(element));
                }
            }
        }
    }
}

impl From<Value<'_>> for OwnedValue {
    fn from(value: Value<'_>) -> Self {
        let mut owned = Self { ty: value.value_type(), bytes: Vec::new() };
        owned.push(value);
        owned
    }
}

impl From<&str> for OwnedValue {
    fn from(text: &str) -> Self {
        let mut owned = Self { ty: ValueType::String, bytes: Vec::with_capacity(8 + text.len()) };
        owned.push_string(text.as_bytes());
        owned
    }
}

impl From<String> for OwnedValue {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

macro_rules! numbers {
    ($($number:ty, $ty:ident;)*) => { $(
        impl From<$number> for OwnedValue {
            fn from(number: $number) -> Self {
                Self { ty: ValueType::$ty, bytes: number.to_le_bytes().to_vec() }
            }
        }

        impl From<&[$number]> for OwnedValue {
            fn from(numbers: &[$number]) -> Self {
                let mut owned = Self::array(ValueType::$ty, numbers.len());
                owned.bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
                owned
            }
        }

        impl From<Vec<$number>> for OwnedValue {
            fn from(numbers: Vec<$number>) -> Self {
                numbers.as_slice().into()
            }
        }
    )* };
}

numbers! {
    u8, U8;
    i8, I8;
    u16, U16;
    i16, I16;
    u32, U32;
    i32, I32;
    f32, F32;
    u64, U64;
    i64, I64;
    f64, F64;
}

impl From<bool> for OwnedValue {
    fn from(truth: bool) -> Self {
        Self { ty: ValueType::Bool, bytes: vec![truth.into()] }
    }
}

impl From<Vec<bool>> for OwnedValue {
    fn from(truths: Vec<bool>) -> Self {
        let mut owned = Self::array(ValueType::Bool, truths.len());
        owned.bytes.extend(truths.into_iter().map(u8::from));
        owned
    }
}

macro_rules! strings {
    ($($text:ty),*) => { $(
        impl From<&[$text]> for OwnedValue {
            fn from(texts: &[$text]) -> Self {
                let mut owned = Self::array(ValueType::String, texts.len());
                texts.iter().for_each(|text| owned.push_string(text.as_bytes()));
                owned
            }
        }

        impl From<Vec<$text>> for OwnedValue {
            fn from(texts: Vec<$text>) -> Self {
                texts.as_slice().into()
            }
        }
    )* };
}

strings!(&str, String);
