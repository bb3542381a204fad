//! A kernel against its definition, on rows of the file and activations from a seed.

use briq_format::{Shape, TensorType};
use briq_kernels::{Activations, bound, can_dot, dot, partner, reference};

use super::DotCheck;
use crate::{Error, Result};

/// Rows of a tensor that are multiplied, spread evenly from the first to the last.
const ROWS: u64 = 8;

/// The longest row that is multiplied, in elements: a row and its activations are in memory as a whole. Rows of models
/// have up to some hundred thousand.
pub(super) const LONGEST_ROW: u64 = 1 << 22;

/// Checks the kernel of `ty` on a matrix, of which `read_row` fills a buffer with the blocks of a row; `None` where the
/// type has no kernel, the tensor is no matrix, or its rows are longer than [`LONGEST_ROW`].
pub(super) fn check(
    ty: TensorType,
    shape: Shape,
    read_row: impl Fn(u64, &mut Vec<u8>) -> Result<()>,
) -> Result<Option<DotCheck>> {
    let (row_elements, rows) = (shape.row_elements(), shape.rows());
    if !can_dot(ty) || shape.rank() < 2 || !(1..=LONGEST_ROW).contains(&row_elements) || rows == 0 {
        return Ok(None);
    }
    let kernel = |error: briq_kernels::Error| Error::unsupported(error.to_string());
    let activations = seeded(row_elements as usize);
    let activations = Activations::encode(partner(ty).map_err(kernel)?, &activations).map_err(kernel)?;
    let checked = rows.min(ROWS);
    let mut worst = 0.0_f64;
    let mut row = Vec::new();
    for number in 0..checked {
        read_row(number * (rows - 1) / (checked - 1).max(1), &mut row)?;
        let found = f64::from(dot(ty, &row, &activations).map_err(kernel)?);
        let defined = reference::dot_encoded(ty, &row, &activations).map_err(kernel)?;
        let allowed = bound(ty, &row, &activations).map_err(kernel)?;
        let part = if found == defined { 0.0 } else { (found - defined).abs() / allowed };
        // A NaN must stay visible: `max` alone would drop it.
        worst = if part.is_nan() || worst.is_nan() { f64::NAN } else { worst.max(part) };
    }
    Ok(Some(DotCheck { rows: checked, worst }))
}

/// Activations between -4 and 4, of about the shape of real ones: sums of four uniform numbers.
fn seeded(len: usize) -> Vec<f32> {
    let mut state = 0x6272_6971_u64;
    let mut uniform = move || {
        // A linear congruential generator with Knuth's multiplier; its high bits are random enough here.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| (0..4).map(|_| uniform()).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_of_every_kernel_type_stays_inside_the_bound() {
        let shape = Shape::new(&[512, 3]).unwrap();
        let weights = seeded(3 * 512);
        for &ty in TensorType::ALL.iter().filter(|&&ty| can_dot(ty)) {
            let mut bytes = vec![0; shape.bytes_as(ty).unwrap() as usize];
            let importance = briq_codec::needs_importance(ty).then_some(&[1.0; 512][..]);
            briq_codec::encode(ty, &weights, 512, importance, &mut bytes).unwrap();
            let row_bytes = bytes.len() / 3;
            let read_row = |number: u64, row: &mut Vec<u8>| {
                *row = bytes.chunks_exact(row_bytes).nth(number as usize).unwrap().to_vec();
                Ok(())
            };
            let check = check(ty, shape, read_row).unwrap().unwrap();
            assert_eq!(check.rows, 3);
            assert!(check.worst <= 1.0, "{ty}: {}", check.worst);
        }
    }

    #[test]
    fn a_vector_has_no_dot_product_and_rows_that_are_too_long_have_none_either() {
        for dims in [&[4][..], &[1 << 23, 2]] {
            let nothing_to_read = |_, _: &mut Vec<u8>| unreachable!();
            assert_eq!(check(TensorType::F32, Shape::new(dims).unwrap(), nothing_to_read).unwrap(), None);
        }
    }
}
