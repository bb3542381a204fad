//! Carrying out a plan: read, decode, encode, write, piece by piece.
//!
//! Memory is bounded by [`RunOptions::max_memory`], not by the model: a tensor is never whole in memory. Only a row
//! that is rearranged or weighed by importance is read as a whole, however long it is. The bytes written depend on the
//! plan alone, not on pieces or threads, because every block is encoded by itself.

use std::io::Write;
use std::num::NonZero;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use briq_format::{AtomicFile, Existing, TensorType, TensorWriter};

use crate::complete::complete;
use crate::imatrix::matrices;
use crate::integrity::{Run, Stream};
use crate::pieces::Pieces;
use crate::pipeline::{BUFFERS_PER_THREAD, in_order};
use crate::plan::{Plan, Planned};
use crate::recipe::Importance;
use crate::weights::{Origin, UNIT, Weights};
use crate::{Error, Result};

/// How a plan is carried out. None of these changes a byte of the result.
#[derive(Clone, Copy, Debug)]
pub struct RunOptions {
    /// Threads that encode; 0 for one per core.
    pub threads: usize,
    /// Bytes that buffers may take together, where a piece need not be longer: it has 256 elements at least, and whole
    /// rows where rows are rearranged or weighed by importance.
    pub max_memory: u64,
    /// What to do when the output exists.
    pub existing: Existing,
    /// Encode NaN, infinity and overflowing weights as the reference does, instead of refusing them.
    pub allow_non_finite: bool,
    /// Read every tensor back and hold it against what was written, before the file appears under its name.
    pub read_back: bool,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            max_memory: 256 << 20,
            existing: Existing::Keep,
            allow_non_finite: false,
            read_back: false,
        }
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
/// Threads read, decode and encode pieces of tensors, this one writes them in order. The file appears complete and
/// synced, or not at all; its header is read back before, and every tensor where the options say so. Set `stop` from
/// another thread or a signal handler to end early with nothing written.
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
    run_into(plan, AtomicFile::create(output, options.existing)?, options, progress, stop)
}

/// As [`run`], into a file that the caller has begun; [`RunOptions::existing`] was the caller's business then.
///
/// # Errors
/// As [`run`].
pub fn run_into(
    plan: &Plan,
    mut file: AtomicFile,
    options: &RunOptions,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> Result<()> {
    file.expect(plan.file.file_bytes())?;
    let output = file.path().to_owned();
    let mut hashes = (plan.record || options.read_back).then(|| Stream::of(&plan.file));
    write_tensors(plan, &mut file, &output, hashes.as_mut(), options, progress, stop)?;
    complete(plan, &mut file, hashes.map(Stream::finish), options, stop)?;
    Ok(file.commit()?)
}

/// As [`run`], into a pipe or a device, from front to back; errors name it `output`. What was written before a
/// failure has left: whoever reads it has to ask how the run ended.
///
/// # Errors
/// As [`run`]; and when the plan has a record, which is complete only after the tensors that it stands before, or the
/// options ask to read back what is no longer there.
pub fn run_through(
    plan: &Plan,
    out: impl Write,
    output: &Path,
    options: &RunOptions,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> Result<()> {
    if plan.record || options.read_back {
        let output = output.display();
        return Err(Error::usage(format!("{output}: what is no file has no record and is not read back")));
    }
    write_tensors(plan, out, output, None, options, progress, stop)
}

/// Writes the head and all tensors, hashes them where somebody asks for it, and makes sure that the source stayed what
/// it was.
fn write_tensors(
    plan: &Plan,
    out: impl Write,
    output: &Path,
    mut hashes: Option<&mut Stream>,
    options: &RunOptions,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> Result<()> {
    let threads = match options.threads {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get),
        threads => threads,
    };
    let mut writer = TensorWriter::new(&plan.file, out).map_err(|error| error.in_file(output))?;
    let work: Vec<Work<'_>> = plan.tensors.iter().map(|tensor| Work::new(plan, tensor, options)).collect();
    let mut pieces = Pieces::default();
    let wanted = piece_elements(options.max_memory, threads);
    work.iter().for_each(|work| pieces.add(work.len(), work.step(wanted)));
    let is_hashed = hashes.is_some();
    in_order(
        threads,
        pieces.count(),
        |number, buffers: &mut Buffers| {
            let (tensor, range) = pieces.get(number);
            match stop.load(Ordering::Relaxed) {
                true => Err(Error::Interrupted),
                false => work[tensor].make(range, is_hashed, buffers),
            }
        },
        |number, buffers| {
            let tensor = pieces.get(number).0;
            let written = writer.write(work[tensor].tensor.spec.name(), &buffers.blocks);
            written.map_err(|error| error.in_file(output))?;
            if let Some(hashes) = &mut hashes {
                hashes.add(tensor, &buffers.run, &buffers.blocks);
            }
            progress.advance(buffers.read);
            Ok(())
        },
    )?;
    writer.finish().map_err(|error| error.in_file(output))?;
    plan.source.check_unchanged()
}

/// Elements that a piece may have. Each takes up to 16 bytes in the buffers of its thread.
fn piece_elements(max_memory: u64, threads: usize) -> u64 {
    let buffers = (threads * BUFFERS_PER_THREAD) as u64;
    (max_memory / 2 / buffers / 16).max(UNIT)
}

/// Bytes of a piece: what the cache next to a core holds, so that they are still there when they are hashed.
const PIECE_BYTES: u64 = 288 << 10;

/// Elements that are read, decoded and encoded at a time, so that each is still in the cache for the next.
const STEP_ELEMENTS: u64 = 1 << 14;

/// The same of tensors whose elements are gathered: what is read of a row at a time must not be too little.
const GATHERED_STEP_ELEMENTS: u64 = 1 << 16;

/// Buffers of a piece.
#[derive(Default)]
struct Buffers {
    /// What was read last, and the numbers that it stands for.
    stored: Vec<u8>,
    weights: Vec<f32>,
    /// What is to be written.
    blocks: Vec<u8>,
    /// Bytes that were read for it.
    read: u64,
    /// Its hashes.
    run: Run,
}

/// One tensor on its way.
struct Work<'a> {
    plan: &'a Plan,
    tensor: &'a Planned,
    weights: Weights<'a>,
    options: &'a RunOptions,
}

impl<'a> Work<'a> {
    fn new(plan: &'a Plan, tensor: &'a Planned, options: &'a RunOptions) -> Self {
        let weights = Weights { source: &plan.source, origin: &tensor.origin, shape: tensor.spec.shape() };
        Self { plan, tensor, weights, options }
    }

    /// Whether the matrices of the tensor are encoded row by row, with an importance per column.
    fn has_importance(&self) -> bool {
        matches!(self.tensor.importance, Importance::Entry(_))
    }

    /// Whether the blocks are written as they are stored.
    fn is_copy(&self) -> bool {
        self.tensor.ty.is_none_or(|ty| self.weights.stored_type().is_ok_and(|stored| stored == ty))
    }

    /// Elements of the tensor; bytes, where it is carried as it is.
    fn len(&self) -> u64 {
        match self.tensor.ty {
            Some(_) => self.tensor.spec.shape().elements(),
            None => self.tensor.spec.bytes(),
        }
    }

    /// What a piece has of them, where it may have about `most`.
    fn step(&self, most: u64) -> u64 {
        let Some(ty) = self.tensor.ty else { return most.min(PIECE_BYTES) };
        let wanted = PIECE_BYTES / ty.block_bytes() * ty.block_elements();
        // A power of two, because the tree of hashes is made of such.
        self.weights.step(most.min(1 << wanted.ilog2()), self.has_importance())
    }

    /// Makes a range of the tensor, and hashes it while it is in the cache.
    fn make(&self, range: Range<u64>, is_hashed: bool, buffers: &mut Buffers) -> Result<()> {
        let start = match self.tensor.ty {
            Some(ty) => range.start / ty.block_elements() * ty.block_bytes(),
            None => range.start,
        };
        match self.tensor.ty {
            Some(target) if !self.is_copy() => self.encode(target, range, buffers)?,
            target => self.copy(target, range, buffers)?,
        }
        if is_hashed {
            buffers.run = Run::of(start, &buffers.blocks, self.tensor.spec.bytes());
        }
        Ok(())
    }

    fn copy(&self, target: Option<TensorType>, range: Range<u64>, buffers: &mut Buffers) -> Result<()> {
        let (start, blocks) = (range.start, &mut buffers.blocks);
        match target {
            Some(_) => self.weights.read(range, blocks)?,
            None => self.weights.read_bytes(range, blocks)?,
        }
        buffers.read = blocks.len() as u64;
        target.map_or(Ok(()), |ty| self.check_blocks(ty, start, blocks))
    }

    /// Reads, decodes and encodes the elements in `range`, step by step.
    fn encode(&self, target: TensorType, range: Range<u64>, buffers: &mut Buffers) -> Result<()> {
        let Buffers { stored, weights, blocks, read, .. } = buffers;
        // A piece fits memory.
        let bytes = |elements: u64| (elements / target.block_elements() * target.block_bytes()) as usize;
        blocks.resize(bytes(range.end - range.start), 0);
        *read = 0;
        let wanted = match self.weights.origin {
            Origin::Source(_) | Origin::Values(_) => STEP_ELEMENTS,
            Origin::Parts(_) | Origin::Mxfp4 { .. } => GATHERED_STEP_ELEMENTS,
        };
        let step = self.weights.step(wanted, self.has_importance());
        let (mut at, mut blocks) = (range.start, &mut blocks[..]);
        while at < range.end {
            let end = (at + step).min(range.end);
            let (made, later) = std::mem::take(&mut blocks).split_at_mut(bytes(end - at));
            self.weights.read(at..end, stored)?;
            *read += stored.len() as u64;
            self.encode_step(target, at, stored, weights, made)?;
            (at, blocks) = (end, later);
        }
        Ok(())
    }

    /// Decodes and encodes what is stored of the elements from `start` on.
    fn encode_step(
        &self,
        target: TensorType,
        start: u64,
        stored: &[u8],
        weights: &mut Vec<f32>,
        blocks: &mut [u8],
    ) -> Result<()> {
        let stored_type = self.weights.stored_type()?;
        // What was just read fits memory, and so does what becomes of it.
        let elements = stored.len() as u64 / stored_type.block_bytes() * stored_type.block_elements();
        weights.resize(elements as usize, 0.0);
        briq_codec::decode(stored_type, stored, weights).map_err(|error| self.wrong(error))?;
        self.check_weights(start, weights)?;
        match self.has_importance() {
            true => self.encode_rows(target, start, weights, blocks)?,
            // The rows do not matter then: blocks are encoded each by itself.
            false => self.encode_blocks(target, weights, weights.len(), None, blocks)?,
        }
        self.check_blocks(target, start, blocks)
    }

    /// Encodes whole rows from element `start` on, those of each matrix by its own importance. That is read for
    /// every piece anew: a row of it for many rows of weights, from memory where the system has just read it.
    fn encode_rows(&self, target: TensorType, start: u64, weights: &[f32], blocks: &mut [u8]) -> Result<()> {
        let shape = self.weights.shape;
        let row = shape.row_elements();
        let matrix_rows = shape.dims().get(1).copied().unwrap_or(1);
        // A part of the tensor's elements, which a shape counts in 63 bits; none is 0 where there are weights.
        let matrix_elements = row * matrix_rows;
        let (mut at, mut weights, mut blocks) = (start, weights, blocks);
        while !weights.is_empty() {
            // What is left of the matrix, or of the weights; neither is more than what is in memory.
            let elements = (matrix_elements - at % matrix_elements).min(weights.len() as u64);
            let bytes = elements / target.block_elements() * target.block_bytes();
            let (now, later) = weights.split_at(elements as usize);
            let (made, empty) = blocks.split_at_mut(bytes as usize);
            let importance = self.plan.importance(self.tensor, at / matrix_elements % matrices(shape))?;
            self.encode_blocks(target, now, row as usize, importance.as_deref(), made)?;
            (at, weights, blocks) = (at + elements, later, empty);
        }
        Ok(())
    }

    fn encode_blocks(
        &self,
        target: TensorType,
        weights: &[f32],
        row_elements: usize,
        importance: Option<&[f32]>,
        blocks: &mut [u8],
    ) -> Result<()> {
        briq_codec::encode(target, weights, row_elements, importance, blocks)
            .map_err(|error| self.wrong(error))
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
                        "the {ty} block of weights {first} to {} stands for a number that is not finite",
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
