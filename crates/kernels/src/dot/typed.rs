//! Dot products of blocks whose type the program knows.

use briq_format::block::{self, Block};
use briq_format::{TensorType, for_each_weight_type};

use super::Dot;
use super::dispatch::{first_product_of_blocks, product_of_blocks, refusal_of_blocks};
use crate::activations::Activations;
use crate::error::Error;
use crate::simd::Cpu;

/// Blocks that are multiplied. Implemented for the layout of every type that there is a kernel for, and only there.
pub trait Weights: Block + sealed::Sealed {
    /// The type that activations must have to be multiplied with these weights: see [`partner`](crate::partner).
    const PARTNER: TensorType;
}

mod sealed {
    /// What dispatch by the type of a block needs.
    pub trait Sealed: Sized {
        /// See [`dot_blocks`](super::dot_blocks).
        fn product(row: &[Self], activations: &super::Activations) -> Option<f32>;

        /// Why there is none.
        fn refusal(row: &[Self], activations: &super::Activations) -> super::Error;
    }
}

macro_rules! weights {
    ($($name:ident)*) => {
        $(impl Weights for block::$name {
            const PARTNER: TensorType = <Self as Dot>::PARTNER;
        }

        impl sealed::Sealed for block::$name {
            fn product(row: &[Self], activations: &Activations) -> Option<f32> {
                match Cpu::known() {
                    Some(cpu) => product_of_blocks(cpu, row, activations),
                    None => first_product_of_blocks(row, activations),
                }
            }

            fn refusal(row: &[Self], activations: &Activations) -> Error {
                refusal_of_blocks(row, activations)
            }
        })*
    };
}
for_each_weight_type!(weights);

/// As [`dot()`](crate::dot()), of blocks whose type the program knows: those of a mapped tensor, viewed in place. The
/// result is the same, bit for bit.
///
/// ```
/// use briq_format::block::Q4_K;
/// use briq_kernels::{Activations, Weights, dot_blocks};
/// # use zerocopy::FromZeros;
/// # let row = [Q4_K::new_zeroed(); 2];
/// # let hidden = [1.0; 512];
///
/// // let row: &[Q4_K] = tensor.blocks()?;
/// let x = Activations::encode(Q4_K::PARTNER, &hidden)?;
/// let product = dot_blocks(&row, &x)?;
/// # assert_eq!(product, 0.0);
/// # Ok::<(), briq_kernels::Error>(())
/// ```
///
/// # Errors
/// When the activations are of another type than [`Weights::PARTNER`], or the row has not as many elements.
#[inline]
pub fn dot_blocks<B: Weights>(row: &[B], activations: &Activations) -> Result<f32, Error> {
    B::product(row, activations).ok_or_else(|| B::refusal(row, activations))
}
