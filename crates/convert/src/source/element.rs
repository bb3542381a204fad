//! What a source stores its numbers as.

use std::fmt;

use briq_format::{TensorType, TypeId};

/// The type of a source tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// A type that a GGUF file can hold too.
    Known(TensorType),
    /// A number type of safetensors that GGUF has no counterpart for; carries its name there.
    Foreign(&'static str),
    /// A GGUF type id that briq does not know; such a tensor can be carried, but not read.
    Unknown(TypeId),
}

impl Element {
    /// The type, where GGUF has it.
    pub fn known(self) -> Option<TensorType> {
        match self {
            Self::Known(ty) => Some(ty),
            _ => None,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(ty) => write!(f, "{ty}"),
            Self::Foreign(name) => f.write_str(name),
            Self::Unknown(id) => write!(f, "{id}"),
        }
    }
}

/// The number types of safetensors: name, bits, and what they are here.
pub(super) const SAFETENSORS_TYPES: &[(&str, u64, Element)] = &[
    ("F64", 64, Element::Known(TensorType::F64)),
    ("F32", 32, Element::Known(TensorType::F32)),
    ("F16", 16, Element::Known(TensorType::F16)),
    ("BF16", 16, Element::Known(TensorType::BF16)),
    ("I64", 64, Element::Known(TensorType::I64)),
    ("I32", 32, Element::Known(TensorType::I32)),
    ("I16", 16, Element::Known(TensorType::I16)),
    ("I8", 8, Element::Known(TensorType::I8)),
    ("U64", 64, Element::Foreign("U64")),
    ("U32", 32, Element::Foreign("U32")),
    ("U16", 16, Element::Foreign("U16")),
    ("U8", 8, Element::Foreign("U8")),
    ("BOOL", 8, Element::Foreign("BOOL")),
    ("C64", 64, Element::Foreign("C64")),
    ("F8_E4M3", 8, Element::Foreign("F8_E4M3")),
    ("F8_E5M2", 8, Element::Foreign("F8_E5M2")),
    ("F8_E8M0", 8, Element::Foreign("F8_E8M0")),
    ("F8_E4M3FNUZ", 8, Element::Foreign("F8_E4M3FNUZ")),
    ("F8_E5M2FNUZ", 8, Element::Foreign("F8_E5M2FNUZ")),
    ("F6_E2M3", 6, Element::Foreign("F6_E2M3")),
    ("F6_E3M2", 6, Element::Foreign("F6_E3M2")),
    ("F4", 4, Element::Foreign("F4")),
];
