//! The words of the format: magic, versions, byte orders and value types.
//!
//! Spec: container.md, "Header"; metadata.md, "Value types".

use byteorder::{BigEndian, ByteOrder, LittleEndian};

/// The first four bytes of every file.
pub const MAGIC: [u8; 4] = *b"GGUF";

/// The version that is written.
pub const VERSION: u32 = 3;

/// Alignment of tensor data where the file does not name one, in bytes.
pub const DEFAULT_ALIGNMENT: u64 = 32;

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: u64 = 65_535;

/// The longest tensor name that is written, in bytes: ggml keeps 64 with a closing zero.
pub const MAX_WRITTEN_NAME_BYTES: usize = 63;

/// The most dimensions a tensor has.
pub const MAX_RANK: usize = 4;

/// The largest alignment, in bytes.
pub const MAX_ALIGNMENT: u64 = 1 << 20;

/// The order of bytes in the numbers of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// Least significant byte first: nearly every file, and every file that is written.
    Little,
    /// Most significant byte first.
    Big,
}

impl Endian {
    /// "little-endian" or "big-endian".
    pub fn name(self) -> &'static str {
        match self {
            Self::Little => "little-endian",
            Self::Big => "big-endian",
        }
    }
}

/// How a file spells numbers: its byte order, and the width of lengths and counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// The byte order.
    pub endian: Endian,
    /// Lengths, counts and dimensions take 4 bytes (version 1) rather than 8.
    pub narrow: bool,
}

impl Wire {
    /// What is written: little-endian, 8-byte lengths.
    pub const WRITTEN: Self = Self { endian: Endian::Little, narrow: false };

    /// Bytes of a length, a count or a dimension.
    pub fn length_bytes(self) -> usize {
        if self.narrow { 4 } else { 8 }
    }

    /// An unsigned number of 1, 2, 4 or 8 bytes, widened.
    pub(crate) fn unsigned(self, bytes: &[u8]) -> u64 {
        match (self.endian, bytes.len()) {
            (_, 0) => 0,
            (Endian::Little, n) => LittleEndian::read_uint(bytes, n.min(8)),
            (Endian::Big, n) => BigEndian::read_uint(bytes, n.min(8)),
        }
    }

    /// A signed number of 1, 2, 4 or 8 bytes, widened.
    pub(crate) fn signed(self, bytes: &[u8]) -> i64 {
        match (self.endian, bytes.len()) {
            (_, 0) => 0,
            (Endian::Little, n) => LittleEndian::read_int(bytes, n.min(8)),
            (Endian::Big, n) => BigEndian::read_int(bytes, n.min(8)),
        }
    }
}

/// The type of a metadata value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ValueType {
    /// Unsigned, 8 bits.
    U8 = 0,
    /// Signed, 8 bits.
    I8 = 1,
    /// Unsigned, 16 bits.
    U16 = 2,
    /// Signed, 16 bits.
    I16 = 3,
    /// Unsigned, 32 bits.
    U32 = 4,
    /// Signed, 32 bits.
    I32 = 5,
    /// IEEE binary32.
    F32 = 6,
    /// One byte, 0 or 1.
    Bool = 7,
    /// A length and bytes, meant to be UTF-8.
    String = 8,
    /// An element type, a length, and the elements.
    Array = 9,
    /// Unsigned, 64 bits.
    U64 = 10,
    /// Signed, 64 bits.
    I64 = 11,
    /// IEEE binary64.
    F64 = 12,
}

impl ValueType {
    /// Every type, by id.
    pub const ALL: [Self; 13] = [
        Self::U8,
        Self::I8,
        Self::U16,
        Self::I16,
        Self::U32,
        Self::I32,
        Self::F32,
        Self::Bool,
        Self::String,
        Self::Array,
        Self::U64,
        Self::I64,
        Self::F64,
    ];

    /// The type with this id in a file.
    pub fn from_id(id: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(id).ok()?).copied()
    }

    /// The id in a file.
    pub fn id(self) -> u32 {
        self as u32
    }

    /// A short name: "u32", "string".
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::I8 => "i8",
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::F32 => "f32",
            Self::Bool => "bool",
            Self::String => "string",
            Self::Array => "array",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F64 => "f64",
        }
    }

    /// Bytes of a value, or `None` where the value says itself how long it is.
    pub fn fixed_bytes(self) -> Option<usize> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::String | Self::Array => None,
        }
    }

    /// The fewest bytes a value can take.
    pub(crate) fn min_bytes(self, wire: Wire) -> u64 {
        let bytes = match self {
            Self::String => wire.length_bytes(),
            Self::Array => 4 + wire.length_bytes(),
            fixed => fixed.fixed_bytes().unwrap_or(1),
        };
        bytes as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_type_is_found_under_its_own_id() {
        for ty in ValueType::ALL {
            assert_eq!(ValueType::from_id(ty.id()), Some(ty));
        }
        assert_eq!(ValueType::from_id(13), None);
        assert_eq!(ValueType::from_id(u32::MAX), None);
    }

    #[test]
    fn numbers_follow_the_byte_order() {
        let big = Wire { endian: Endian::Big, narrow: false };
        assert_eq!(Wire::WRITTEN.unsigned(&[1, 2]), 0x0201);
        assert_eq!(big.unsigned(&[1, 2]), 0x0102);
        assert_eq!(big.signed(&[0xff, 0xfe]), -2);
    }
}
