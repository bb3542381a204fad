//! Two layers, and the images that they read.

use std::path::Path;

use briq_format::{Gguf, block};

use crate::layer::{Layer, Storage};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// 256 inputs, 256 hidden values that are never negative, a score for each of ten digits.
pub(crate) struct Network {
    hidden: Layer,
    output: Layer,
}

impl Network {
    /// Encodes the weights of `file`, which are F32 there.
    pub(crate) fn of(file: &Gguf, storage: Storage) -> Result<Self> {
        let layer = |name: &str| -> Result<Layer> {
            let (weights, bias) = (format!("{name}.weight"), format!("{name}.bias"));
            Ok(Layer::new(&numbers(file, &weights)?, &numbers(file, &bias)?, storage)?)
        };
        Ok(Self { hidden: layer("hidden")?, output: layer("output")? })
    }

    pub(crate) fn bytes(&self) -> usize {
        self.hidden.bytes() + self.output.bytes()
    }

    /// The digit with the highest score.
    fn read(&self, image: &[i8]) -> Result<usize> {
        let mut hidden = self.hidden.forward(&inputs(image))?;
        hidden.iter_mut().for_each(|value| *value = value.max(0.0));
        let scores = self.output.forward(&hidden)?;
        let best = (0..scores.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        best.ok_or_else(|| "a network without outputs".into())
    }
}

/// Four inputs for each pixel of 0 to 16, from 0 to 1: how far it reaches into each quarter of its range.
fn inputs(image: &[i8]) -> Vec<f32> {
    const QUARTERS: [f32; 4] = [0.0, 4.0, 8.0, 12.0];
    let quarters = |&pixel: &i8| QUARTERS.map(|start| ((f32::from(pixel) - start) / 4.0).clamp(0.0, 1.0));
    image.iter().flat_map(quarters).collect()
}

/// Images of 8 × 8 pixels, and what they show.
pub(crate) struct Digits(Gguf);

impl Digits {
    pub(crate) fn open(path: impl AsRef<Path>) -> Result<Self> {
        Ok(Self(Gguf::open(path)?))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.tensor("labels").map_or(0, |labels| labels.bytes().len())
    }

    /// How many of them the network reads as what they are.
    pub(crate) fn read_right(&self, network: &Network) -> Result<usize> {
        let images = tensor(&self.0, "images")?.blocks::<block::I8>()?.chunks_exact(64);
        let labels = tensor(&self.0, "labels")?.blocks::<block::I8>()?;
        let mut right = 0;
        for (image, &label) in images.zip(labels) {
            right += usize::from(network.read(image)? == usize::try_from(label)?);
        }
        Ok(right)
    }
}

fn tensor<'a>(file: &'a Gguf, name: &str) -> Result<briq_format::Tensor<'a>> {
    file.tensor(name).ok_or_else(|| format!("there is no tensor \"{name}\"").into())
}

fn numbers(file: &Gguf, name: &str) -> Result<Vec<f32>> {
    Ok(tensor(file, name)?.blocks::<block::F32>()?.iter().map(|number| number.get()).collect())
}
