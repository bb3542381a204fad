//! A layer of the network: a matrix in one of several forms, times a vector, plus a bias.

use std::fmt;

use briq_format::TensorType;
use briq_kernels::{Activations, Error, Matrix, matvec_here, partner};

/// How the weights of a layer are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Storage {
    /// As blocks of this type.
    Type(TensorType),
    /// As 8-bit integers with one scale for the whole tensor.
    Int8PerTensor,
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(ty) => write!(f, "{ty}"),
            Self::Int8PerTensor => write!(f, "int8 per tensor"),
        }
    }
}

/// Rows of weights, `inputs` in each.
pub(crate) struct Layer {
    weights: Weights,
    bias: Vec<f32>,
    inputs: usize,
}

enum Weights {
    Rows { ty: TensorType, bytes: Vec<u8> },
    PerTensor(PerTensor),
}

impl Layer {
    /// Encodes `weights`, one row of as many as there are inputs for each element of `bias`.
    pub(crate) fn new(weights: &[f32], bias: &[f32], storage: Storage) -> Result<Self, Error> {
        let inputs = weights.len() / bias.len();
        let weights = match storage {
            Storage::Int8PerTensor => Weights::PerTensor(PerTensor::of(weights)),
            Storage::Type(ty) => {
                let elements = ty.block_elements() as usize;
                let mut bytes = vec![0; weights.len() / elements * ty.block_bytes() as usize];
                briq_codec::encode(ty, weights, inputs, None, &mut bytes)?;
                Weights::Rows { ty, bytes }
            }
        };
        Ok(Self { weights, bias: bias.to_vec(), inputs })
    }

    /// The bytes of weights and biases.
    pub(crate) fn bytes(&self) -> usize {
        let weights = match &self.weights {
            Weights::Rows { bytes, .. } => bytes.len(),
            Weights::PerTensor(weights) => weights.quants.len() + size_of_val(&weights.scale),
        };
        weights + size_of_val(&self.bias[..])
    }

    /// The sum of each row's products with `x`, plus the row's bias.
    pub(crate) fn forward(&self, x: &[f32]) -> Result<Vec<f32>, Error> {
        let mut outputs = vec![0.0; self.bias.len()];
        match &self.weights {
            Weights::Rows { ty, bytes } => {
                let x = Activations::encode(partner(*ty)?, x)?;
                matvec_here(&Matrix::new(*ty, bytes, self.inputs)?, &x, &mut outputs)?;
            }
            Weights::PerTensor(weights) => {
                let x = PerTensor::of(x);
                for (output, row) in outputs.iter_mut().zip(weights.quants.chunks_exact(self.inputs)) {
                    let products = row.iter().zip(&x.quants).map(|(&w, &x)| i32::from(w) * i32::from(x));
                    *output = weights.scale * x.scale * products.sum::<i32>() as f32;
                }
            }
        }
        outputs.iter_mut().zip(&self.bias).for_each(|(output, bias)| *output += bias);
        Ok(outputs)
    }
}

/// Numbers as 8-bit multiples of one scale; the largest becomes 127.
struct PerTensor {
    scale: f32,
    quants: Vec<i8>,
}

impl PerTensor {
    fn of(numbers: &[f32]) -> Self {
        let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        Self { scale, quants: numbers.iter().map(|number| (number / scale).round() as i8).collect() }
    }
}
