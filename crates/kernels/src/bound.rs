//! How far a kernel may be from the definition, derived.
//!
//! Let `u = 2^-24`: a single-precision operation gives its exact result times `1 + e`, `|e| <= u`. A product may in
//! addition lose up to `2^-150` below the smallest number; a sum never does. `n` operations on a term multiply it by
//! at most `1 + g(n)` with `g(n) = n u / (1 - n u)`.
//!
//! Per block the kernel sums products of quants, exactly; the sum is below 2^25 for any bytes, and is rounded at most
//! once (`1`) when it becomes a float. It is multiplied by two scales (`2`), the minimum's part is added (`1`), and
//! the result is added to what the other blocks gave (at most one addition per block, `blocks`), in the K types to
//! the other lanes (`8`). On the other side, decoding a weight `step * quant + minimum` rounds at most once (`1`; all
//! products of decoding fit 24 bits), and the sums in double precision stay below a further `u`. Hence no term passes
//! through more than
//!
//! ```text
//! n = blocks + 14      quantized types
//! n = 3                F32, F16, BF16: a product, the rounding of the sum from double precision, the definition
//! ```
//!
//! roundings. With `w` and `x` the decoded sides and `m` the minimum of the group of 32 that a weight is in (zero in
//! types without), the terms' magnitudes sum to no more than
//!
//! ```text
//! M = sum over all elements of (|w| + 2 |m|) |x|
//! ```
//!
//! because `|step * quant| <= |w| + |m|`. One difference is not of rounding operations: the kernels multiply
//! the minimum by the sum of activations that the blocks state, which Q8_1 has rounded to 16 bits. It adds
//!
//! ```text
//! D = sum over groups of 32 of |m| * |stated sum - sum of x|
//! ```
//!
//! What is lost below the smallest number is at most `2^-150` times 2^25 in each of up to nine products per block,
//! and once at the end, together below `(blocks + 1) 2^-120`. So
//!
//! ```text
//! |kernel - definition| <= g(n) M + (1 + g(n)) D + (blocks + 1) 2^-120
//! ```
//!
//! as long as nothing overflows, which `M < 2^100` and scales of activations below `2^64` ensure for rows of up to
//! 2^20 blocks; otherwise the bound is infinite.

use briq_codec::k_scales;
use briq_format::TensorType;
use briq_format::block::{Block, Q4_1, Q4_K, Q5_1, Q5_K};
use briq_format::scalar::F16;
use zerocopy::FromBytes;

use crate::activations::Activations;
use crate::error::Error;
use crate::reference;

/// The largest difference between [`dot()`](crate::dot()) and [`reference::dot_encoded`] for these operands.
///
/// Infinite when the product may overflow or an operand is not finite.
///
/// # Errors
/// As for the definition.
pub fn bound(ty: TensorType, row: &[u8], activations: &Activations) -> Result<f64, Error> {
    let weights = reference::decode(ty, row, activations.elements())?;
    let values = activations.decode();
    let minimums = minimums(ty, row);
    let minimum_of = |i: usize| minimums.get(i / 32).map_or(0.0, |minimum| minimum.abs());

    let terms = weights.iter().zip(&values).enumerate();
    let magnitude: f64 =
        terms.map(|(i, (weight, value))| (f64::from(weight.abs()) + 2.0 * minimum_of(i)) * value.abs()).sum();
    let groups = values.chunks(32).zip(activations.stated_sums().unwrap_or_default()).enumerate();
    let misstated: f64 = groups
        .map(|(i, (values, stated))| minimum_of(32 * i) * (stated - values.iter().sum::<f64>()).abs())
        .sum();

    let blocks = weights.len() as f64 / ty.block_elements() as f64;
    let roundings = if ty.is_quantized() { blocks + 14.0 } else { 3.0 };
    let relative = roundings * UNIT / (1.0 - roundings * UNIT);
    if magnitude < 2f64.powi(100) && largest_scale(activations) < 2f64.powi(64) && blocks < 2f64.powi(20) {
        Ok(relative * magnitude + (1.0 + relative) * misstated + (blocks + 1.0) * 2f64.powi(-120))
    } else {
        Ok(f64::INFINITY)
    }
}

/// Half the distance from 1 to the next number in single precision.
const UNIT: f64 = 1.0 / (1 << 24) as f64;

/// The minimum of each 32 weights, in the types that have one. A partial block has been refused before.
fn minimums(ty: TensorType, row: &[u8]) -> Vec<f64> {
    fn of<B: Block>(row: &[u8], minimums: impl Fn(&B) -> Vec<f64>) -> Vec<f64> {
        <[B]>::ref_from_bytes(row).unwrap_or_default().iter().flat_map(minimums).collect()
    }
    fn of_groups(minimum: F16, packed: &[u8; 12]) -> Vec<f64> {
        let minimum = f64::from(minimum.to_f32());
        k_scales::unpack(packed).minimums.iter().map(|&group| minimum * f64::from(group)).collect()
    }
    match ty {
        TensorType::Q4_1 => of(row, |block: &Q4_1| vec![block.minimum.to_f32().into()]),
        TensorType::Q5_1 => of(row, |block: &Q5_1| vec![block.minimum.to_f32().into()]),
        TensorType::Q4_K => of(row, |block: &Q4_K| of_groups(block.minimum, &block.scales_and_minimums)),
        TensorType::Q5_K => of(row, |block: &Q5_K| of_groups(block.minimum, &block.scales_and_minimums)),
        _ => Vec::new(),
    }
}

/// The largest scale of Q8_K, the one type of activations whose scales may overflow when multiplied.
fn largest_scale(activations: &Activations) -> f64 {
    match activations {
        Activations::Q8_K(blocks) => blocks.iter().fold(0.0, |largest, block| {
            let scale = f64::from(block.scale.get()).abs();
            if scale <= largest { largest } else { scale }
        }),
        _ => 0.0,
    }
}
