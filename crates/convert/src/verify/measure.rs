//! How far decoded weights are from the ones they were made from.

use briq_format::TensorType;

use super::blocks::{Blocks, CHUNK};
use super::{RoundTrip, RoundTripBound, round_trip_bound};
use crate::weights::Weights;
use crate::{Error, Result};

/// Sums over a tensor, in doubles and in the order of the weights.
#[derive(Default)]
pub(super) struct Comparison {
    bound: Option<RoundTripBound>,
    /// Of the source's weights squared.
    source_squares: f64,
    /// Of the decoded weights squared.
    decoded_squares: f64,
    products: f64,
    error_squares: f64,
    largest_error: f64,
    /// The worst block: its error as a part of what is allowed, and its first weight.
    worst: (f64, u64),
    erased: Erased,
}

/// What the scales of all types without a bound can hold: F16 takes 2^-25 and below for 0 (spec/numerics.md, N12), and
/// none of these types multiplies a scale by more than 256.
const LEAST_WEIGHT: f32 = 256.0 / (1 << 25) as f32;

/// Looks for matrices, of which a tensor of experts has many, of zeros alone whose source has weights.
#[derive(Default)]
struct Erased {
    matrix_elements: u64,
    /// Of the matrix that is being read: its number, whether its source has a weight that the type can hold, and
    /// whether it decodes to anything but 0.
    matrix: u64,
    source: bool,
    decoded: bool,
    first: Option<u64>,
}

impl Erased {
    /// Sees a block, which may begin another matrix.
    fn see(&mut self, start: u64, expected: &[f32], decoded: &[f32]) {
        let matrix = start / self.matrix_elements.max(1);
        if matrix != self.matrix {
            self.first = self.found();
            (self.matrix, self.source, self.decoded) = (matrix, false, false);
        }
        self.source = self.source || expected.iter().any(|weight| weight.abs() > LEAST_WEIGHT);
        self.decoded = self.decoded || decoded.iter().any(|&weight| weight != 0.0);
    }

    /// The first that was found so far.
    fn found(&self) -> Option<u64> {
        self.first.or((self.source && !self.decoded).then_some(self.matrix))
    }
}

impl Comparison {
    /// Compares the blocks of a tensor of the file with `weights`.
    pub(super) fn of(tensor: &Blocks<'_>, weights: &Weights<'_>) -> Result<Self> {
        let ty = tensor.ty;
        let dims = weights.shape.dims();
        let matrix_elements = dims.iter().take(2).product();
        let erased = Erased { matrix_elements, ..Erased::default() };
        let mut sums = Self { bound: round_trip_bound(ty), erased, ..Self::default() };
        let stored_type = weights.stored_type()?;
        let (mut blocks, mut decoded) = (Vec::new(), Vec::new());
        let (mut stored, mut expected) = (Vec::new(), Vec::new());
        let codec = |error: briq_codec::Error| Error::unsupported(error.to_string());
        for range in weights.chunks(CHUNK) {
            let elements = range.end - range.start;
            let start = range.start;
            tensor.read(range.clone(), &mut blocks)?;
            weights.read(range, &mut stored)?;
            expected.resize(elements as usize, 0.0);
            decoded.resize(elements as usize, 0.0);
            briq_codec::decode(stored_type, &stored, &mut expected).map_err(codec)?;
            briq_codec::decode(ty, &blocks, &mut decoded).map_err(codec)?;
            sums.add(ty, start, &expected, &decoded);
        }
        Ok(sums)
    }

    fn add(&mut self, ty: TensorType, start: u64, expected: &[f32], decoded: &[f32]) {
        // Plain numbers have no blocks; 32 of them make a group whose largest weight gives the scale.
        let block = if ty.is_quantized() { ty.block_elements() as usize } else { 32 };
        for (index, (expected, decoded)) in expected.chunks(block).zip(decoded.chunks(block)).enumerate() {
            self.erased.see(start + (index * block) as u64, expected, decoded);
            let mut largest_weight = 0.0_f64;
            let mut block_squares = 0.0;
            for (&x, &y) in expected.iter().zip(decoded) {
                let (x, y) = (f64::from(x), f64::from(y));
                let error = (x - y).abs();
                largest_weight = largest_weight.max(x.abs());
                block_squares += error * error;
                // A NaN must stay visible: `max` alone would drop it.
                self.largest_error = if error.is_nan() || self.largest_error.is_nan() {
                    f64::NAN
                } else {
                    self.largest_error.max(error)
                };
                self.source_squares += x * x;
                self.decoded_squares += y * y;
                self.products += x * y;
            }
            self.error_squares += block_squares;
            let rms = (block_squares / expected.len() as f64).sqrt();
            let ratio = self.bound.map_or(0.0, |bound| relative(rms, bound.allowed(largest_weight)));
            if ratio.is_nan() || ratio > self.worst.0 {
                self.worst = (ratio, start + (index * block) as u64);
            }
        }
    }

    /// The first weight of the worst block.
    pub(super) fn worst_at(&self) -> u64 {
        self.worst.1
    }

    /// The first matrix of zeros alone whose source is not.
    pub(super) fn erased(&self) -> Option<u64> {
        self.erased.found()
    }

    /// The figures of the report.
    pub(super) fn round_trip(&self) -> RoundTrip {
        RoundTrip {
            relative_rmse: relative(self.error_squares.sqrt(), self.source_squares.sqrt()),
            largest_error: self.largest_error,
            cosine: match (self.source_squares * self.decoded_squares).sqrt() {
                0.0 if self.error_squares == 0.0 => 1.0,
                norms => self.products / norms,
            },
            worst_block: self.bound.map(|_| self.worst.0),
        }
    }
}

/// `error / size`, where no error of nothing is no error.
fn relative(error: f64, size: f64) -> f64 {
    if error == 0.0 { 0.0 } else { error / size }
}
