//! Products of matrices against those of their rows, and against the definition.

use std::array::from_fn;

use super::*;
use crate::{Isa, bound, dot, partner, reference};

fn wave(step: f32, count: usize) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * step).sin()).collect()
}

fn pool(threads: usize) -> ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// As [`matmul_here`], with each instruction set, and with those for batches where they are used; and its name.
pub(crate) fn by_all_instructions(
    matrix: &Matrix<'_>,
    batch: &[Activations],
) -> Vec<(&'static str, Vec<f32>)> {
    let best = Instructions::best(matrix.ty, batch.len());
    let best = best.amx.map(|_| ("amx", best));
    let sets = Isa::available().into_iter().map(Cpu::new);
    let each = sets.map(|cpu| (cpu.name(), Instructions { cpu, amx: None }));
    let multiplied = each.chain(best).map(|(name, instructions)| {
        let mut out = vec![f32::NAN; matrix.rows() * batch.len()];
        multiply(matrix, batch, Places::new(Products::new(&mut out), matrix.rows()), instructions);
        (name, out)
    });
    multiplied.collect()
}

/// Rows that all differ, and as many times: that is no multiple of what is multiplied at once, so that no row can be
/// taken for another.
const DISTINCT: usize = 7;
/// More rows than a block holds of F32, fewer than a piece of most types.
const ROWS: usize = 43 * DISTINCT;
const ELEMENTS: usize = 512;

/// Holds the products of all rows with the first vectors of a batch, so many of them, against the definition.
pub(crate) fn check_batch(matrix: &Matrix<'_>, batch: &[Activations], counts: &[usize]) {
    let (ty, rows) = (matrix.ty, matrix.rows());
    let row = |i: usize| matrix.range(i..i + 1).bytes;
    let product = |x, i| {
        let exact = reference::dot_encoded(ty, row(i), x).unwrap();
        (exact, bound(ty, row(i), x).unwrap())
    };
    let expected: Vec<_> =
        batch.iter().flat_map(|x| (0..rows).map(move |i| (x, i))).map(|(x, i)| product(x, i)).collect();
    for &count in counts {
        for (name, found) in by_all_instructions(matrix, &batch[..count]) {
            for (place, (found, (exact, bound))) in found.into_iter().zip(&expected).enumerate() {
                let within = (f64::from(found) - exact).abs() <= *bound;
                assert!(within, "{ty} with {name}, {count} vectors, {place}: {found} is not {exact}");
            }
        }
    }
}

#[test]
fn a_matrix_is_its_rows_whatever_the_threads_and_the_batch() {
    let weights = wave(0.37, DISTINCT * ELEMENTS);
    let vectors: Vec<_> = (1..=27).map(|i| wave(0.01 * i as f32, ELEMENTS)).collect();
    for &ty in TensorType::ALL.iter().filter(|&&ty| crate::can_dot(ty)) {
        let mut distinct = vec![0; ty.row_bytes(ELEMENTS as u64).unwrap() as usize * DISTINCT];
        let importance = vec![1.0; ELEMENTS];
        let importance = briq_codec::needs_importance(ty).then_some(&importance[..]);
        briq_codec::encode(ty, &weights, ELEMENTS, importance, &mut distinct).unwrap();
        let bytes = distinct.repeat(ROWS / DISTINCT);
        let matrix = Matrix::new(ty, &bytes, ELEMENTS).unwrap();
        let batch: Vec<_> =
            vectors.iter().map(|x| Activations::encode(partner(ty).unwrap(), x).unwrap()).collect();
        let row = |i: usize| &bytes[i * matrix.row_bytes..][..matrix.row_bytes];
        let product = |i, x| (dot(ty, row(i), x).unwrap(), bound(ty, row(i), x).unwrap());
        let one = |x| from_fn::<_, DISTINCT, _>(|i| product(i, x));
        let ones: Vec<_> = batch.iter().map(one).collect();
        for count in [0, 1, 2, 4, 7, 27] {
            let products = |threads| {
                let mut out = vec![f32::NAN; count * ROWS];
                matmul(&matrix, &batch[..count], &mut out, &pool(threads)).unwrap();
                out
            };
            let out = products(1);
            for (place, found) in out.iter().enumerate() {
                let (one, bound) = ones[place / ROWS][place % DISTINCT];
                // Several vectors at once are summed in another order, within the bound like a single one.
                assert!(f64::from((found - one).abs()) <= 2.0 * bound, "{ty}: {found} is not {one}");
            }
            let same = |other: &[f32]| other.iter().zip(&out).all(|(a, b)| a.to_bits() == b.to_bits());
            for threads in [2, 3] {
                assert!(same(&products(threads)), "{ty}: {count} vectors on {threads} threads");
            }
            let mut by_rows = vec![f32::NAN; out.len()];
            for rows in [0..1, 1..18, 18..131, 131..ROWS + 7, ROWS + 7..ROWS + 8] {
                let products = Products::new(&mut by_rows);
                matmul_rows(&matrix, rows, &batch[..count], products).unwrap();
            }
            assert!(same(&by_rows), "{ty}: {count} vectors, some rows at a time");
        }
        let mut y = vec![f32::NAN; ROWS];
        matvec(&matrix, &batch[0], &mut y, &pool(2)).unwrap();
        let mut on_the_global_pool = vec![f32::NAN; ROWS];
        matvec(&matrix, &batch[0], &mut on_the_global_pool, None).unwrap();
        assert!(on_the_global_pool.iter().zip(&y).all(|(a, b)| a.to_bits() == b.to_bits()), "{ty}");
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
        let encode = |i: usize| Activations::encode(partner(ty).unwrap(), &wave(0.01 * i as f32, elements));
        let batch: Vec<_> = (1..=21).map(|i| encode(i).unwrap()).collect();
        check_batch(&matrix, &batch, &[1, 3, 12, 21]);
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
        let mut batch = vec![Activations::encode(partner(ty).unwrap(), &wave(0.1, ELEMENTS)).unwrap(); 21];
        let mut blocks = batch[0].blocks();
        blocks[20] = 0x80;
        batch[2] = Activations::from_blocks(partner(ty).unwrap(), &blocks).unwrap();
        check_batch(&matrix, &batch, &[3, 21]);
    }
}

#[test]
fn places_of_other_rows_are_left_alone() {
    let x = Activations::encode(TensorType::Q8_0, &[1.0; 32]).unwrap();
    let bytes = [0; 4 * 18];
    let (matrix, batch) = (Matrix::new(TensorType::Q4_0, &bytes, 32).unwrap(), [x.clone(), x]);
    let mut out = [f32::NAN; 8];
    let products = Products::new(&mut out);
    matmul_rows(&matrix, 1..3, &batch, products).unwrap();
    for nothing in [Range { start: 3, end: 1 }, 4..9, usize::MAX - 1..usize::MAX] {
        matmul_rows(&matrix, nothing, &batch, products).unwrap();
    }
    let written: Vec<_> = out.iter().map(|product| !product.is_nan()).collect();
    assert_eq!(written, [false, true, true, false].repeat(2));
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
    let products = &mut [0.0; 3];
    assert_eq!(
        message(matmul_rows(&matrix, 0..1, slice::from_ref(&x), Products::new(products))),
        "the result has 3 places, but there are 2 products"
    );
    assert_eq!(
        Matrix::new(TensorType::Q4_0, &bytes, 96).map(drop).unwrap_err().to_string(),
        "36 bytes are no whole number of rows of 96 weights of Q4_0, whose rows have a multiple of 32"
    );
}
