//! Matrices of encoded rows: times a vector, and times a batch of vectors.
//!
//! Rows are viewed where they are, so that a mapped file is multiplied in place. Nothing here allocates: results go
//! where the caller says, and activations were encoded before.

mod many;
mod places;
mod product;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;
use std::ops::Range;
use std::slice;

use briq_format::{TensorType, block, for_each_weight_type};
use rayon::ThreadPool;
use rayon::prelude::*;
use zerocopy::FromBytes;

use crate::activations::Activations;
use crate::dot::{Dot, batch};
use crate::error::Error;
use crate::simd::matrices::ROWS as GROUP;
use crate::simd::{Amx, Cpu, run};
use many::{FEWEST, Many};
use places::Places;
pub use places::Products;
use product::Product;

/// Rows of one length, encoded in one type.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    ty: TensorType,
    bytes: &'a [u8],
    row_elements: usize,
    row_bytes: usize,
}

impl<'a> Matrix<'a> {
    /// Views bytes as rows of `row_elements` weights of `ty`. They are little-endian, as
    /// [`Tensor::little_endian_bytes`](briq_format::Tensor::little_endian_bytes) gives them.
    ///
    /// # Errors
    /// When there is no kernel for `ty`, a row is empty or not whole blocks, or the bytes are not whole rows.
    pub fn new(ty: TensorType, bytes: &'a [u8], row_elements: usize) -> Result<Self, Error> {
        crate::partner(ty)?;
        let row_bytes = ty.row_bytes(row_elements as u64).and_then(|bytes| usize::try_from(bytes).ok());
        let row_bytes = row_bytes.unwrap_or(0);
        if row_bytes == 0 || !bytes.len().is_multiple_of(row_bytes) {
            return Err(Error::Matrix { ty, bytes: bytes.len(), row_elements });
        }
        Ok(Self { ty, bytes, row_elements, row_bytes })
    }

    /// The type of the weights.
    pub fn ty(&self) -> TensorType {
        self.ty
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.bytes.len() / self.row_bytes
    }

    /// Weights of a row.
    pub fn row_elements(&self) -> usize {
        self.row_elements
    }

    /// Some of the rows, for a caller that shares them out itself. Rows that are not there are left out.
    pub fn range(&self, rows: Range<usize>) -> Self {
        let end = rows.end.min(self.rows());
        let start = rows.start.min(end);
        Self { bytes: &self.bytes[start * self.row_bytes..end * self.row_bytes], ..*self }
    }
}

impl fmt::Debug for Matrix<'_> {
    /// Its type and shape, and not its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut matrix = f.debug_struct("Matrix");
        matrix.field("ty", &self.ty).field("rows", &self.rows());
        matrix.field("row_elements", &self.row_elements).finish_non_exhaustive()
    }
}

/// Multiplies every row with `x`, on the threads of `pool`: `y[i]` is the product of row `i`.
///
/// With `None` for the pool it is the one that the calling thread belongs to, or else the global one of rayon. Called
/// from inside a pool ([`ThreadPool::install`]) for one matrix after the other, its threads stay awake between them.
///
/// A product of a quantized row has the bits of [`dot()`](crate::dot()). Those of float types are summed in another
/// order, for several rows share what is read of the activations.
///
/// # Errors
/// When the activations are not of the partner of the rows' type and as many as a row has weights, or `y` has not a
/// place for each row.
///
/// # Panics
/// With `None`, where rayon has to make its global pool and the system gives it no threads.
pub fn matvec<'p>(
    matrix: &Matrix<'_>,
    x: &Activations,
    y: &mut [f32],
    pool: impl Into<Option<&'p ThreadPool>>,
) -> Result<(), Error> {
    matmul(matrix, slice::from_ref(x), y, pool)
}

/// As [`matvec`], on the calling thread. With [`Matrix::range`] a runtime shares out the rows over threads of its own.
///
/// # Errors
/// As for [`matvec`].
pub fn matvec_here(matrix: &Matrix<'_>, x: &Activations, y: &mut [f32]) -> Result<(), Error> {
    matmul_here(matrix, slice::from_ref(x), y)
}

/// Multiplies every row with every vector of `batch`, on the threads of `pool`, or of the current one as [`matvec`]
/// does: `out[j * rows + i]` is the product of row `i` and vector `j`. It is the same whatever the number of threads;
/// the order in which it is summed, and so its last bits, may be another with more vectors, and with another instruction
/// set.
///
/// Of the stack of each thread it takes up to 256 KiB.
///
/// # Errors
/// When the activations are not of the partner of the rows' type and as many as a row has weights, or `out` has not a
/// place for each product.
///
/// # Panics
/// As [`matvec`].
pub fn matmul<'p>(
    matrix: &Matrix<'_>,
    batch: &[Activations],
    out: &mut [f32],
    pool: impl Into<Option<&'p ThreadPool>>,
) -> Result<(), Error> {
    check(matrix, batch, out.len())?;
    if batch.is_empty() {
        return Ok(());
    }
    let (pool, rows, instructions) = (pool.into(), matrix.rows(), Instructions::best(matrix.ty, batch.len()));
    let threads = pool.map_or_else(rayon::current_num_threads, ThreadPool::current_num_threads);
    let piece = piece(matrix, batch.len(), instructions.amx.is_some(), threads);
    let out = Places::new(Products::new(out), rows);
    let multiply_all = || {
        // Left alone, rayon makes pieces of a quarter of the matrix, and a thread that is done early goes to sleep.
        (0..rows.div_ceil(piece)).into_par_iter().with_max_len(1).for_each(|place| {
            let first = place * piece;
            multiply(&matrix.range(first..first + piece), batch, out.skip_rows(first), instructions);
        });
    };
    match pool {
        Some(pool) => pool.install(multiply_all),
        None => multiply_all(),
    }
    Ok(())
}

/// As [`matmul`], on the calling thread.
///
/// # Errors
/// As for [`matmul`].
pub fn matmul_here(matrix: &Matrix<'_>, batch: &[Activations], out: &mut [f32]) -> Result<(), Error> {
    matmul_rows(matrix, 0..matrix.rows(), batch, Products::new(out))
}

/// As [`matmul`], of some rows and on the calling thread: for a runtime whose own threads share the rows and the
/// result. Each product is the same however they do. Rows that are not there are left out, and places of other rows are
/// left alone.
///
/// ```
/// # use briq_format::TensorType;
/// # use briq_kernels::{Activations, Error, Matrix, Products, matmul_rows};
/// # let (weights, batch) = ([0; 64 * 18], vec![Activations::encode(TensorType::Q8_0, &[1.0; 32])?; 4]);
/// let matrix = Matrix::new(TensorType::Q4_0, &weights, 32)?;
/// let mut out = vec![0.0; matrix.rows() * batch.len()];
/// let products = Products::new(&mut out);
/// std::thread::scope(|threads| {
///     let rows = |rows| matmul_rows(&matrix, rows, &batch, products);
///     let half = threads.spawn(move || rows(0..32));
///     rows(32..64).and(half.join().expect("no panic"))
/// })?;
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As for [`matmul`]: `out` has a place for each product of the whole matrix.
pub fn matmul_rows(
    matrix: &Matrix<'_>,
    rows: Range<usize>,
    batch: &[Activations],
    out: Products<'_>,
) -> Result<(), Error> {
    check(matrix, batch, out.len())?;
    let some = matrix.range(rows.clone());
    if !batch.is_empty() && some.rows() > 0 {
        let out = Places::new(out, matrix.rows()).skip_rows(rows.start);
        multiply(&some, batch, out, Instructions::best(matrix.ty, batch.len()));
    }
    Ok(())
}

/// Holds activations, and the `given` places for products, against what the matrix needs.
fn check(matrix: &Matrix<'_>, batch: &[Activations], given: usize) -> Result<(), Error> {
    let partner = crate::partner(matrix.ty)?;
    for x in batch {
        if x.elements() != matrix.row_elements {
            return Err(Error::Length { weights: matrix.row_elements, activations: x.elements() });
        }
        if x.ty() != partner {
            return Err(Error::Partner { ty: matrix.ty, needed: partner, given: x.ty() });
        }
    }
    let needed = matrix.rows().saturating_mul(batch.len());
    if given != needed {
        return Err(Error::Output { given, needed });
    }
    Ok(())
}

/// Pieces of the rows per thread, if these are few: for threads that are interrupted.
const PIECES: usize = 4;

/// Bytes of rows that a thread multiplies with a vector at a time, at least and at most: long enough to be fetched
/// ahead. Where a piece begins, memory is waited for, and where one ends, bytes behind it were asked for in vain. At most
/// half as many, or four times as many, took as long (Granite Rapids).
const LEAST_PIECE: usize = 128 << 10;
const MOST_PIECE: usize = 1 << 20;

/// How many rows a thread takes at a time.
fn piece(matrix: &Matrix<'_>, vectors: usize, with_amx: bool, threads: usize) -> usize {
    let share = matrix.rows().div_ceil(threads * PIECES).max(1);
    let rows_of = |bytes: usize| (bytes / matrix.row_bytes).max(1);
    match (vectors, with_amx) {
        (_, true) => share.next_multiple_of(GROUP).min(batch::ROWS),
        (1, _) => share.clamp(rows_of(LEAST_PIECE), rows_of(MOST_PIECE)).next_multiple_of(product::ROWS),
        _ => share.min(product::block_rows(matrix.row_bytes)),
    }
}

/// What products are computed with.
#[derive(Clone, Copy)]
struct Instructions {
    cpu: Cpu,
    /// Instructions that multiply small matrices, for rows that have a use for them.
    amx: Option<Amx>,
}

impl Instructions {
    /// The fastest for rows of a type and so many vectors.
    fn best(ty: TensorType, vectors: usize) -> Self {
        let cpu = Cpu::best();
        Self { cpu, amx: takes_matrices(ty, vectors).then(|| cpu.matrices()).flatten() }
    }
}

/// The name of the instructions that [`matmul`] multiplies rows of `ty` with for so many vectors, beside those that
/// [`instruction_set`](crate::instruction_set) names: see [`matrix_instructions`](crate::matrix_instructions).
pub fn matrix_instructions_for(ty: TensorType, vectors: usize) -> Option<&'static str> {
    Instructions::best(ty, vectors).amx.and(crate::matrix_instructions())
}

/// Whether instructions that multiply small matrices are of use for rows of this type with so many vectors.
fn takes_matrices(ty: TensorType, vectors: usize) -> bool {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => <block::$name as Dot>::HAS_BATCH,)*
                _ => false,
            }
        };
    }
    vectors >= FEWEST && for_each_weight_type!(dispatch)
}

/// Multiplies rows with activations that [fit](check) them.
fn multiply(matrix: &Matrix<'_>, batch: &[Activations], out: Places<'_>, instructions: Instructions) {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match matrix.ty {
                $(TensorType::$name => multiply_blocks::<block::$name>(matrix, batch, out, instructions),)*
                // There is no matrix of another type.
                _ => {}
            }
        };
    }
    for_each_weight_type!(dispatch);
}

fn multiply_blocks<W: Dot>(
    matrix: &Matrix<'_>,
    batch: &[Activations],
    out: Places<'_>,
    Instructions { cpu, amx }: Instructions,
) {
    // Whole rows are whole blocks.
    let blocks = <[W]>::ref_from_bytes(matrix.bytes).unwrap_or_default();
    let row_blocks = matrix.row_elements / W::ELEMENTS;
    match amx {
        Some(amx) => run(cpu, Many { amx, blocks, row_blocks, batch, out }),
        None => run(cpu, Product { blocks, row_blocks, batch, out }),
    }
}
