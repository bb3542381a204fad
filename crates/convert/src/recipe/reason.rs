//! Why a tensor gets its type, as data; displayed, it is the sentence of the plan.

use std::fmt;

use briq_format::TensorType;

use super::{Condition, Role, Untouched};

/// Why a tensor gets its type.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The tensor is never quantized.
    Untouched(Untouched),
    /// The user wants it kept.
    Kept {
        /// The pattern that matched the tensor's name.
        pattern: String,
    },
    /// The user named a type for all tensors of this role.
    NamedRole {
        /// Output or token embedding.
        role: Role,
        /// The type asked for.
        ty: TensorType,
    },
    /// The user named it by a pattern.
    Override {
        /// The pattern that matched the tensor's name.
        pattern: String,
        /// The type asked for.
        ty: TensorType,
    },
    /// `auto` keeps what the source has.
    SourcePrecision,
    /// No rule speaks of it: the recipe's own type.
    Default,
    /// A line of the mixture table departs from the recipe's own type.
    Mixture {
        /// What the tensor does in the model.
        role: Role,
        /// What made the line apply.
        conditions: &'static [Condition],
        /// Whether the type has fewer bits than the recipe's own.
        fewer: bool,
    },
    /// The row is no whole number of blocks of the type that was wanted.
    Fallback {
        /// Weights in a row.
        row: u64,
        /// The type the rules gave.
        wanted: TensorType,
        /// The type that stands in for it.
        ty: TensorType,
        /// Why that type was wanted.
        cause: Box<Self>,
    },
}

impl Reason {
    /// Whether the user named the type of this very tensor, rather than a recipe.
    pub fn is_named(&self) -> bool {
        matches!(self.cause(), Self::Override { .. } | Self::NamedRole { .. })
    }

    /// Why the type was wanted, whether rows fit it or not.
    pub(crate) fn cause(&self) -> &Self {
        match self {
            Self::Fallback { cause, .. } => cause.cause(),
            reason => reason,
        }
    }

    /// Whether it leaves a tensor as it is that has rows to quantize.
    pub(crate) fn leaves_a_matrix(&self) -> bool {
        matches!(self, Self::Untouched(why) if *why != Untouched::OneDimension)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Untouched(why) => write!(f, "{why}"),
            Self::Kept { pattern } => write!(f, "kept by the pattern {pattern}"),
            Self::NamedRole { role, ty } => write!(f, "{ty} is named for {}", role.words()),
            Self::Override { pattern, ty } => write!(f, "{ty} is named for the pattern {pattern}"),
            Self::SourcePrecision => f.write_str("the precision of the source"),
            Self::Default => f.write_str("recipe default"),
            Self::Mixture { role, conditions, fewer } => {
                write!(f, "{} bits for {}", if *fewer { "fewer" } else { "more" }, role.words())?;
                for (index, condition) in
                    conditions.iter().filter(|condition| condition.is_news()).enumerate()
                {
                    write!(f, "{} {condition}", if index == 0 { ":" } else { "," })?;
                }
                Ok(())
            }
            Self::Fallback { row, wanted, ty, .. } => {
                write!(
                    f,
                    "row of {row} is no multiple of {}: {wanted} falls back to {ty}",
                    wanted.block_elements()
                )
            }
        }
    }
}
