//! Matrices of encoded rows: times a vector, and times a batch of vectors.
//!
//! Rows are viewed where they are, so that a mapped file is multiplied in place. Nothing here allocates: results go
//! where the caller says, and activations were encoded before.

mod many;
mod product;

use std::ops::Range;
use std::slice;
use std::sync::atomic::AtomicU32;

use briq_format::{TensorType, block, for_each_weight_type};
use rayon::ThreadPool;
use rayon::prelude::*;
use zerocopy::{FromBytes, IntoBytes};

use crate::activations::Activations;
use crate::dot::{Dot, batch, belongs};
use crate::error::Error;
use crate::simd::matrices::ROWS as GROUP;
use crate::simd::{Amx, Cpu, run};
use many::{FEWEST, Many};
use product::{COLUMNS, Product, ROWS};

/// Rows of one length, encoded in one type.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    ty: TensorType,
    bytes: &'a [u8],
    row_elements: usize,
    row_bytes: usize,
}

impl<'a> Matrix<'a> {
    /// Views bytes as rows of `row_elements` weights of `ty`.
    ///
    /// # Errors
    /// When there is no kernel for `ty`, a row is empty or not whole blocks, or the bytes are not whole rows.
    pub fn new(ty: TensorType, bytes: &'a [u8], row_elements: usize) -> Result<Self, Error> {
        crate::partner(ty)?;
        let row_bytes = ty.row_bytes(row_elements as u64).unwrap_or(0) as usize;
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

/// Multiplies every row with `x`, on the threads of `pool`: `y[i]` is the product of row `i`.
///
/// Called from inside the pool ([`ThreadPool::install`]) for one matrix after the other, its threads stay awake between
/// them.
///
/// # Errors
/// When the activations are not of the partner of the rows' type and as many as a row has weights, or `y` has not a
/// place for each row.
pub fn matvec(matrix: &Matrix<'_>, x: &Activations, y: &mut [f32], pool: &ThreadPool) -> Result<(), Error> {
    check(matrix, slice::from_ref(x), y.len())?;
    let share = matrix.bytes.len() / (pool.current_num_threads() * PIECES);
    let rows = (share.clamp(LEAST_PIECE, MOST_PIECE) / matrix.row_bytes).max(1).next_multiple_of(ROWS);
    pool.install(|| {
        // Left alone, rayon makes pieces of a quarter of the matrix, and a thread that is done early goes to sleep.
        y.par_chunks_mut(rows).enumerate().with_max_len(1).try_for_each(|(piece, y)| {
            let first = piece * rows;
            multiply(&matrix.range(first..first + y.len()), std::slice::from_ref(x), y)
        })
    })
}

/// As [`matvec`], on the calling thread. With [`Matrix::range`] a runtime shares out the rows over threads of its own.
///
/// # Errors
/// As for [`matvec`].
pub fn matvec_here(matrix: &Matrix<'_>, x: &Activations, y: &mut [f32]) -> Result<(), Error> {
    matmul_here(matrix, std::slice::from_ref(x), y)
}

/// Multiplies every row with every vector of `batch`, on the threads of `pool`: `out[j * rows + i]` is the product of
/// row `i` and vector `j`.
///
/// # Errors
/// When the activations are not of the partner of the rows' type and as many as a row has weights, or `out` has not a
/// place for each product.
pub fn matmul(
    matrix: &Matrix<'_>,
    batch: &[Activations],
    out: &mut [f32],
    pool: &ThreadPool,
) -> Result<(), Error> {
    check(matrix, batch, out.len())?;
    let rows = matrix.rows();
    if rows == 0 || batch.is_empty() {
        return Ok(());
    }
    let threads = pool.current_num_threads();
    if let Some(amx) = matrices(matrix, batch) {
        // Each thread takes some of the rows, so that these are unpacked once; of many, several times over.
        let piece = rows.div_ceil(threads * PIECES).next_multiple_of(GROUP).min(batch::ROWS);
        let out = places(out);
        return pool.install(|| {
            let pieces = (0..rows.div_ceil(piece)).into_par_iter().with_max_len(1);
            pieces.try_for_each(|place| {
                let first = place * piece;
                multiply_many(amx, &matrix.range(first..first + piece), batch, &out[first..], rows)
            })
        });
    }
    if batch.len() < COLUMNS * threads {
        let mut products = batch.iter().zip(out.chunks_exact_mut(rows));
        return products.try_for_each(|(x, y)| matvec(matrix, x, y, pool));
    }
    // Each thread takes some of the vectors; of many, several times over, for threads that are interrupted.
    let shares = if batch.len() < MANY * threads { 1 } else { SHARES };
    let share = batch.len().div_ceil(threads * shares).next_multiple_of(COLUMNS);
    pool.install(|| {
        let shares = batch.par_chunks(share).zip(out.par_chunks_mut(share * rows));
        shares.try_for_each(|(batch, out)| multiply(matrix, batch, out))
    })
}

/// As [`matmul`], on the calling thread, of whose stack it takes up to 256 KiB.
///
/// # Errors
/// As for [`matmul`].
pub fn matmul_here(matrix: &Matrix<'_>, batch: &[Activations], out: &mut [f32]) -> Result<(), Error> {
    check(matrix, batch, out.len())?;
    match matrices(matrix, batch) {
        Some(amx) => multiply_many(amx, matrix, batch, places(out), matrix.rows()),
        None => multiply(matrix, batch, out),
    }
}

/// Bytes of weights that a thread takes at a time, at least and at most: long enough to be fetched ahead. Where a piece
/// begins, memory is waited for, and where one ends, bytes behind it were asked for in vain.
const LEAST_PIECE: usize = 128 << 10;
const MOST_PIECE: usize = 1 << 20;

/// Pieces of the rows per thread, if these are short.
const PIECES: usize = 4;

/// Pieces of the batch per thread, if these are many vectors: for each piece all weights are read once more.
const SHARES: usize = 2;
const MANY: usize = 128;

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
    let needed = matrix.rows() * batch.len();
    if given != needed {
        return Err(Error::Output { given, needed });
    }
    Ok(())
}

/// Instructions that multiply small matrices, if rows of this type have a use for them with so many vectors.
fn matrices(matrix: &Matrix<'_>, batch: &[Activations]) -> Option<Amx> {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match matrix.ty {
                $(TensorType::$name => <block::$name as Dot>::HAS_BATCH,)*
                _ => false,
            }
        };
    }
    let useful = batch.len() >= FEWEST && for_each_weight_type!(dispatch);
    useful.then(|| Cpu::best().matrices()).flatten()
}

/// Floats as places that several threads can fill, by their bits.
fn places(out: &mut [f32]) -> &[AtomicU32] {
    // Both are four bytes at the same alignment: the fallback is never taken.
    <[AtomicU32]>::mut_from_bytes(out.as_mut_bytes()).unwrap_or_default()
}

fn multiply_many(
    amx: Amx,
    matrix: &Matrix<'_>,
    batch: &[Activations],
    out: &[AtomicU32],
    stride: usize,
) -> Result<(), Error> {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match matrix.ty {
                $(TensorType::$name => many_blocks::<block::$name>(amx, matrix, batch, out, stride),)*
                ty => Err(Error::Unsupported { ty }),
            }
        };
    }
    for_each_weight_type!(dispatch)
}

fn many_blocks<W: Dot>(
    amx: Amx,
    matrix: &Matrix<'_>,
    batch: &[Activations],
    out: &[AtomicU32],
    stride: usize,
) -> Result<(), Error> {
    for activations in batch {
        belongs::<W>(activations)?;
    }
    // Whole rows are whole blocks.
    let blocks = <[W]>::ref_from_bytes(matrix.bytes).unwrap_or_default();
    let row_blocks = matrix.row_elements / W::ELEMENTS;
    run(Cpu::best(), Many { amx, blocks, row_blocks, batch, out, stride });
    Ok(())
}

fn multiply(matrix: &Matrix<'_>, batch: &[Activations], out: &mut [f32]) -> Result<(), Error> {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match matrix.ty {
                $(TensorType::$name => multiply_blocks::<block::$name>(matrix, batch, out),)*
                ty => Err(Error::Unsupported { ty }),
            }
        };
    }
    for_each_weight_type!(dispatch)
}

fn multiply_blocks<W: Dot>(matrix: &Matrix<'_>, batch: &[Activations], out: &mut [f32]) -> Result<(), Error> {
    for activations in batch {
        belongs::<W>(activations)?;
    }
    // Whole rows are whole blocks.
    let blocks = <[W]>::ref_from_bytes(matrix.bytes).unwrap_or_default();
    let row_blocks = matrix.row_elements / W::ELEMENTS;
    run(Cpu::best(), Product { blocks, row_blocks, batch, out });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dot, partner};

    fn wave(step: f32, count: usize) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * step).sin()).collect()
    }

    fn pool(threads: usize) -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    /// More rows than a block holds of F32, fewer than a piece of most types.
    const ROWS: usize = 300;
    const ELEMENTS: usize = 512;

    #[test]
    fn a_matrix_is_its_rows_whatever_the_threads_and_the_batch() {
        let weights = wave(0.37, 4 * ELEMENTS);
        let vectors: Vec<_> = (1..=27).map(|i| wave(0.01 * i as f32, ELEMENTS)).collect();
        for &ty in TensorType::ALL.iter().filter(|&&ty| crate::can_dot(ty)) {
            let mut four = vec![0; ty.row_bytes(ELEMENTS as u64).unwrap() as usize * 4];
            let importance = vec![1.0; ELEMENTS];
            let importance = briq_codec::needs_importance(ty).then_some(&importance[..]);
            briq_codec::encode(ty, &weights, ELEMENTS, importance, &mut four).unwrap();
            let bytes = four.repeat(ROWS / 4);
            let matrix = Matrix::new(ty, &bytes, ELEMENTS).unwrap();
            let batch: Vec<_> =
                vectors.iter().map(|x| Activations::encode(partner(ty).unwrap(), x).unwrap()).collect();
            let row = |i: usize| &bytes[i * matrix.row_bytes..][..matrix.row_bytes];
            for (threads, count) in [(1, 1), (2, 1), (1, 27), (2, 27), (2, 4), (3, 7), (2, 0)] {
                let mut out = vec![f32::NAN; count * ROWS];
                matmul(&matrix, &batch[..count], &mut out, &pool(threads)).unwrap();
                for (place, found) in out.iter().enumerate() {
                    let one = dot(ty, row(place % ROWS), &batch[place / ROWS]).unwrap();
                    // Several vectors at once are summed in another order.
                    assert!((found - one).abs() <= 1e-4 * one.abs().max(1.0), "{ty}: {found} is not {one}");
                }
            }
            let mut y = vec![f32::NAN; ROWS];
            matvec(&matrix, &batch[0], &mut y, &pool(2)).unwrap();
            if ty.is_quantized() {
                let dots = (0..ROWS).map(|i| dot(ty, row(i), &batch[0]).unwrap());
                assert!(dots.zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()), "{ty}");
            }
            let mut here = vec![f32::NAN; 10];
            matvec_here(&matrix.range(7..17), &batch[0], &mut here).unwrap();
            assert!(here.iter().zip(&y[7..]).all(|(a, b)| a.to_bits() == b.to_bits()), "{ty}");
        }
    }

    /// Rows that are no whole number of what is multiplied at once, in any direction.
    #[test]
    fn partial_tiles_are_within_the_bound() {
        for ty in [TensorType::Q4_0, TensorType::Q5_1, TensorType::Q8_0, TensorType::MXFP4, TensorType::F16] {
            let (rows, elements) = (5, 288);
            let mut bytes = vec![0; ty.row_bytes(elements as u64).unwrap() as usize * rows];
            briq_codec::encode(ty, &wave(0.37, rows * elements), elements, None, &mut bytes).unwrap();
            let matrix = Matrix::new(ty, &bytes, elements).unwrap();
            let encode =
                |i: usize| Activations::encode(partner(ty).unwrap(), &wave(0.01 * i as f32, elements));
            let batch: Vec<_> = (1..=21).map(|i| encode(i).unwrap()).collect();
            for (count, with_matrices) in [(1, true), (21, true), (21, false)] {
                let mut out = vec![f32::NAN; count * rows];
                match with_matrices {
                    true => matmul_here(&matrix, &batch[..count], &mut out).unwrap(),
                    false => multiply(&matrix, &batch[..count], &mut out).unwrap(),
                }
                for (place, found) in out.iter().enumerate() {
                    let (row, x) = (matrix.range(place % rows..place % rows + 1), &batch[place / rows]);
                    let exact = crate::reference::dot_encoded(ty, row.bytes, x).unwrap();
                    let bound = crate::bound(ty, row.bytes, x).unwrap();
                    assert!((f64::from(*found) - exact).abs() <= bound, "{ty}: {found} is not {exact}");
                }
            }
        }
    }

    /// A vector with activations of -128 among others: its products are those of its dot products, and so are theirs.
    #[test]
    fn the_lowest_activation_is_multiplied_like_any_other() {
        for ty in [TensorType::Q8_0, TensorType::Q4_1, TensorType::Q6_K, TensorType::IQ3_S] {
            let mut row = vec![0; ty.row_bytes(ELEMENTS as u64).unwrap() as usize];
            briq_codec::encode(ty, &wave(0.37, ELEMENTS), ELEMENTS, None, &mut row).unwrap();
            let bytes = row.repeat(3);
            let matrix = Matrix::new(ty, &bytes, ELEMENTS).unwrap();
            let mut batch =
                vec![Activations::encode(partner(ty).unwrap(), &wave(0.1, ELEMENTS)).unwrap(); 21];
            let mut blocks = batch[0].blocks();
            blocks[20] = 0x80;
            batch[2] = Activations::from_blocks(partner(ty).unwrap(), &blocks).unwrap();
            for multiply in [matmul_here, multiply] {
                let mut out = [f32::NAN; 21 * 3];
                multiply(&matrix, &batch, &mut out).unwrap();
                for (place, found) in out.iter().enumerate() {
                    let exact = crate::reference::dot_encoded(ty, &row, &batch[place / 3]).unwrap();
                    let bound = crate::bound(ty, &row, &batch[place / 3]).unwrap();
                    assert!((f64::from(*found) - exact).abs() <= bound, "{ty}: {found} is not {exact}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let bytes = [0; 36];
        let x = Activations::encode(TensorType::Q8_0, &[0.0; 32]).unwrap();
        let matrix = Matrix::new(TensorType::Q4_0, &bytes, 32).unwrap();
        assert_eq!((matrix.rows(), matrix.row_elements(), matrix.range(1..9).rows()), (2, 32, 1));
        let message = |result: Result<(), Error>| result.unwrap_err().to_string();
        assert_eq!(
            message(matvec_here(&matrix, &x, &mut [0.0; 3])),
            "the result has 3 places, but there are 2 products"
        );
        let long = Activations::encode(TensorType::Q8_0, &[0.0; 64]).unwrap();
        assert_eq!(
            message(matvec_here(&matrix, &long, &mut [0.0; 2])),
            "the row has 32 weights, but there are 64 activations"
        );
        assert_eq!(
            message(matmul_here(&matrix, &[], &mut [0.0; 2])),
            "the result has 2 places, but there are 0 products"
        );
        assert_eq!(
            Matrix::new(TensorType::Q4_0, &bytes, 96).map(drop).unwrap_err().to_string(),
            "36 bytes are no whole number of rows of 96 weights of Q4_0"
        );
    }
}
