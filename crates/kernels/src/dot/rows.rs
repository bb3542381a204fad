//! Several rows of floats at a time, for matrices that come from memory.
//!
//! A single row is read by so few instructions that the processor asks for bytes before it has begun to fetch ahead, and
//! then waits for each. Of eight rows side by side it fetches ahead in time, and activations are read once for all.

use super::floats::Float;
use crate::simd::Simd;

/// Rows that are read side by side.
pub(crate) const ROWS: usize = 8;

/// Sums of a row that are carried on independently of each other.
const CHAINS: usize = 2;

/// The product of each row with a column.
#[inline(always)]
pub(super) fn dot<F: Float, S: Simd>(simd: S, rows: [&[F]; ROWS], column: &[f32]) -> [f32; ROWS] {
    let mut sums = [[simd.zeros(); CHAINS]; ROWS];
    let (eights, rest) = column.as_chunks::<{ 8 * CHAINS }>();
    let mut weights = [rows[0].as_chunks::<{ 8 * CHAINS }>().0; ROWS];
    for r in 0..ROWS {
        // As many of each row, which the loop then need not check.
        weights[r] = &rows[r].as_chunks().0[..eights.len()];
    }
    for (place, activations) in eights.iter().enumerate() {
        let activations = activations.as_chunks::<8>().0;
        for chain in 0..CHAINS {
            let activations = simd.load_floats(&activations[chain]);
            for r in 0..ROWS {
                let weights = F::load(simd, &weights[r][place].as_chunks::<8>().0[chain]);
                sums[r][chain] = simd.multiply_add(weights, activations, sums[r][chain]);
            }
        }
    }
    let mut products = [0.0; ROWS];
    for r in 0..ROWS {
        products[r] = simd.sum(simd.add_floats(sums[r][0], sums[r][1]));
        for (weight, activation) in rows[r].as_chunks::<{ 8 * CHAINS }>().1.iter().zip(rest) {
            products[r] += weight.widen() * activation;
        }
    }
    products
}
