//! What quantization costs a small network: handwritten digits, in single precision and in fewer bits.
//!
//! ```sh
//! cargo run --release -p briq-kernels --example digits
//! ```
//!
//! A perceptron with one hidden layer of 256 reads images of 8 x 8 pixels; tools/digits/train.py has trained it. Its
//! matrices are then encoded in several types and multiplied by the kernels, with activations that are quantized as
//! well. Beside them stands the plain way: a single scale for all the weights of a layer.
//!
//! Rows of 64 weights are no whole blocks of Q4_K, so that its first layer is in Q5_0, as recipes have it.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;

use briq_format::TensorType::{self, *};
use briq_kernels::{Activations, Matrix, matvec_here, partner};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const INPUTS: usize = 64;
const HIDDEN: usize = 256;
const DIGITS: usize = 10;

fn main() -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:22} {:>7} {:>10} {:>7}", "weights", "bytes", "accuracy", "lost")?;
    let rows = measure(&Data::read()?)?;
    let full = rows[0].accuracy;
    for row in rows {
        let lost = full - row.accuracy;
        writeln!(out, "{:22} {:>7} {:>8.2} % {:>7.2}", row.name, row.bytes, row.accuracy, lost)?;
    }
    Ok(())
}

/// A line of the table.
struct Row {
    name: String,
    /// Of both matrices; biases stay as they are.
    bytes: usize,
    /// Percent of the test images.
    accuracy: f64,
}

/// All lines, single precision first.
fn measure(data: &Data) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let plain = PerTensor::new(data);
    for types in [[F32; 2], [Q8_0; 2], [Q4_0; 2], [Q5_0, Q4_K]] {
        let network = Encoded::new(data, types)?;
        let name = match types {
            [a, b] if a == b => a.name().to_owned(),
            [a, b] => format!("{b} ({a} where too short)"),
        };
        let accuracy = data.accuracy(|image| network.scores(data, image))?;
        rows.push(Row { name, bytes: network.bytes(), accuracy });
        if types == [F32; 2] {
            let accuracy = data.accuracy(|image| Ok(plain.scores(data, image)))?;
            rows.push(Row { name: "int8, one scale each".to_owned(), bytes: plain.bytes(), accuracy });
        }
    }
    Ok(rows)
}

/// The network as it was trained, and images that it has not seen.
struct Data {
    first: Layer,
    second: Layer,
    /// Pixels from 0 to 16.
    images: Vec<u8>,
    labels: Vec<u8>,
}

/// Rows of weights, and a bias for each.
struct Layer {
    weights: Vec<f32>,
    biases: Vec<f32>,
}

impl Data {
    fn read() -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/digits");
        let bytes = fs::read(folder.join("weights.f32"))?;
        let mut numbers = bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let mut take = |count| -> Vec<f32> { numbers.by_ref().take(count).collect() };
        let mut layer = |inputs, outputs| Layer { weights: take(inputs * outputs), biases: take(outputs) };
        let (first, second) = (layer(INPUTS, HIDDEN), layer(HIDDEN, DIGITS));
        let (images, labels) = (fs::read(folder.join("images.u8"))?, fs::read(folder.join("labels.u8"))?);
        Ok(Self { first, second, images, labels })
    }

    /// Percent of the images whose digit has the highest score.
    fn accuracy(&self, scores: impl Fn(&[f32]) -> Result<Vec<f32>>) -> Result<f64> {
        let mut right = 0;
        for (pixels, &label) in self.images.chunks_exact(INPUTS).zip(&self.labels) {
            let image: Vec<f32> = pixels.iter().map(|&pixel| f32::from(pixel) / 16.0).collect();
            let scores = scores(&image)?;
            let best = (0..DIGITS).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
            right += usize::from(best == Some(label.into()));
        }
        Ok(100.0 * right as f64 / self.labels.len() as f64)
    }
}

/// Adds the biases; in front of a layer negative sums become zero.
fn biased(mut sums: Vec<f32>, layer: &Layer, rectified: bool) -> Vec<f32> {
    for (sum, bias) in sums.iter_mut().zip(&layer.biases) {
        *sum += bias;
        if rectified {
            *sum = sum.max(0.0);
        }
    }
    sums
}

/// Both matrices as blocks.
struct Encoded {
    types: [TensorType; 2],
    first: Vec<u8>,
    second: Vec<u8>,
}

impl Encoded {
    fn new(data: &Data, types: [TensorType; 2]) -> Result<Self> {
        let encode = |ty: TensorType, weights: &[f32], row: usize| -> Result<Vec<u8>> {
            let row_bytes = ty.row_bytes(row as u64).ok_or("rows are whole blocks")? as usize;
            let mut blocks = vec![0; weights.len() / row * row_bytes];
            briq_codec::encode(ty, weights, row, None, &mut blocks)?;
            Ok(blocks)
        };
        Ok(Self {
            types,
            first: encode(types[0], &data.first.weights, INPUTS)?,
            second: encode(types[1], &data.second.weights, HIDDEN)?,
        })
    }

    fn bytes(&self) -> usize {
        self.first.len() + self.second.len()
    }

    fn scores(&self, data: &Data, image: &[f32]) -> Result<Vec<f32>> {
        let [first, second] = self.types;
        let hidden = biased(product(first, &self.first, image)?, &data.first, true);
        Ok(biased(product(second, &self.second, &hidden)?, &data.second, false))
    }
}

/// A matrix times a vector.
fn product(ty: TensorType, blocks: &[u8], x: &[f32]) -> Result<Vec<f32>> {
    let matrix = Matrix::new(ty, blocks, x.len())?;
    let x = Activations::encode(partner(ty)?, x)?;
    let mut y = vec![0.0; matrix.rows()];
    matvec_here(&matrix, &x, &mut y)?;
    Ok(y)
}

/// Both matrices as integers, with one scale for each; activations alike.
struct PerTensor {
    first: (Vec<i8>, f32),
    second: (Vec<i8>, f32),
}

impl PerTensor {
    fn new(data: &Data) -> Self {
        Self { first: rounded(&data.first.weights), second: rounded(&data.second.weights) }
    }

    fn bytes(&self) -> usize {
        self.first.0.len() + self.second.0.len() + 2 * size_of::<f32>()
    }

    fn scores(&self, data: &Data, image: &[f32]) -> Vec<f32> {
        let hidden = biased(integer_product(&self.first, image), &data.first, true);
        biased(integer_product(&self.second, &hidden), &data.second, false)
    }
}

/// Numbers over the scale that makes the largest 127.
fn rounded(numbers: &[f32]) -> (Vec<i8>, f32) {
    let largest = numbers.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
    let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
    (numbers.iter().map(|number| (number / scale).round() as i8).collect(), scale)
}

fn integer_product((weights, scale): &(Vec<i8>, f32), x: &[f32]) -> Vec<f32> {
    let (x, x_scale) = rounded(x);
    let row = |row: &[i8]| {
        let sum: i32 = row.iter().zip(&x).map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
        sum as f32 * scale * x_scale
    };
    weights.chunks_exact(x.len()).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bits_lose_at_most_a_third_of_a_point_and_four_bits_two() {
        let rows = measure(&Data::read().unwrap()).unwrap();
        let full = &rows[0];
        assert!(full.accuracy > 95.0, "{}", full.accuracy);
        for (row, allowed, share) in
            [(&rows[1], 2.0, 0.26), (&rows[2], 0.3, 0.27), (&rows[3], 2.0, 0.15), (&rows[4], 2.0, 0.18)]
        {
            assert!(full.accuracy - row.accuracy <= allowed, "{}: {}", row.name, row.accuracy);
            assert!((row.bytes as f64) < share * full.bytes as f64, "{}: {}", row.name, row.bytes);
        }
    }
}
