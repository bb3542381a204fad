//! Dot products with integers, for a type known at run time.
//!
//! Sums of products of quants are exact in 32 bits for any bytes: the largest, a lane of Q6_K, is 2^24. The floats
//! are combined in the order of ggml's portable kernels, so that results equal theirs bit for bit.

use briq_codec::Quants;
use briq_format::TensorType;
use briq_format::block::{self, Block};
use zerocopy::FromBytes;

use crate::activations::{Activations, Partner};
use crate::error::Error;

mod k_affine;
mod plain;
mod q4_0;
mod q4_1;
mod q5_0;
mod q5_1;
mod q6_k;
mod q8_0;

/// A type of weights, the type of activations it is multiplied with, and how.
trait Dot: Block {
    type Partner: Partner;

    /// The product of whole rows; both sides have the same number of elements.
    fn dot(row: &[Self], activations: &[Self::Partner]) -> f32;
}

macro_rules! for_each_kernel {
    ($callback:ident) => {
        $callback!(F32 F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q4_K Q5_K Q6_K)
    };
}

/// The dot product of a row of `ty` with activations of its [`partner`]. Any bytes have one, if not a finite one.
///
/// # Errors
/// When there is no kernel for `ty`, the activations are of another type than its partner, or the row is not whole
/// blocks of as many elements.
pub fn dot(ty: TensorType, row: &[u8], activations: &Activations) -> Result<f32, Error> {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => dot_blocks::<block::$name>(row, activations),)*
                _ => Err(Error::Unsupported { ty }),
            }
        };
    }
    for_each_kernel!(dispatch)
}

/// The type that activations must have to be multiplied with weights of `ty`.
///
/// # Errors
/// When there is no kernel for `ty`.
pub fn partner(ty: TensorType) -> Result<TensorType, Error> {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => Ok(<block::$name as Dot>::Partner::TYPE),)*
                _ => Err(Error::Unsupported { ty }),
            }
        };
    }
    for_each_kernel!(dispatch)
}

/// Whether there is a kernel for `ty`.
pub fn can_dot(ty: TensorType) -> bool {
    partner(ty).is_ok()
}

fn dot_blocks<W: Dot>(row: &[u8], activations: &Activations) -> Result<f32, Error> {
    let Some(blocks) = W::Partner::of(activations) else {
        return Err(Error::Partner { ty: W::TYPE, needed: W::Partner::TYPE, given: activations.ty() });
    };
    let (weights, activations) = (row.len() / size_of::<W>() * W::ELEMENTS, activations.elements());
    match <[W]>::ref_from_bytes(row) {
        Ok(row) if weights == activations => Ok(W::dot(row, blocks)),
        _ => Err(Error::Length { weights, activations }),
    }
}

/// The sum of products of two blocks' quants.
fn integer_dot<const N: usize>(weights: &impl Quants<N>, activations: &impl Quants<N>) -> i32 {
    let products = weights.quants().into_iter().zip(activations.quants());
    products.map(|(weight, activation)| i32::from(weight) * i32::from(activation)).sum()
}

/// The sums of products of a super-block in eight lanes, element `i` in lane `i % 8`, where each group of
/// `256 / GROUPS` weights is multiplied by its scale.
fn lanes<const GROUPS: usize>(
    weights: &impl Quants<256>,
    scales: &[i32; GROUPS],
    activations: &block::Q8_K,
) -> [i32; 8] {
    let mut lanes = [0; 8];
    let weights = weights.quants();
    for (i, (weight, activation)) in weights.iter().zip(&activations.quants).enumerate() {
        lanes[i % 8] += scales[i * GROUPS / 256] * i32::from(*weight) * i32::from(*activation);
    }
    lanes
}
