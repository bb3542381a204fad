//! The table of tensor types, and what is derived from it.
//!
//! One row per type, in `types/table.rs`. The enum, its numbers, names and sizes, the [`Block`] implementations and, by
//! [`for_each_type!`](crate::for_each_type) and [`for_each_weight_type!`](crate::for_each_weight_type), every match
//! over types in other crates come from these rows, so that a type is added in one place. The layouts themselves are in
//! [`crate::block`]; decoding and encoding are not part of this crate.

mod table;

use std::fmt;
use std::str::FromStr;

use crate::block::{self, Block};

/// What the elements of a type are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Weights, as models keep them: these types are encoded, decoded and multiplied.
    Weights,
    /// Floats wider than any that are multiplied: these are encoded and decoded.
    Doubles,
    /// Integers, which are carried as they are, and decoded.
    Integers,
    /// Activations, which become blocks to be multiplied with weights; nobody keeps them.
    Activations,
}

macro_rules! tensor_types {
    ($($id:literal, $name:ident, $elements:literal, $content:ident, $description:literal;)*) => {
        /// A type whose layout is known: what a tensor's elements are stored as.
        ///
        /// The discriminant is the number in the file. Names keep the format's spelling.
        #[allow(non_camel_case_types)]
        #[repr(u32)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum TensorType {
            $(#[doc = concat!($description, ".")] $name = $id,)*
        }

        impl TensorType {
            /// Every type, by id.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name in the format's spelling, such as `Q4_K`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// One line on what a block holds.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => $description,)* }
            }

            /// What its elements are.
            pub const fn content(self) -> Content {
                match self { $(Self::$name => Content::$content,)* }
            }

            /// Elements per block; 1 for plain numbers. A row is a whole number of blocks.
            pub const fn block_elements(self) -> u64 {
                match self { $(Self::$name => $elements,)* }
            }

            /// Bytes per block.
            pub const fn block_bytes(self) -> u64 {
                match self { $(Self::$name => size_of::<block::$name>() as u64,)* }
            }
        }

        impl TryFrom<TypeId> for TensorType {
            type Error = UnknownType;

            fn try_from(id: TypeId) -> Result<Self, UnknownType> {
                match id.0 { $($id => Ok(Self::$name),)* _ => Err(UnknownType(id)) }
            }
        }

        $(impl Block for block::$name {
            const TYPE: TensorType = TensorType::$name;
            const ELEMENTS: usize = $elements;
        })*
    };
}
crate::type_table!([tensor_types]);

impl TensorType {
    /// The number that stands for this type in a file.
    pub const fn id(self) -> TypeId {
        TypeId(self as u32)
    }

    /// Bytes of a row of `elements`, or `None` when they are not whole blocks or the product leaves `u64`.
    pub const fn row_bytes(self, elements: u64) -> Option<u64> {
        if elements.is_multiple_of(self.block_elements()) {
            (elements / self.block_elements()).checked_mul(self.block_bytes())
        } else {
            None
        }
    }

    /// Whether several elements share a block.
    pub const fn is_quantized(self) -> bool {
        self.block_elements() > 1
    }

    /// Bits per element, the scales included.
    pub fn bits_per_weight(self) -> f64 {
        8.0 * self.block_bytes() as f64 / self.block_elements() as f64
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for TensorType {
    type Err = UnknownTypeName;

    /// Upper and lower case are the same.
    fn from_str(name: &str) -> Result<Self, UnknownTypeName> {
        let found = Self::ALL.iter().find(|ty| ty.name().eq_ignore_ascii_case(name));
        found.copied().ok_or_else(|| UnknownTypeName(name.to_owned()))
    }
}

/// A tensor type as a file states it: any number. `TensorType::try_from` tells whether its layout is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

impl From<TensorType> for TypeId {
    fn from(ty: TensorType) -> Self {
        ty.id()
    }
}

impl fmt::Display for TypeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Ok(ty) = TensorType::try_from(*self) {
            return ty.fmt(f);
        }
        let named =
            |table: &[(u32, &'static str)]| table.iter().find(|(id, _)| *id == self.0).map(|row| row.1);
        match (named(RETIRED), named(FORKED)) {
            (Some(name), _) => f.pad(&format!("id {} ({name}, retired)", self.0)),
            (_, Some(name)) => f.pad(&format!("id {} ({name} of ik_llama.cpp)", self.0)),
            _ => f.pad(&format!("id {}", self.0)),
        }
    }
}

/// Numbers that named a type in older files; nothing reads them any more.
const RETIRED: &[(u32, &str)] = &[
    (4, "Q4_2"),
    (5, "Q4_3"),
    (31, "Q4_0_4_4"),
    (32, "Q4_0_4_8"),
    (33, "Q4_0_8_8"),
    (36, "IQ4_NL_4_4"),
    (37, "IQ4_NL_4_8"),
    (38, "IQ4_NL_8_8"),
];

/// Numbers that the fork ik_llama.cpp has given to types of its own, named so that a reader knows where to look.
const FORKED: &[(u32, &str)] = &[
    (133, "Q6_0"),
    (134, "IQ1_BN"),
    (135, "IQ2_BN"),
    (137, "IQ2_K"),
    (138, "IQ3_K"),
    (139, "IQ4_K"),
    (140, "IQ5_K"),
    (141, "IQ6_K"),
    (144, "IQ4_KS"),
    (145, "IQ2_KS"),
    (146, "IQ4_KSS"),
    (152, "IQ5_KS"),
    (153, "IQ2_KT"),
    (154, "IQ3_KT"),
    (155, "IQ4_KT"),
    (156, "IQ3_KS"),
    (157, "IQ2_KL"),
    (158, "IQ1_KT"),
];

/// The layout of a type number is not known, so that its values cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tensor type {0} has no known layout; known are the ids of {list}", list = all_names())]
pub struct UnknownType(pub TypeId);

/// No tensor type has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no tensor type is named \"{name}\"; allowed are {list}", name = .0.escape_debug(), list = all_names())]
pub struct UnknownTypeName(pub String);

fn all_names() -> String {
    TensorType::ALL.iter().map(|ty| ty.name()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_in_any_case_and_printed_as_the_format_spells_it() {
        for &ty in TensorType::ALL {
            for name in [ty.name().to_owned(), ty.name().to_lowercase(), ty.name().to_uppercase()] {
                assert_eq!(name.parse(), Ok(ty));
            }
            assert_eq!(TensorType::try_from(ty.id()), Ok(ty));
            assert_eq!(ty.id().to_string(), ty.name());
        }
        let error = "Q4\n".parse::<TensorType>().unwrap_err().to_string();
        assert!(
            error.starts_with(r#"no tensor type is named "Q4\n"; allowed are F32, F16, Q4_0,"#),
            "{error}"
        );
    }

    #[test]
    fn a_number_without_a_layout_says_what_it_was() {
        for (id, shown) in
            [(31, "id 31 (Q4_0_4_4, retired)"), (139, "id 139 (IQ4_K of ik_llama.cpp)"), (43, "id 43")]
        {
            assert_eq!(TypeId(id).to_string(), shown);
            assert_eq!(TensorType::try_from(TypeId(id)), Err(UnknownType(TypeId(id))));
        }
        assert!(
            (0..1000).filter(|&id| TensorType::try_from(TypeId(id)).is_ok()).count() == TensorType::ALL.len()
        );
    }

    #[test]
    fn a_row_is_whole_blocks_and_its_bytes_do_not_wrap() {
        assert_eq!(TensorType::Q4_K.row_bytes(512), Some(288));
        assert_eq!(TensorType::Q4_K.row_bytes(0), Some(0));
        assert_eq!(TensorType::Q4_K.row_bytes(257), None);
        assert_eq!(TensorType::F64.row_bytes(1 << 61), None);
        assert_eq!(TensorType::F64.row_bytes((1 << 61) - 1), Some(u64::MAX - 7));
    }
}
