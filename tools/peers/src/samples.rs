//! The weights that encoders are compared on: made-up ones of every kind, and those of a real model.

use std::path::Path;

use anyhow::{Result, ensure};
use briq_format::{Gguf, TensorType};

use crate::data::{DISTRIBUTIONS, IMPORTANCES, Random};
use crate::parallel;

/// Weights of each distribution: over twenty million of them all.
const WEIGHTS_PER_DISTRIBUTION: usize = 1_600_000;

/// A distribution is drawn anew for each run of so many weights, in turn. Rows are cut without regard to them, so
/// that a row may hold several runs, and a run several rows.
const RUNS: [usize; 7] = [32, 96, 256, 352, 768, 2816, 4096];

/// Weights handed over at once, about.
const CHUNK_WEIGHTS: usize = 1 << 16;

/// Rows are this many blocks long, in turn. The searches with importance look at whole rows.
const BLOCKS_PER_ROW: [usize; 4] = [1, 3, 11, 16];

/// Of a sample that is thinned out, every so many chunks are taken.
const THINNED: usize = 10;

/// Weights of one kind.
pub(crate) struct Sample {
    name: &'static str,
    weights: Vec<f32>,
}

/// Whole rows of a sample, and the importance of their columns.
pub(crate) struct Chunk<'a> {
    /// The sample's name and the chunk's place in it.
    pub(crate) name: &'static str,
    pub(crate) number: usize,
    pub(crate) weights: &'a [f32],
    pub(crate) row_elements: usize,
    pub(crate) importance: Option<Vec<f32>>,
}

/// A sample of each distribution, and one of the weights of `model`, an F32 file: the same in every process.
///
/// # Errors
/// The file cannot be read, or holds something else.
pub(crate) fn samples(model: &Path) -> Result<Vec<Sample>> {
    let seeds: Vec<usize> = (0..DISTRIBUTIONS.len()).collect();
    let mut samples = parallel::map(&seeds, |&seed| drawn(seed));
    let mut weights = Vec::new();
    for tensor in Gguf::open(model)?.tensors() {
        let ty = tensor.info.tensor_type()?;
        ensure!(ty == TensorType::F32, "{} is {ty}", tensor.name());
        let bytes = tensor.bytes().as_chunks().0;
        weights.extend(bytes.iter().map(|&bytes| f32::from_le_bytes(bytes)));
    }
    samples.push(Sample { name: "all-MiniLM-L6-v2", weights });
    Ok(samples)
}

fn drawn(seed: usize) -> Sample {
    let (name, fill) = DISTRIBUTIONS[seed];
    let mut random = Random::new(seed as u64);
    let mut weights = vec![0.0; WEIGHTS_PER_DISTRIBUTION];
    let mut rest = &mut weights[..];
    for run in RUNS.into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (row, after) = rest.split_at_mut(run.min(rest.len()));
        fill(&mut random, row);
        rest = after;
    }
    Sample { name, weights }
}

/// The samples in chunks of rows for a type, `thinned` to a tenth of them; with importance of every kind, or
/// without.
pub(crate) fn chunks(
    samples: &[Sample],
    ty: TensorType,
    thinned: bool,
    weighted: bool,
) -> impl Iterator<Item = Chunk<'_>> {
    // ggml is asked for whole rows of 32 weights even of plain types.
    let block = (ty.block_elements() as usize).max(32);
    let step = if thinned { THINNED } else { 1 };
    samples.iter().enumerate().flat_map(move |(kind, Sample { name, weights })| {
        weights.chunks(CHUNK_WEIGHTS).step_by(step).enumerate().map(move |(number, weights)| {
            // Another beginning for each sample, and another way through the importances for each row length.
            let turn = kind + number;
            let row_elements = block * BLOCKS_PER_ROW[turn % BLOCKS_PER_ROW.len()];
            let fill = IMPORTANCES[(turn + turn / BLOCKS_PER_ROW.len()) % IMPORTANCES.len()];
            let importance = weighted.then(|| {
                let mut importance = vec![0.0; row_elements];
                fill(&mut Random::new(turn as u64), &mut importance);
                importance
            });
            let weights = &weights[..weights.len() / row_elements * row_elements];
            Chunk { name, number, weights, row_elements, importance }
        })
    })
}
