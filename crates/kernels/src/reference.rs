//! The definition of a dot product: decode, multiply and sum in double precision, in index order.
//!
//! Everything faster is held against this. Nothing here is meant to be fast.

use briq_format::TensorType;

use crate::activations::{Activations, partial};
use crate::error::Error;

/// The product of a row with activations as they are: what a model would compute without quantized activations.
///
/// # Errors
/// When the type has no decoder, the row is not whole blocks, or the lengths differ.
pub fn dot(ty: TensorType, row: &[u8], activations: &[f32]) -> Result<f64, Error> {
    let weights = decode(ty, row, activations.len())?;
    Ok(sum_of_products(&weights, activations.iter().map(|&activation| f64::from(activation))))
}

/// The product of a row with quantized activations, both decoded: what the kernels approximate.
///
/// Sums that the activations' blocks state (Q8_1, Q8_K) are not looked at.
///
/// # Errors
/// When the type has no decoder, the row is not whole blocks, or the lengths differ.
pub fn dot_encoded(ty: TensorType, row: &[u8], activations: &Activations) -> Result<f64, Error> {
    let weights = decode(ty, row, activations.elements())?;
    Ok(sum_of_products(&weights, activations.decode()))
}

/// The weights of a row, when there are as many as activations.
pub(crate) fn decode(ty: TensorType, row: &[u8], activations: usize) -> Result<Vec<f32>, Error> {
    let block_bytes = ty.block_bytes() as usize;
    if !row.len().is_multiple_of(block_bytes) {
        return Err(partial(ty, row.len(), "bytes", block_bytes));
    }
    let blocks = row.len() / block_bytes;
    let weights = blocks.saturating_mul(ty.block_elements() as usize);
    if weights != activations {
        return Err(Error::Length { weights, activations });
    }
    let mut decoded = vec![0.0; weights];
    briq_codec::decode(ty, row, &mut decoded)?;
    Ok(decoded)
}

fn sum_of_products(weights: &[f32], activations: impl IntoIterator<Item = f64>) -> f64 {
    weights
        .iter()
        .zip(activations)
        .fold(0.0, |sum, (&weight, activation)| sum + f64::from(weight) * activation)
}
