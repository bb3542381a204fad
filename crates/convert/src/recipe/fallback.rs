//! What a tensor becomes when its row is no whole number of blocks.

use briq_format::TensorType;

use super::{Choice, Reason, TensorFacts};
use crate::{Error, Result};

/// Types with large blocks, each with the type of 32-weight blocks that stands in for it.
const STAND_INS: &[(&[TensorType], TensorType)] = {
    use TensorType::*;
    &[
        (&[IQ1_S, IQ1_M, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ4_XS], IQ4_NL),
        (&[Q2_0, Q2_K, Q3_K, TQ1_0, TQ2_0], Q4_0),
        (&[Q4_K], Q5_0),
        (&[Q5_K], Q5_1),
        (&[Q6_K], Q8_0),
    ]
};

/// The largest block that F16 stands in for directly.
const SMALL_BLOCK: u64 = 32;

/// `wanted` where a row of `row` weights is a whole number of its blocks; otherwise the type that stands in
/// for it, or F16 where that does not fit either.
///
/// # Errors
///
/// The row does not fit, and nothing stands in for the type.
pub(super) fn fit(name: &str, wanted: TensorType, row: u64) -> Result<TensorType> {
    let fits = |ty: TensorType| row.is_multiple_of(ty.block_elements());
    if fits(wanted) {
        return Ok(wanted);
    }
    match STAND_INS.iter().find(|(types, _)| types.contains(&wanted)) {
        Some((_, stand_in)) if fits(*stand_in) => Ok(*stand_in),
        Some(_) => Ok(TensorType::F16),
        None if wanted.block_elements() <= SMALL_BLOCK => Ok(TensorType::F16),
        None => Err(Error::usage(format!(
            "tensor {name:?}: a row of {row} is no multiple of {}, and no type stands in for {wanted}",
            wanted.block_elements()
        ))),
    }
}

/// Fails when a choice is a fallback, and names the tensors.
pub(super) fn refuse(tensors: &[TensorFacts<'_>], choices: &[Choice]) -> Result<()> {
    const SHOWN: usize = 5;
    let fallbacks = tensors.iter().zip(choices).filter_map(|(tensor, choice)| match choice.reason {
        Reason::Fallback { row, wanted, .. } => Some(format!("{:?} (row of {row}, {wanted})", tensor.name)),
        _ => None,
    });
    let fallbacks: Vec<String> = fallbacks.collect();
    if fallbacks.is_empty() {
        return Ok(());
    }
    let more = match fallbacks.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = fallbacks[..fallbacks.len().min(SHOWN)].join(", ");
    Err(Error::usage(format!("no fallback is allowed, but rows do not fit their type: {shown}{more}")))
}
