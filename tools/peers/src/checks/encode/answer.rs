//! What ggml writes for all samples, kept in files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use briq_codec::Error;

use super::Job;
use crate::ggml::Ggml;
use crate::samples::{Chunk, Sample, chunks};

/// A row is refused with a reason only if it holds a weight of this magnitude: its square, times an importance of up
/// to 1e12 and another such weight, is where sums overflow.
const HUGE: f32 = 1e8;

/// ggml's blocks of a job, and the rows that it was not asked for.
#[derive(Default)]
pub(super) struct Answer {
    /// Weights of the rows that it was asked for.
    pub(super) weights: usize,
    /// The numbers of the others, counted through all chunks.
    pub(super) refused: Vec<u64>,
    /// How many of these hold ordinary weights only.
    pub(super) refused_without_reason: usize,
    /// The blocks. Let go once they are stored.
    pub(super) blocks: Vec<u8>,
}

/// Asks ggml for every row that briq accepts.
///
/// # Errors
/// A length is wrong on one of the sides.
pub(super) fn answer(ggml: &Ggml, samples: &[Sample], job: &Job) -> Result<Answer> {
    let mut answer = Answer::default();
    let mut first_row = 0;
    for chunk in chunks(samples, job.ty, job.is_slow(), job.weighted) {
        let Chunk { row_elements, ref importance, .. } = chunk;
        let encoded = encode(job, chunk.weights, row_elements, importance.as_deref())?;
        let accepted = encoded.accepted(&chunk);
        let start = answer.blocks.len();
        answer.blocks.resize(start + encoded.blocks.len(), 0);
        let blocks = &mut answer.blocks[start..];
        ggml.encode(job.ty, &accepted, row_elements, importance.as_deref(), blocks)?;
        let is_ordinary = |&&row: &&usize| {
            chunk.weights[row * row_elements..][..row_elements].iter().all(|weight| weight.abs() < HUGE)
        };
        answer.refused_without_reason += encoded.refused.iter().filter(is_ordinary).count();
        answer.weights += accepted.len();
        answer.refused.extend(encoded.refused.iter().map(|row| (first_row + row) as u64));
        first_row += chunk.weights.len() / row_elements;
    }
    Ok(answer)
}

impl Answer {
    /// Writes the blocks and the refused rows into `folder`, and keeps the figures.
    ///
    /// # Errors
    /// The disk refuses.
    pub(super) fn store(mut self, folder: &Path, job: &Job) -> Result<Self> {
        let refused: Vec<u8> = self.refused.iter().flat_map(|row| row.to_le_bytes()).collect();
        fs::write(folder.join(job.name() + ".refused"), refused)?;
        fs::write(folder.join(job.name() + ".blocks"), std::mem::take(&mut self.blocks))?;
        Ok(self)
    }

    /// Reads what was stored.
    ///
    /// # Errors
    /// The files are not there.
    pub(super) fn read(folder: &Path, job: &Job) -> Result<Self> {
        let read = |ending: &str| {
            let path = folder.join(job.name() + ending);
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let refused =
            read(".refused")?.as_chunks().0.iter().map(|&bytes| u64::from_le_bytes(bytes)).collect();
        Ok(Self { refused, blocks: read(".blocks")?, ..Self::default() })
    }
}

/// What briq makes of some rows.
#[derive(Default)]
pub(super) struct Encoded {
    /// The blocks of the rows that it accepts, one after the other.
    pub(super) blocks: Vec<u8>,
    /// The numbers of the others.
    pub(super) refused: Vec<usize>,
}

impl Encoded {
    /// The weights of the accepted rows.
    fn accepted(&self, chunk: &Chunk<'_>) -> Vec<f32> {
        let rows = chunk.weights.chunks_exact(chunk.row_elements).enumerate();
        let accepted = rows.filter(|(number, _)| self.refused.binary_search(number).is_err());
        accepted.flat_map(|(_, row)| row).copied().collect()
    }
}

/// Encodes rows by briq: all in one call, or one by one where some of them are refused.
///
/// # Errors
/// briq refuses for another reason than that a weight has no nearest point.
pub(super) fn encode(
    job: &Job,
    weights: &[f32],
    row_elements: usize,
    importance: Option<&[f32]>,
) -> Result<Encoded> {
    let row_bytes = job.ty.row_bytes(row_elements as u64).context("whole blocks")? as usize;
    let mut encoded = Encoded { blocks: vec![0; weights.len() / row_elements * row_bytes], refused: vec![] };
    match briq_codec::encode(job.ty, weights, row_elements, importance, &mut encoded.blocks) {
        Err(Error::NoNearestPoint { .. }) => {}
        result => return Ok(result.map(|()| encoded)?),
    }
    encoded.blocks.clear();
    for (number, row) in weights.chunks_exact(row_elements).enumerate() {
        let mut blocks = vec![0; row_bytes];
        match briq_codec::encode(job.ty, row, row_elements, importance, &mut blocks) {
            Ok(()) => encoded.blocks.extend(blocks),
            Err(Error::NoNearestPoint { .. }) => encoded.refused.push(number),
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(!encoded.refused.is_empty(), "{}: rows are refused together, but not one by one", job.ty);
    Ok(encoded)
}
