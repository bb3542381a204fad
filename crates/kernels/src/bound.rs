//! How far a kernel may be from the definition, derived.
//!
//! Let `u = 2^-24`: a single-precision operation gives its exact result times `1 + e`, `|e| <= u`. A product may in
//! addition lose up to `2^-150` below the smallest number; a sum never does. `n` operations on a term multiply it by
//! at most `1 + g(n)` with `g(n) = n u / (1 - n u)`.
//!
//! Per block the kernel sums products of quants, with the scales of sub-blocks, as integers and exactly; each such sum
//! is below 2^31 for any bytes, and is rounded at most once (`1`) when it becomes a float. It is multiplied by up to
//! three scales (`3`), the minimum's part is added (`1`), and the result is added to what came before: as often as a
//! block gives floats to a lane (`terms` times `blocks`), and for the sums that are carried on side by side, at most
//! eight in a lane and eight lanes, or one in each of sixteen, in any order (`8`). Where a quant of an activation is
//! -128, the row is multiplied as two rows whose magnitudes add up to its own, and their products are added (`1`). On
//! the other side, decoding a weight `step * quant + minimum` rounds at most once (`1`; all products of decoding fit 24
//! bits), and the sums in double precision stay below a further `u`. Hence no term passes through more than
//!
//! ```text
//! n = terms * blocks + 16      quantized types
//! n = elements / 8 + 72        F32, F16, BF16: 8 sums side by side, or more, and a few elements behind them
//! ```
//!
//! roundings. A block gives a lane 8 floats in IQ4_XS, 4 in NVFP4 and Q1_0, 2 in Q2_0 and in the types whose minimums
//! are added to the same sum (Q4_1, Q5_1, Q2_K, Q4_K, Q5_K, IQ1_S, IQ1_M, TQ2_0), and 1 in the others. With `w` and `x`
//! the decoded sides and `m` the minimum of the group that a weight is in (zero in types without; where kernels take a
//! zero point off in another lane than they add it, `m` is what it stands for), the terms' magnitudes sum to no more
//! than
//!
//! ```text
//! M = sum over all elements of (|w| + 2 |m|) |x|
//! ```
//!
//! because `|step * quant| <= |w| + |m|`. Two differences are not of rounding operations. With Q8_1 the kernels
//! multiply the minimum by the sum of activations that the blocks state, rounded to 16 bits; and processors that
//! multiply BF16 numbers by themselves take those below `2^-126` for zero. They add
//!
//! ```text
//! D = sum over groups of 32 of |m| * |stated sum - sum of x|        Q8_1
//! D = sum over elements where |w| or |x| is below 2^-126 of |w x|   BF16
//! ```
//!
//! What is lost below the smallest number is at most `2^-150` times 2^31 in each of up to eighteen products per block,
//! or `2^-126` in each sum of BF16 products, and once at the end, together below `(blocks + 1) 2^-112`. So
//!
//! ```text
//! |kernel - definition| <= g(n) M + (1 + g(n)) D + (blocks + 1) 2^-112
//! ```
//!
//! as long as nothing overflows, which `M < 2^100` and scales of Q8_K and MXFP4 below `2^64` ensure for rows of up to
//! 2^20 blocks; otherwise the bound is infinite.

use briq_codec::k_scales;
use briq_codec::points::{mxfp4_half_scale, q3_k_scales};
use briq_format::TensorType::{self, *};
use briq_format::block::{self, Block};
use briq_format::for_each_weight_type;
use briq_format::scalar::F16 as Half;
use zerocopy::FromBytes;

use crate::activations::Activations;
use crate::dot::Dot;
use crate::error::Error;
use crate::reference;

/// The largest difference from [`reference::dot_encoded`] that [`dot()`](crate::dot()) may have for these operands, and
/// the same product in a result of [`matvec`](crate::matvec) or [`matmul`](crate::matmul).
///
/// Infinite when the product may overflow or an operand is not finite.
///
/// # Errors
/// As for [`dot()`](crate::dot()).
pub fn bound(ty: TensorType, row: &[u8], activations: &Activations) -> Result<f64, Error> {
    let (needed, given) = (crate::partner(ty)?, activations.ty());
    if given != needed {
        return Err(Error::Partner { ty, needed, given });
    }
    let weights = reference::decode(ty, row, activations.elements())?;
    let values = activations.decode();
    let minimums = minimums(ty, row);
    let minimum_of = |i: usize| minimums.get(i / 16).map_or(0.0, |minimum| minimum.abs());

    let terms = weights.iter().zip(&values).enumerate();
    let magnitude: f64 =
        terms.map(|(i, (weight, value))| (f64::from(weight.abs()) + 2.0 * minimum_of(i)) * value.abs()).sum();
    let groups = values.chunks(32).zip(activations.stated_sums().unwrap_or_default()).enumerate();
    let misstated: f64 = groups
        .map(|(i, (values, stated))| minimum_of(32 * i) * (stated - values.iter().sum::<f64>()).abs())
        .sum();
    let pairs = weights.iter().map(|&weight| f64::from(weight)).zip(&values);
    let tiny = pairs.filter(|(weight, value)| weight.abs().min(value.abs()) < f64::from(f32::MIN_POSITIVE));
    let lost: f64 = tiny.map(|(weight, value)| (weight * value).abs()).sum();
    let apart = if ty == BF16 { lost } else { misstated };

    let blocks = weights.len() / ty.block_elements() as usize;
    let (roundings, blocks) = (roundings(ty, blocks) as f64, blocks as f64);
    let relative = roundings * UNIT / (1.0 - roundings * UNIT);
    let largest_scale = largest_scale(ty, row, activations);
    if magnitude < 2f64.powi(100) && largest_scale < 2f64.powi(64) && blocks < 2f64.powi(20) {
        Ok(relative * magnitude + (1.0 + relative) * apart + (blocks + 1.0) * 2f64.powi(-112))
    } else {
        Ok(f64::INFINITY)
    }
}

/// Half the distance from 1 to the next number in single precision.
const UNIT: f64 = 1.0 / (1 << 24) as f64;

/// The roundings that a term passes through.
fn roundings(ty: TensorType, blocks: usize) -> usize {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => <block::$name as Dot>::roundings(blocks),)*
                // There is no product.
                _ => 0,
            }
        };
    }
    for_each_weight_type!(dispatch)
}

/// The blocks of a row. A partial block has been refused before.
fn blocks<B: Block>(row: &[u8]) -> &[B] {
    <[B]>::ref_from_bytes(row).unwrap_or_default()
}

/// The minimum of each 16 weights, or their zero point, in the types that have one which is not taken off at once.
fn minimums(ty: TensorType, row: &[u8]) -> Vec<f64> {
    fn of<B: Block>(row: &[u8], minimums: impl Fn(&B) -> Vec<f64>) -> Vec<f64> {
        blocks(row).iter().flat_map(minimums).collect()
    }
    fn of_groups(minimum: Half, packed: &[u8; 12]) -> Vec<f64> {
        let minimum = f64::from(minimum.to_f32());
        let groups = k_scales::unpack(packed).minimums;
        groups.iter().flat_map(|&group| [minimum * f64::from(group); 2]).collect()
    }
    match ty {
        Q4_1 => of(row, |block: &block::Q4_1| vec![block.minimum.to_f32().into(); 2]),
        Q5_1 => of(row, |block: &block::Q5_1| vec![block.minimum.to_f32().into(); 2]),
        Q4_K => of(row, |block: &block::Q4_K| of_groups(block.minimum, &block.scales_and_minimums)),
        Q5_K => of(row, |block: &block::Q5_K| of_groups(block.minimum, &block.scales_and_minimums)),
        // Zero points, in the types whose kernels take them off in other places than they add them.
        Q6_K => of(row, |block: &block::Q6_K| {
            let zero = 32.0 * f64::from(block.scale.to_f32());
            block.scales.iter().map(|&scale| zero * f64::from(scale)).collect()
        }),
        Q3_K => of(row, |block: &block::Q3_K| {
            let zero = 4.0 * f64::from(block.scale.to_f32());
            q3_k_scales(&block.scales).iter().map(|&scale| zero * (f64::from(scale) - 32.0)).collect()
        }),
        TQ1_0 => of(row, |block: &block::TQ1_0| vec![block.scale.to_f32().into(); 16]),
        TQ2_0 => of(row, |block: &block::TQ2_0| vec![block.scale.to_f32().into(); 16]),
        Q2_0 => of(row, |block: &block::Q2_0| vec![block.scale.to_f32().into(); 4]),
        // Nine eighths of a step, which is at most 15 times the scale.
        IQ1_S => of(row, |block: &block::IQ1_S| vec![16.875 * f64::from(block.scale.to_f32()); 16]),
        IQ1_M => of(row, |block: &block::IQ1_M| vec![16.875 * f64::from(block.scale().to_f32()); 16]),
        Q2_K => of(row, |block: &block::Q2_K| {
            let minimum = f64::from(block.minimum.to_f32());
            block.scales_and_minimums.iter().map(|&packed| minimum * f64::from(packed >> 4)).collect()
        }),
        // No minimum, and a zero point, if any, that is taken off each product or off their sum in a lane.
        F32 | F16 | BF16 | Q4_0 | Q5_0 | Q8_0 | IQ2_XXS | IQ2_XS | IQ2_S | IQ3_XXS | IQ3_S | IQ4_NL
        | IQ4_XS | MXFP4 | NVFP4 | Q1_0 => Vec::new(),
        // No kernel.
        Q8_1 | Q8_K | I8 | I16 | I32 | I64 | F64 => Vec::new(),
    }
}

/// The largest scale of Q8_K and MXFP4, the types whose scales may overflow when they are multiplied.
fn largest_scale(ty: TensorType, row: &[u8], activations: &Activations) -> f64 {
    let of_activations = activations.tiles().iter().map(|tile| tile.scales[0]);
    let of_weights = blocks(if ty == MXFP4 { row } else { &[] });
    let of_weights = of_weights.iter().map(|block: &block::MXFP4| mxfp4_half_scale(block.exponent));
    of_activations.chain(of_weights).fold(0.0, |largest, scale| {
        let scale = f64::from(scale).abs();
        if scale <= largest { largest } else { scale }
    })
}
