//! Several rows of floats at a time, for matrices that come from memory.
//!
//! A single row is read by so few instructions that the processor asks for bytes before it has begun to fetch ahead,
//! and then waits for each. Of eight rows side by side it fetches ahead in time, and activations are read once for all.
//! Each of them is to end where the next that takes its place begins: the processor then goes on fetching.

use super::floats::{Float, RUN, with_rest};
use crate::simd::Simd;

/// The product of each row with a column.
#[inline(always)]
pub(super) fn dot<F: Float, S: Simd, const R: usize>(
    simd: S,
    rows: [&[F]; R],
    column: &[F::Activation],
) -> [f32; R] {
    /// Sums of a row that are carried on independently of each other.
    const CHAINS: usize = 2;
    let mut sums = [[simd.wide_zeros(); CHAINS]; R];
    let (runs, rest) = column.as_chunks::<RUN>();
    let mut weights = [rows[0].as_chunks::<RUN>().0; R];
    for r in 0..R {
        // As many of each row, which the loop then need not check.
        weights[r] = &rows[r].as_chunks().0[..runs.len()];
    }
    let (several, single) = runs.as_chunks::<CHAINS>();
    for (place, activations) in several.iter().enumerate() {
        for chain in 0..CHAINS {
            for r in 0..R {
                let weights = &weights[r].as_chunks::<CHAINS>().0[place][chain];
                sums[r][chain] = F::add(simd, sums[r][chain], weights, &activations[chain]);
            }
        }
    }
    let mut products = [0.0; R];
    for r in 0..R {
        for (weights, activations) in weights[r].as_chunks::<CHAINS>().1.iter().zip(single) {
            sums[r][0] = F::add(simd, sums[r][0], weights, activations);
        }
        products[r] = simd.sum(simd.folded(simd.add_wide(sums[r][0], sums[r][1])));
        if !rest.is_empty() {
            products[r] = with_rest(products[r], rows[r].as_chunks::<RUN>().1, rest);
        }
    }
    products
}
