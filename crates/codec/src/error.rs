//! What a caller can get wrong.

use std::fmt;

use briq_format::TensorType;

/// Why nothing was encoded, decoded or checked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The type's layout is known, but not this operation on it.
    #[error("{operation} {ty} is not supported; supported are {}", .operation.supported())]
    Unsupported {
        /// What was asked for.
        operation: Operation,
        /// Of which type.
        ty: TensorType,
    },
    /// Rows, or bytes, that end inside a block.
    #[error("{length} {unit} are no whole number of {ty} blocks of {block}")]
    PartialBlock {
        /// What was given.
        length: usize,
        /// Elements or bytes.
        unit: &'static str,
        /// The type.
        ty: TensorType,
        /// The same of one block.
        block: usize,
    },
    /// Weights that end inside a row.
    #[error("{weights} weights are no whole number of rows of {row_elements}")]
    PartialRow {
        /// What was given.
        weights: usize,
        /// Elements of a row.
        row_elements: usize,
    },
    /// A type whose encoder weighs by importance, and has no way without.
    #[error("encoding {ty} needs importance: without, too much of a model is lost")]
    NeedsImportance {
        /// The type.
        ty: TensorType,
    },
    /// Weights that a search cannot place. Those that are finite, and whose squares are, it can.
    #[error(
        "weights from {weight} on have no nearest point on the grid of {ty}: they, or their squares times \
         importance, are not finite"
    )]
    NoNearestPoint {
        /// The type.
        ty: TensorType,
        /// The first weight of their sub-block.
        weight: usize,
    },
    /// Two arguments that do not belong together.
    #[error("{what} has length {length}, but must have {needed}")]
    Length {
        /// The argument.
        what: &'static str,
        /// Its length.
        length: usize,
        /// The length that the other arguments ask for.
        needed: usize,
    },
}

/// What can be done with blocks of some types, but not of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Weights to blocks.
    Encode,
    /// Looking for scales that are not finite.
    Check,
}

impl Operation {
    fn supported(self) -> String {
        let supports: fn(TensorType) -> bool = match self {
            Self::Encode => crate::can_encode,
            Self::Check => crate::check::can_check,
        };
        let names = TensorType::ALL.iter().filter(|&&ty| supports(ty)).map(|ty| ty.name());
        names.collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encode => "encoding",
            Self::Check => "checking",
        })
    }
}
