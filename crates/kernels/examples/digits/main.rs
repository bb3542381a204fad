//! What quantization costs, measured: a network that reads handwritten digits, in five forms.
//!
//! ```sh
//! cargo run --release -p briq-kernels --example digits
//! ```
//!
//! Two layers, 256 inputs, 256 hidden values and 10 digits, trained by `tools/digits/train.py` on the first half of
//! the digits that come with scikit-learn; the other half, 899 images, is read here. Weights are mapped from a GGUF
//! file, encoded, and multiplied by the kernels; activations are encoded as each type wants them. Beside the types
//! of blocks stands what introductions to quantization show: one scale for a whole tensor.

mod layer;
mod network;

use std::error::Error;

use briq_format::TensorType;

use layer::Storage;
use network::{Digits, Network};

const FORMS: [Storage; 5] = [
    Storage::Type(TensorType::F32),
    Storage::Int8PerTensor,
    Storage::Type(TensorType::Q8_0),
    Storage::Type(TensorType::Q4_0),
    Storage::Type(TensorType::Q4_K),
];

fn main() -> Result<(), Box<dyn Error>> {
    print(&measure()?);
    Ok(())
}

/// What became of the network in one form.
struct Row {
    storage: Storage,
    /// Weights and biases.
    bytes: usize,
    /// How many of the images were read as what they are.
    right: usize,
    images: usize,
}

impl Row {
    fn percent(&self) -> f64 {
        100.0 * self.right as f64 / self.images as f64
    }
}

fn measure() -> Result<Vec<Row>, Box<dyn Error>> {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/digits");
    let digits = Digits::open(format!("{fixtures}/test.gguf"))?;
    let file = briq_format::Gguf::open(format!("{fixtures}/network.gguf"))?;
    FORMS
        .into_iter()
        .map(|storage| {
            let network = Network::of(&file, storage)?;
            let right = digits.read_right(&network)?;
            Ok(Row { storage, bytes: network.bytes(), right, images: digits.len() })
        })
        .collect()
}

#[allow(clippy::print_stdout, reason = "what an example prints is what it shows")]
fn print(rows: &[Row]) {
    println!("{:16} {:>8}  {:>8}  {:>10}", "weights", "size", "accuracy", "lost");
    for row in rows {
        let lost = rows[0].percent() - row.percent();
        let name = row.storage.to_string();
        let size = row.bytes as f64 / 1000.0;
        println!("{name:16} {size:>5.1} kB  {:>6.2} %  {lost:>+5.2} points", row.percent());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An image is 0.11 points.
    #[test]
    fn eight_bits_lose_at_most_three_tenths_of_a_point_and_four_bits_one() {
        let rows = measure().unwrap();
        let [whole, per_tensor, q8_0, q4_0, q4_k] = &rows[..] else { panic!("five forms") };
        assert!(whole.percent() > 94.0, "{}", whole.percent());
        for (row, allowed) in [(per_tensor, 0.3), (q8_0, 0.3), (q4_0, 1.0), (q4_k, 1.0)] {
            let lost = whole.percent() - row.percent();
            assert!(lost <= allowed, "{} loses {lost}", row.storage);
        }
    }

    #[test]
    fn eight_bits_are_a_quarter_of_the_size_and_four_bits_an_eighth() {
        let rows = measure().unwrap();
        // 256 × 256 and 10 × 256 weights, 266 biases of 4 bytes; blocks add half a bit per weight.
        let weights = 256 * 256 + 10 * 256;
        let expected = [weights * 4, weights + 8, weights * 34 / 32, weights * 18 / 32, weights * 144 / 256];
        for (row, expected) in rows.iter().zip(expected) {
            assert_eq!(row.bytes, expected + 266 * 4, "{}", row.storage);
        }
    }
}
