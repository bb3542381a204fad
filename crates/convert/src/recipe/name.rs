//! The recipes by name: one row each.
//!
//! Numbers are those of the key `general.file_type`. A new mixture is a row here, and lines in the table of
//! [`super::mixture`] where it departs from its base type.

use std::fmt;
use std::str::FromStr;

use briq_format::TensorType;

macro_rules! recipes {
    ($($file_type:literal, $name:ident, $base:ident, $about:literal;)*) => {
        /// A named mixture of tensor types.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[allow(non_camel_case_types)]
        pub enum Recipe {
            /// Every tensor keeps the precision of its source.
            Auto,
            $(#[doc = $about] $name,)*
        }

        impl Recipe {
            /// Every recipe, `auto` first.
            pub const ALL: &[Self] = &[Self::Auto, $(Self::$name,)*];

            /// The name as it is written, in a command or in a file's name.
            pub fn name(self) -> &'static str {
                match self {
                    Self::Auto => "auto",
                    $(Self::$name => stringify!($name),)*
                }
            }

            /// The recipe in one line of words.
            pub fn about(self) -> &'static str {
                match self {
                    Self::Auto => "every tensor in the precision of its source",
                    $(Self::$name => $about,)*
                }
            }

            /// The type of a tensor that no rule speaks of; none for `auto`.
            pub fn base(self) -> Option<TensorType> {
                match self {
                    Self::Auto => None,
                    $(Self::$name => Some(TensorType::$base),)*
                }
            }

            /// The value of `general.file_type`, where the recipe alone decides it.
            fn own_file_type(self) -> Option<u32> {
                match self {
                    Self::Auto => None,
                    $(Self::$name => Some($file_type),)*
                }
            }
        }
    };
}

recipes! {
    0,  F32,    F32,  "32-bit floating point throughout";
    1,  F16,    F16,  "16-bit floating point; norms and biases stay 32-bit";
    32, BF16,   BF16, "brain floating point; norms and biases stay 32-bit";
    2,  Q4_0,   Q4_0, "4 bits and a scale per 32 weights; the output in 6 bits";
    3,  Q4_1,   Q4_1, "4 bits, a scale and a minimum per 32 weights; the output in 6 bits";
    8,  Q5_0,   Q5_0, "5 bits and a scale per 32 weights; the output in 6 bits";
    9,  Q5_1,   Q5_1, "5 bits, a scale and a minimum per 32 weights; the output in 6 bits";
    7,  Q8_0,   Q8_0, "8 bits and a scale per 32 weights, nearly lossless";
    14, Q4_K_S, Q4_K, "4-bit super-blocks; 5 bits where the first layers need them";
    15, Q4_K_M, Q4_K, "4-bit super-blocks; 6 bits for half of the value and down projections";
    16, Q5_K_S, Q5_K, "5-bit super-blocks; the output in 6 bits";
    17, Q5_K_M, Q5_K, "5-bit super-blocks; 6 bits for half of the value and down projections";
    18, Q6_K,   Q6_K, "6-bit super-blocks";
}

/// Names that mean another recipe.
const ALIASES: &[(&str, Recipe)] = &[("Q4_K", Recipe::Q4_K_M), ("Q5_K", Recipe::Q5_K_M)];

impl Recipe {
    /// Whether every tensor that is converted becomes a float, with no blocks and no mixture.
    pub fn is_float(self) -> bool {
        self.base().is_some_and(|base| !base.is_quantized())
    }

    /// The value of `general.file_type`.
    ///
    /// `auto` has no number of its own. There the first tensor that has two dimensions or more and is stored
    /// in 16 bits decides, BF16 or F16; where none is, the file counts as F32.
    pub fn file_type<'a>(self, tensors: impl IntoIterator<Item = (TensorType, &'a [u64])>) -> u32 {
        const F32: u32 = 0;
        self.own_file_type().unwrap_or_else(|| {
            tensors
                .into_iter()
                .filter(|(_, shape)| super::untouched::dimensions(shape) >= 2)
                .find_map(|(ty, _)| match ty {
                    TensorType::BF16 => Self::BF16.own_file_type(),
                    TensorType::F16 => Self::F16.own_file_type(),
                    _ => None,
                })
                .unwrap_or(F32)
        })
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A recipe name that nothing answers to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no recipe is called {name:?}; there are {}", Recipe::ALL.iter().map(|recipe| recipe.name()).collect::<Vec<_>>().join(", "))]
pub struct UnknownRecipe {
    /// The name that was asked for.
    pub name: String,
}

impl FromStr for Recipe {
    type Err = UnknownRecipe;

    /// Reads a name or an alias (`Q4_K` is `Q4_K_M`, `Q5_K` is `Q5_K_M`), in capitals or not.
    fn from_str(name: &str) -> Result<Self, UnknownRecipe> {
        let by_name = Self::ALL.iter().map(|recipe| (recipe.name(), *recipe));
        by_name
            .chain(ALIASES.iter().copied())
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, recipe)| recipe)
            .ok_or_else(|| UnknownRecipe { name: name.to_owned() })
    }
}
