//! Activations in the types that weights are multiplied with.

use briq_codec::Encode;
use briq_format::TensorType;
use briq_format::block::{BF16, Block, F16, F32, Q8_0, Q8_1, Q8_K};
use zerocopy::FromZeros;

use crate::error::Error;

/// One row of activations, encoded.
///
/// Q8_0, Q8_1 and Q8_K are as ggml's reference functions make them, except that the sums of an all-zero Q8_K
/// block are zero where the reference leaves memory as it was.
#[derive(Clone, Debug)]
#[allow(non_camel_case_types)]
pub enum Activations {
    /// As they are, for F32.
    F32(Vec<F32>),
    /// Rounded, for F16.
    F16(Vec<F16>),
    /// Rounded, for BF16.
    BF16(Vec<BF16>),
    /// For types of 32 weights with a scale.
    Q8_0(Vec<Q8_0>),
    /// For types of 32 weights with a scale and a minimum.
    Q8_1(Vec<Q8_1>),
    /// For types of 256 weights.
    Q8_K(Vec<Q8_K>),
}

/// Does the same with the blocks of any type.
macro_rules! with_blocks {
    ($activations:expr, $blocks:ident => $result:expr) => {
        match $activations {
            Activations::F32($blocks) => $result,
            Activations::F16($blocks) => $result,
            Activations::BF16($blocks) => $result,
            Activations::Q8_0($blocks) => $result,
            Activations::Q8_1($blocks) => $result,
            Activations::Q8_K($blocks) => $result,
        }
    };
}

impl Activations {
    /// Encodes a row to `ty`, which is what [`partner`](crate::partner) gives for the type of the weights.
    ///
    /// # Errors
    /// When `ty` is not a type of activations, or the row is not whole blocks of it.
    pub fn encode(ty: TensorType, row: &[f32]) -> Result<Self, Error> {
        Ok(match ty {
            TensorType::F32 => Self::F32(blocks(row)?),
            TensorType::F16 => Self::F16(blocks(row)?),
            TensorType::BF16 => Self::BF16(blocks(row)?),
            TensorType::Q8_0 => Self::Q8_0(blocks(row)?),
            TensorType::Q8_1 => Self::Q8_1(blocks(row)?),
            TensorType::Q8_K => Self::Q8_K(blocks(row)?),
            _ => return Err(Error::NoActivations { ty }),
        })
    }

    /// The type they are encoded in.
    pub fn ty(&self) -> TensorType {
        fn of<B: Block>(_: &[B]) -> TensorType {
            B::TYPE
        }
        with_blocks!(self, blocks => of(blocks))
    }

    /// How many there are.
    pub fn elements(&self) -> usize {
        fn of<B: Block>(blocks: &[B]) -> usize {
            blocks.len() * B::ELEMENTS
        }
        with_blocks!(self, blocks => of(blocks))
    }

    /// Their values: quant times scale, exact in double precision.
    pub fn decode(&self) -> Vec<f64> {
        fn scaled<const N: usize>(scale: f32, quants: [i8; N]) -> [f64; N] {
            quants.map(|quant| f64::from(scale) * f64::from(quant))
        }
        match self {
            Self::F32(blocks) => blocks.iter().map(|number| number.get().into()).collect(),
            Self::F16(blocks) => blocks.iter().map(|number| number.to_f32().into()).collect(),
            Self::BF16(blocks) => blocks.iter().map(|number| number.to_f32().into()).collect(),
            Self::Q8_0(blocks) => {
                blocks.iter().flat_map(|block| scaled(block.scale.to_f32(), block.quants)).collect()
            }
            Self::Q8_1(blocks) => {
                blocks.iter().flat_map(|block| scaled(block.scale.to_f32(), block.quants)).collect()
            }
            Self::Q8_K(blocks) => {
                blocks.iter().flat_map(|block| scaled(block.scale.get(), block.quants)).collect()
            }
        }
    }

    /// What the blocks state as the sum of each 32 activations, in the types that state one.
    pub(crate) fn stated_sums(&self) -> Option<Vec<f64>> {
        match self {
            Self::Q8_1(blocks) => Some(blocks.iter().map(|block| block.scaled_sum.to_f32().into()).collect()),
            Self::Q8_K(blocks) => {
                let sums = blocks.iter().flat_map(|block| {
                    let scale = f64::from(block.scale.get());
                    block
                        .sums
                        .as_chunks()
                        .0
                        .iter()
                        .map(move |[a, b]| scale * f64::from(a.get() as i32 + b.get() as i32))
                });
                Some(sums.collect())
            }
            _ => None,
        }
    }
}

/// A type of activations, and its place in [`Activations`].
pub(crate) trait Partner: Block {
    /// The blocks, if they are of this type.
    fn of(activations: &Activations) -> Option<&[Self]>;
}

macro_rules! partner {
    ($($name:ident)*) => {
        $(impl Partner for $name {
            fn of(activations: &Activations) -> Option<&[Self]> {
                match activations {
                    Activations::$name(blocks) => Some(blocks),
                    _ => None,
                }
            }
        })*
    };
}
partner!(F32 F16 BF16 Q8_0 Q8_1 Q8_K);

fn blocks<B: Encode + FromZeros>(row: &[f32]) -> Result<Vec<B>, Error> {
    if !row.len().is_multiple_of(B::ELEMENTS) {
        let (ty, block) = (B::TYPE, B::ELEMENTS);
        return Err(
            briq_codec::Error::PartialBlock { length: row.len(), unit: "activations", ty, block }.into()
        );
    }
    let mut blocks = vec![B::new_zeroed(); row.len() / B::ELEMENTS];
    B::encode_row(row, None, &mut blocks);
    Ok(blocks)
}
