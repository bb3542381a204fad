//! Carrying out a plan: read, decode, encode, write, chunk by chunk.
//!
//! Memory is bounded by [`RunOptions::max_memory`], not by the model: a tensor is never whole in memory. The
//! bytes written depend on the plan alone, not on chunks or threads, because every block is encoded by
//! itself.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use briq_format::{AtomicFile, Existing, Head, Limits, TensorType, TensorWriter};
use rayon::prelude::*;

use crate::imatrix::matrices;
use crate::plan::{Plan, Planned};
use crate::weights::{UNIT, Weights};
use crate::{Error, Result};

/// How a plan is carried out. None of these changes a byte of the result.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Threads that encode; 0 for one per core.
    pub threads: usize,
    /// Bytes that buffers may take together.
    pub max_memory: u64,
    /// What to do when the output exists.
    pub existing: Existing,
    /// Encode NaN, infinity and overflowing weights as the reference does, instead of refusing them.
    pub allow_non_finite: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { threads: 0, max_memory: 256 << 20, existing: Existing::Keep, allow_non_finite: false }
    }
}

/// Hears how far a run is.
pub trait Progress {
    /// `bytes` more of the source are done.
    fn advance(&self, bytes: u64);
}

impl Progress for () {
    fn advance(&self, _: u64) {}
}

/// Writes the file of `plan` at `output`.
///
/// The file appears complete, synced and read back, or not at all. Set `stop` from another thread or a
/// signal handler to end early with nothing written.
///
/// # Errors
/// When a source cannot be read or has changed, a weight is not finite, the output cannot be written, or
/// `stop` was set.
pub fn run(
    plan: &Plan,
    output: &Path,
    options: &RunOptions,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|error| Error::usage(format!("cannot start {} threads: {error}", options.threads)))?;
    let mut file = AtomicFile::create(output, options.existing)?;
    let mut writer = TensorWriter::new(&plan.file, &mut file).map_err(|error| error.in_file(output))?;
    let mut buffers = Buffers::default();
    for tensor in &plan.tensors {
        let weights = Weights { source: &plan.source, origin: &tensor.origin, shape: tensor.spec.shape() };
        let importance = plan.importance(tensor)?;
        let work = Work { plan, tensor, weights, importance: importance.as_deref(), options };
        work.write(&mut writer, &mut buffers, &pool, progress, stop).map_err(|error| named(error, output))?;
    }
    writer.finish().map_err(|error| error.in_file(output))?;
    plan.source.check_unchanged()?;
    check_written(plan, &mut file).map_err(|error| error.in_file(output))?;
    Ok(file.commit()?)
}

fn named(error: Error, output: &Path) -> Error {
    match error {
        Error::Format(error) => error.in_file(output).into(),
        other => other,
    }
}

/// Buffers that live as long as a run.
#[derive(Default)]
struct Buffers {
    stored: Vec<u8>,
    weights: Vec<f32>,
    blocks: Vec<u8>,
}

/// One tensor on its way.
struct Work<'a> {
    plan: &'a Plan,
    tensor: &'a Planned,
    weights: Weights<'a>,
    /// Of every column, matrix after matrix.
    importance: Option<&'a [f32]>,
    options: &'a RunOptions,
}

impl Work<'_> {
    fn write<W: Write>(
        &self,
        writer: &mut TensorWriter<'_, W>,
        buffers: &mut Buffers,
        pool: &rayon::ThreadPool,
        progress: &dyn Progress,
        stop: &AtomicBool,
    ) -> Result<()> {
        let name = self.tensor.spec.name();
        let Some(target) = self.tensor.ty else {
            return self.carry(writer, buffers, progress, stop);
        };
        let stored = self.weights.stored_type()?;
        for range in self.weights.chunks(self.chunk_elements(), self.importance.is_some()) {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let start = range.start;
            self.weights.read(range, &mut buffers.stored)?;
            let read = buffers.stored.len() as u64;
            let blocks = if stored == target {
                pool.install(|| self.check(stored, start, &buffers.stored))?;
                &buffers.stored
            } else {
                pool.install(|| self.encode(stored, target, start, buffers))?;
                &buffers.blocks
            };
            writer.write(name, blocks)?;
            progress.advance(read);
        }
        Ok(())
    }

    /// Copies a tensor of a type that nobody here knows.
    fn carry<W: Write>(
        &self,
        writer: &mut TensorWriter<'_, W>,
        buffers: &mut Buffers,
        progress: &dyn Progress,
        stop: &AtomicBool,
    ) -> Result<()> {
        let crate::weights::Origin::Source { index, .. } = self.tensor.origin else {
            return Ok(());
        };
        let source = &self.plan.source.tensors[index];
        let step = self.options.max_memory / 4;
        let mut at = 0;
        while at < source.bytes {
            if stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
            let bytes = step.clamp(1, 8 << 20).min(source.bytes - at);
            buffers.stored.resize(bytes as usize, 0);
            self.plan.source.read(source, at, &mut buffers.stored)?;
            writer.write(self.tensor.spec.name(), &buffers.stored)?;
            progress.advance(bytes);
            at += bytes;
        }
        Ok(())
    }

    /// Elements of a chunk: at most 12 bytes each lie in buffers, and a few megabytes are enough for speed.
    fn chunk_elements(&self) -> u64 {
        (self.options.max_memory / 32).clamp(UNIT, 2 << 20)
    }

    /// Decodes and encodes the chunk that begins at element `start`, a piece per turn of a thread.
    fn encode(
        &self,
        stored: TensorType,
        target: TensorType,
        start: u64,
        buffers: &mut Buffers,
    ) -> Result<()> {
        // The chunk was just read: its size fits memory.
        let elements = buffers.stored.len() as u64 / stored.block_bytes() * stored.block_elements();
        let bytes =
            |ty: TensorType, elements: u64| (elements / ty.block_elements() * ty.block_bytes()) as usize;
        let unit = if self.importance.is_some() { self.weights.shape.row_elements() } else { UNIT };
        let piece = (elements / 8).next_multiple_of(unit).max(unit);
        buffers.weights.resize(elements as usize, 0.0);
        buffers.blocks.resize(bytes(target, elements), 0);
        let pieces = buffers
            .stored
            .par_chunks(bytes(stored, piece))
            .zip(buffers.weights.par_chunks_mut(piece as usize))
            .zip(buffers.blocks.par_chunks_mut(bytes(target, piece)));
        pieces.enumerate().try_for_each(|(number, ((stored_bytes, weights), blocks))| {
            let start = start + number as u64 * piece;
            briq_codec::decode(stored, stored_bytes, weights).map_err(|error| self.wrong(error))?;
            self.check_weights(start, weights)?;
            self.encode_piece(target, start, weights, blocks).map_err(|error| self.wrong(error))?;
            self.check_blocks(target, start, blocks)
        })
    }

    /// Encodes weights from element `start` on. With importance they are whole rows, and those of a matrix of a
    /// tensor of experts go by the part of the importance that is its own.
    fn encode_piece(
        &self,
        target: TensorType,
        start: u64,
        mut weights: &[f32],
        mut blocks: &mut [u8],
    ) -> Result<(), briq_codec::Error> {
        let Some(importance) = self.importance else {
            // Without importance the rows do not matter, and blocks are encoded each by itself.
            return briq_codec::encode(target, weights, weights.len(), None, blocks);
        };
        let shape = self.weights.shape;
        // Rows and matrices fit memory: their importance does, and chunks do.
        let row = shape.row_elements() as usize;
        let rows_per_matrix = shape.dims().get(1).copied().unwrap_or(1).max(1);
        let mut at = start / shape.row_elements().max(1);
        while !weights.is_empty() {
            let rows = (rows_per_matrix - at % rows_per_matrix).min((weights.len() / row) as u64);
            let elements = rows as usize * row;
            let bytes = elements / target.block_elements() as usize * target.block_bytes() as usize;
            let (matrix_weights, matrix_blocks);
            (matrix_weights, weights) = weights.split_at(elements);
            (matrix_blocks, blocks) = blocks.split_at_mut(bytes);
            let matrix = (at / rows_per_matrix % matrices(shape)) as usize;
            let importance = &importance[matrix * row..][..row];
            briq_codec::encode(target, matrix_weights, row, Some(importance), matrix_blocks)?;
            at += rows;
        }
        Ok(())
    }

    /// Looks for values that are not finite in blocks that are copied.
    fn check(&self, ty: TensorType, start: u64, blocks: &[u8]) -> Result<()> {
        let piece = (blocks.len() as u64 / ty.block_bytes() / 8).max(1);
        let pieces = blocks.par_chunks((piece * ty.block_bytes()) as usize);
        pieces.enumerate().try_for_each(|(number, blocks)| {
            self.check_blocks(ty, start + number as u64 * piece * ty.block_elements(), blocks)
        })
    }

    fn check_weights(&self, start: u64, weights: &[f32]) -> Result<()> {
        match briq_codec::first_non_finite(weights).filter(|_| !self.options.allow_non_finite) {
            Some(index) => {
                let problem = format!("weight {} is {}", start + index as u64, weights[index]);
                Err(self.refused(&problem))
            }
            None => Ok(()),
        }
    }

    fn check_blocks(&self, ty: TensorType, start: u64, blocks: &[u8]) -> Result<()> {
        if self.options.allow_non_finite {
            return Ok(());
        }
        // A type whose blocks cannot be checked has none that decode to infinity here.
        match briq_codec::check_blocks(ty, blocks) {
            Ok(Some(index)) => {
                let first = start + index as u64 * ty.block_elements();
                let problem = match ty.block_elements() {
                    1 => format!("weight {first} is not finite as {ty}"),
                    n => format!(
                        "the {ty} block of weights {first} to {} has a scale that is not finite",
                        first + n - 1
                    ),
                };
                Err(self.refused(&problem))
            }
            _ => Ok(()),
        }
    }

    fn refused(&self, problem: &str) -> Error {
        let problem = format!(
            "tensor \"{}\": {problem}; --allow-non-finite takes it as it is",
            self.tensor.origin_name
        );
        Error::bad(&self.plan.source.path, problem)
    }

    fn wrong(&self, error: briq_codec::Error) -> Error {
        Error::unsupported(format!("tensor \"{}\": {error}", self.tensor.origin_name))
    }
}

/// Reads the head of the file back and holds it against the plan.
fn check_written(plan: &Plan, file: &mut AtomicFile) -> briq_format::Result<()> {
    let head = Head::read(&mut file.reopen()?, &Limits::default())?;
    let view = head.view();
    let same = view.file_bytes() == plan.file.file_bytes()
        && view.tensor_infos().len() == plan.file.infos().len()
        && view.tensor_infos().zip(plan.file.infos()).all(|(read, planned)| {
            (read.name, read.shape.elements(), read.type_id, read.offset_in_file, read.bytes)
                == (
                    planned.name,
                    planned.shape.elements(),
                    planned.type_id,
                    planned.offset_in_file,
                    planned.bytes,
                )
        });
    match same {
        true => Ok(()),
        false => {
            Err(briq_format::Error::Invalid("what was written does not read back as planned".to_owned()))
        }
    }
}
