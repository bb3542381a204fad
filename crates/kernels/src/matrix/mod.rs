//! Matrices of encoded rows: times a vector, and times a batch of vectors.
//!
//! Rows are viewed where they are, so that a mapped file is multiplied in place. Nothing here allocates: results go
//! where the caller says, and activations were encoded before.

mod many;
mod places;
mod product;

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
    /// Views bytes as rows of `row_elements` weights of `ty`.
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
/// Called from inside the pool ([`ThreadPool::install`]) for one matrix after the other, its threads stay awake between
/// them.
///
/// # Errors
/// When the activations are not of the partner of the rows' type and as many as a row has weights, or `y` has not a
/// place for each row.
pub fn matvec(matrix: &Matrix<'_>, x: &Activations, y: &mut [f32], pool: &ThreadPool) -> Result<(), Error> {
    matmul(matrix, slice::from_ref(x), y, pool)
}

/// As [`matvec`], on the calling thread. With [`Matrix::range`] a runtime shares out the rows over threads of its own.
///
/// # Errors
/// As for [`matvec`].
pub fn matvec_here(matrix: &Matrix<'_>, x: &Activations, y: &mut [f32]) -> Result<(), Error> {
    matmul_here(matrix, slice::from_ref(x), y)
}

/// Multiplies every row with every vector of `batch`, on the threads of `pool`: `out[j * rows + i]` is the product of
/// row `i` and vector `j`. It is the same whatever the number of threads; the order in which it is summed, and so its
/// last bits, may be another with more vectors, and with another instruction set.
///
/// Of the stack of each thread it takes up to 256 KiB.
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
    if batch.is_empty() {
        return Ok(());
    }
    let (rows, amx) = (matrix.rows(), matrices(matrix, batch));
    let piece = piece(matrix, batch.len(), amx.is_some(), pool.current_num_threads());
    let out = Places::new(out, rows);
    // Left alone, rayon makes pieces of a quarter of the matrix, and a thread that is done early goes to sleep.
    let pieces = || (0..rows.div_ceil(piece)).into_par_iter().with_max_len(1);
    pool.install(|| {
        pieces().for_each(|place| {
            let first = place * piece;
            multiply(&matrix.range(first..first + piece), batch, out.skip_rows(first), amx);
        });
    });
    Ok(())
}

/// As [`matmul`], on the calling thread. Of a [range](Matrix::range) of rows, the products of a vector follow each
/// other as those of a whole matrix do.
///
/// # Errors
/// As for [`matmul`].
pub fn matmul_here(matrix: &Matrix<'_>, batch: &[Activations], out: &mut [f32]) -> Result<(), Error> {
    check(matrix, batch, out.len())?;
    multiply(matrix, batch, Places::new(out, matrix.rows()), matrices(matrix, batch));
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
/// ahead. Where a piece begins, memory is waited for, and where one ends, bytes behind it were asked for in vain.
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

/// Multiplies rows with activations that [fit](check) them.
fn multiply(matrix: &Matrix<'_>, batch: &[Activations], out: Places<'_>, amx: Option<Amx>) {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match matrix.ty {
                $(TensorType::$name => multiply_blocks::<block::$name>(matrix, batch, out, amx),)*
                // There is no matrix of another type.
                _ => {}
            }
        };
    }
    for_each_weight_type!(dispatch);
}

fn multiply_blocks<W: Dot>(matrix: &Matrix<'_>, batch: &[Activations], out: Places<'_>, amx: Option<Amx>) {
    // Whole rows are whole blocks.
    let blocks = <[W]>::ref_from_bytes(matrix.bytes).unwrap_or_default();
    let row_blocks = matrix.row_elements / W::ELEMENTS;
    match amx {
        Some(amx) => run(Cpu::best(), Many { amx, blocks, row_blocks, batch, out }),
        None => run(Cpu::best(), Product { blocks, row_blocks, batch, out }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bound, dot, partner};

    fn wave(step: f32, count: usize) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * step).sin()).collect()
    }

    fn pool(threads: usize) -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    /// As [`matmul_here`], whatever the processor has.
    fn without_amx(matrix: &Matrix<'_>, batch: &[Activations], out: &mut [f32]) -> Result<(), Error> {
        multiply(matrix, batch, Places::new(out, matrix.rows()), None);
        Ok(())
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
            let one = |x| [0, 1, 2, 3].map(|i| (dot(ty, row(i), x).unwrap(), bound(ty, row(i), x).unwrap()));
            let ones: Vec<_> = batch.iter().map(one).collect();
            for count in [0, 1, 2, 4, 7, 27] {
                let products = |threads| {
                    let mut out = vec![f32::NAN; count * ROWS];
                    matmul(&matrix, &batch[..count], &mut out, &pool(threads)).unwrap();
                    out
                };
                let out = products(1);
                for (place, found) in out.iter().enumerate() {
                    let (one, bound) = ones[place / ROWS][place % 4];
                    // Several vectors at once are summed in another order, within the bound like a single one.
                    assert!(f64::from((found - one).abs()) <= 2.0 * bound, "{ty}: {found} is not {one}");
                }
                for threads in [2, 3] {
                    let same = products(threads).iter().zip(&out).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{ty}: {count} vectors on {threads} threads");
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
                let multiply = if with_matrices { matmul_here } else { without_amx };
                multiply(&matrix, &batch[..count], &mut out).unwrap();
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
            for multiply in [matmul_here, without_amx] {
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
