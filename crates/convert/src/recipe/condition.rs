//! What the lines of the mixture table ask of a tensor and its model.

use std::fmt;

/// What must hold for a line of the mixture table to apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// One of the first tensors of its role, as many as stated.
    First(u64),
    /// In the first sixteenth of its role's tensors.
    FirstSixteenth,
    /// In the first eighth of its role's tensors.
    FirstEighth,
    /// In neither the first nor the last eighth of its role's tensors.
    Middle,
    /// In the first or the last eighth of its role's tensors, or every third one between them.
    Spread,
    /// The row is no whole number of blocks of the recipe's own type.
    PartialBlocks,
    /// The tensor is a single matrix, not one per expert.
    OneMatrix,
    /// The tensor is no part of the feed-forward network.
    NotFeedForward,
    /// The model is a Falcon.
    Falcon,
    /// The model is not a Falcon.
    NotFalcon,
    /// The model is of the architecture `bailingmoe3`.
    BailingMoe3,
    /// Four query heads or more share each value head, so that values are few and each counts more.
    SharedByFour,
    /// The model has four experts per layer or more.
    FourExperts,
    /// The model has eight experts per layer, as Mixtral has.
    EightExperts,
    /// The model has not eight experts per layer.
    NotEightExperts,
    /// The model has about 70 billion weights.
    Large,
    /// An importance matrix is given.
    Importance,
    /// No importance matrix is given.
    NoImportance,
    /// One of the low-rank projections of the architecture `glm5-next`.
    LowRankGlm,
}

impl Condition {
    /// Whether a reader of the plan learns something from it; that a model is not one of the odd ones is none.
    pub(super) fn is_news(self) -> bool {
        !matches!(self, Self::NotFalcon | Self::NotEightExperts)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::First(count) => write!(f, "the first {count}"),
            Self::FirstSixteenth => f.write_str("the first sixteenth"),
            Self::FirstEighth => f.write_str("the first eighth"),
            Self::Middle => f.write_str("neither first nor last eighth"),
            Self::Spread => f.write_str("first eighth, last eighth, every third between"),
            Self::PartialBlocks => f.write_str("its row is no whole number of blocks"),
            Self::OneMatrix => f.write_str("not one matrix per expert"),
            Self::NotFeedForward => f.write_str("not feed-forward"),
            Self::Falcon => f.write_str("falcon"),
            Self::NotFalcon => f.write_str("not falcon"),
            Self::BailingMoe3 => f.write_str("bailingmoe3"),
            Self::SharedByFour => f.write_str("shared by four heads or more"),
            Self::FourExperts => f.write_str("four experts or more"),
            Self::EightExperts => f.write_str("eight experts"),
            Self::NotEightExperts => f.write_str("not eight experts"),
            Self::Large => f.write_str("a model of 70 billion weights"),
            Self::Importance => f.write_str("with an importance matrix"),
            Self::NoImportance => f.write_str("without an importance matrix"),
            Self::LowRankGlm => f.write_str("a low-rank projection"),
        }
    }
}
