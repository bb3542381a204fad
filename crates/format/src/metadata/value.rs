//! A metadata value as it lies in the file: borrowed, decoded when asked.

use std::fmt;
use std::str::Utf8Error;

use super::Array;
use crate::Escaped;
use crate::wire::{ValueType, Wire};

/// A value of the metadata, borrowed from the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// Unsigned, 8 bits.
    U8(u8),
    /// Signed, 8 bits.
    I8(i8),
    /// Unsigned, 16 bits.
    U16(u16),
    /// Signed, 16 bits.
    I16(i16),
    /// Unsigned, 32 bits.
    U32(u32),
    /// Signed, 32 bits.
    I32(i32),
    /// IEEE binary32.
    F32(f32),
    /// True or false.
    Bool(bool),
    /// Text.
    String(Text<'a>),
    /// A row of values of one type.
    Array(Array<'a>),
    /// Unsigned, 64 bits.
    U64(u64),
    /// Signed, 64 bits.
    I64(i64),
    /// IEEE binary64.
    F64(f64),
}

impl<'a> Value<'a> {
    /// The type under which the value is stored.
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::U8(_) => ValueType::U8,
            Self::I8(_) => ValueType::I8,
            Self::U16(_) => ValueType::U16,
            Self::I16(_) => ValueType::I16,
            Self::U32(_) => ValueType::U32,
            Self::I32(_) => ValueType::I32,
            Self::F32(_) => ValueType::F32,
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
            Self::Array(_) => ValueType::Array,
            Self::U64(_) => ValueType::U64,
            Self::I64(_) => ValueType::I64,
            Self::F64(_) => ValueType::F64,
        }
    }

    /// The value as an unsigned number, whatever integer type stores it; `None` for negative numbers and
    /// for everything else.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U8(n) => Some(n.into()),
            Self::U16(n) => Some(n.into()),
            Self::U32(n) => Some(n.into()),
            Self::U64(n) => Some(n),
            Self::I8(n) => u64::try_from(n).ok(),
            Self::I16(n) => u64::try_from(n).ok(),
            Self::I32(n) => u64::try_from(n).ok(),
            Self::I64(n) => u64::try_from(n).ok(),
            _ => None,
        }
    }

    /// The value as text, where it is a string of UTF-8.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::String(text) => text.as_str().ok(),
            _ => None,
        }
    }

    /// The value as a floating-point number, where it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::F32(x) => Some(x.into()),
            Self::F64(x) => Some(x),
            _ => None,
        }
    }

    /// The value as a truth value, where it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Self::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// The value as an array, where it is one.
    pub fn as_array(&self) -> Option<Array<'a>> {
        match *self {
            Self::Array(array) => Some(array),
            _ => None,
        }
    }

    /// Takes a value of type `ty` off the front of `bytes`; `None` where they are too few or break a rule.
    pub(crate) fn take(ty: ValueType, bytes: &mut &'a [u8], wire: Wire) -> Option<Self> {
        // The casts keep exactly the bits that were stored: each number was widened from its own width.
        Some(match ty {
            ValueType::U8 => Self::U8(wire.unsigned(bytes.split_off(..1)?) as u8),
            ValueType::I8 => Self::I8(wire.signed(bytes.split_off(..1)?) as i8),
            ValueType::U16 => Self::U16(wire.unsigned(bytes.split_off(..2)?) as u16),
            ValueType::I16 => Self::I16(wire.signed(bytes.split_off(..2)?) as i16),
            ValueType::U32 => Self::U32(wire.unsigned(bytes.split_off(..4)?) as u32),
            ValueType::I32 => Self::I32(wire.signed(bytes.split_off(..4)?) as i32),
            ValueType::F32 => Self::F32(f32::from_bits(wire.unsigned(bytes.split_off(..4)?) as u32)),
            ValueType::U64 => Self::U64(wire.unsigned(bytes.split_off(..8)?)),
            ValueType::I64 => Self::I64(wire.signed(bytes.split_off(..8)?)),
            ValueType::F64 => Self::F64(f64::from_bits(wire.unsigned(bytes.split_off(..8)?))),
            ValueType::Bool => match bytes.split_off_first()? {
                0 => Self::Bool(false),
                1 => Self::Bool(true),
                _ => return None,
            },
            ValueType::String => {
                let length = usize::try_from(wire.unsigned(bytes.split_off(..wire.length_bytes())?)).ok()?;
                Self::String(Text(bytes.split_off(..length)?))
            }
            ValueType::Array => Self::Array(Array::take(bytes, wire)?),
        })
    }
}

/// A string of the file: bytes that should be UTF-8 and are kept as they are when they are not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(pub &'a [u8]);

impl<'a> Text<'a> {
    /// The bytes, exactly as stored.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The text.
    ///
    /// # Errors
    /// When the bytes are not UTF-8; raw byte tokens of a vocabulary are a real case.
    pub fn as_str(self) -> Result<&'a str, Utf8Error> {
        std::str::from_utf8(self.0)
    }
}

impl fmt::Display for Text<'_> {
    /// The text on one line, made safe to print.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped(self.0).fmt(f)
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}
