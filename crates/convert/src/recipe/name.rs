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
    0,  F32,       F32,     "32-bit floating point throughout";
    1,  F16,       F16,     "16-bit floating point; norms and biases stay 32-bit";
    32, BF16,      BF16,    "brain floating point; norms and biases stay 32-bit";
    7,  Q8_0,      Q8_0,    "8 bits and a scale per 32 weights, nearly lossless";
    2,  Q4_0,      Q4_0,    "4 bits and a scale per 32 weights; the output in 6 bits";
    3,  Q4_1,      Q4_1,    "4 bits, a scale and a minimum per 32 weights; the output in 6 bits";
    8,  Q5_0,      Q5_0,    "5 bits and a scale per 32 weights; the output in 6 bits";
    9,  Q5_1,      Q5_1,    "5 bits, a scale and a minimum per 32 weights; the output in 6 bits";
    10, Q2_K,      Q2_K,    "2-bit super-blocks; 3 and 4 bits for value, down and attention output";
    21, Q2_K_S,    Q2_K,    "2-bit super-blocks; needs an importance matrix";
    11, Q3_K_S,    Q3_K,    "3-bit super-blocks; the output in 6 bits";
    12, Q3_K_M,    Q3_K,    "3-bit super-blocks; 4 and 5 bits for value, down and attention output";
    13, Q3_K_L,    Q3_K,    "3-bit super-blocks; 5 bits for value, down and attention output";
    14, Q4_K_S,    Q4_K,    "4-bit super-blocks; 5 bits where the first layers need them";
    15, Q4_K_M,    Q4_K,    "4-bit super-blocks; 6 bits for half of the value and down projections";
    16, Q5_K_S,    Q5_K,    "5-bit super-blocks; the output in 6 bits";
    17, Q5_K_M,    Q5_K,    "5-bit super-blocks; 6 bits for half of the value and down projections";
    18, Q6_K,      Q6_K,    "6-bit super-blocks";
    24, IQ1_S,     IQ1_S,   "1.56 bits from a grid; needs an importance matrix";
    31, IQ1_M,     IQ1_M,   "1.75 bits from a grid; needs an importance matrix";
    19, IQ2_XXS,   IQ2_XXS, "2.06 bits from a grid; needs an importance matrix";
    20, IQ2_XS,    IQ2_XS,  "2.31 bits from a grid; needs an importance matrix";
    28, IQ2_S,     IQ2_XS,  "2.31 bits from a grid, 3.44 where it matters; needs an importance matrix";
    29, IQ2_M,     IQ2_S,   "2.56 bits from a grid, 3.44 where it matters; needs an importance matrix";
    23, IQ3_XXS,   IQ3_XXS, "3.06 bits from a grid; needs an importance matrix";
    22, IQ3_XS,    IQ3_S,   "3.44 bits from a grid, 3.06 where it matters less; needs an importance matrix";
    26, IQ3_S,     IQ3_S,   "3.44 bits from a grid";
    27, IQ3_M,     IQ3_S,   "3.44 bits from a grid; 4 bits for value and attention output";
    25, IQ4_NL,    IQ4_NL,  "4 bits into a table of levels and a scale per 32 weights";
    30, IQ4_XS,    IQ4_XS,  "4 bits into a table of levels, in super-blocks";
    36, TQ1_0,     TQ1_0,   "1.69 bits, for models with ternary weights";
    37, TQ2_0,     TQ2_0,   "2.06 bits, for models with ternary weights";
    38, MXFP4_MOE, MXFP4,   "4-bit floats for experts, 8 bits for everything else";
    40, Q1_0,      Q1_0,    "a sign and a scale per 128 weights, for models trained so";
    41, Q2_0,      Q2_0,    "2 bits and a scale per 64 weights, for models trained so";
}

/// Names that mean another recipe.
const ALIASES: &[(&str, Recipe)] =
    &[("Q3_K", Recipe::Q3_K_M), ("Q4_K", Recipe::Q4_K_M), ("Q5_K", Recipe::Q5_K_M)];

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
#[error(
    "no recipe is called {name:?}; there are {}",
    Recipe::ALL.iter().map(|recipe| recipe.name()).collect::<Vec<_>>().join(", ")
)]
pub struct UnknownRecipe {
    /// The name that was asked for.
    pub name: String,
}

impl FromStr for Recipe {
    type Err = UnknownRecipe;

    /// Reads a name or an alias (`Q4_K` is `Q4_K_M`, and so with `Q3_K` and `Q5_K`), in capitals or not.
    fn from_str(name: &str) -> Result<Self, UnknownRecipe> {
        let by_name = Self::ALL.iter().map(|recipe| (recipe.name(), *recipe));
        by_name
            .chain(ALIASES.iter().copied())
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
            .map(|(_, recipe)| recipe)
            .ok_or_else(|| UnknownRecipe { name: name.to_owned() })
    }
}
