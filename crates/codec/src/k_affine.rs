//! What Q4_K and Q5_K share: super-blocks of eight sub-blocks, each with a scale and a minimum of 6 bits.
//!
//! Encoding goes outside in: every sub-block is fitted alone, the eight scales and minimums are quantized, and the
//! weights are rounded once more, now with the scales that a decoder will see.

use briq_format::scalar::F16;

use crate::fit::{Affine, Scaled, Trials, affine, importance_weights, nonnegative};
use crate::k_scales::{self, ScalesAndMinimums};
use crate::primitives::{largest, round_even, sum, sum_of_squares};

/// What differs between the types.
pub(crate) struct Model {
    pub(crate) largest_code: i32,
    pub(crate) trials_without_importance: Trials,
    /// The cap on the scales and minimums that the search with importance finds.
    pub(crate) largest_searched_scale: u8,
}

/// A super-block before its codes are placed.
pub(crate) struct SuperBlock {
    pub(crate) scale: F16,
    pub(crate) minimum: F16,
    pub(crate) scales_and_minimums: [u8; 12],
    pub(crate) codes: [u8; 256],
}

/// The weights of a block.
pub(crate) fn decode(scale: F16, minimum: F16, packed: &[u8; 12], quants: &[i8; 256]) -> [f32; 256] {
    let steps = Steps::new(scale, minimum, packed);
    let mut weights = [0.0; 256];
    let groups = weights.chunks_exact_mut(32).zip(quants.chunks_exact(32));
    for ((weights, quants), (scale, minimum)) in groups.zip(steps.0) {
        for (weight, quant) in weights.iter_mut().zip(quants) {
            *weight = scale * f32::from(*quant) - minimum;
        }
    }
    weights
}

/// Encodes the super-blocks of a row; `place` makes a block of each.
pub(crate) fn encode_row<B>(
    model: &Model,
    weights: &[f32],
    importance: Option<&[f32]>,
    blocks: &mut [B],
    place: impl Fn(&SuperBlock) -> B,
) {
    let blocks = blocks.iter_mut().zip(weights.as_chunks::<256>().0);
    match importance {
        None => blocks.for_each(|(block, x)| *block = place(&fit(model, x))),
        Some(importance) => {
            for ((block, x), importance) in blocks.zip(importance.as_chunks::<256>().0) {
                *block = place(&fit_with_importance(model, x, importance));
            }
        }
    }
}

/// Weighs the error by magnitude, and takes the largest scale and minimum to 63.
fn fit(model: &Model, x: &[f32; 256]) -> SuperBlock {
    let sub_blocks = groups(x).map(|x| {
        let root_mean_square = (sum_of_squares(x) / 32.0).sqrt();
        let w = x.map(|x| root_mean_square + x.abs());
        affine(x, &w, model.largest_code, &model.trials_without_importance)
    });
    let (scale, scales) = to_sixty_three(&scales(&sub_blocks));
    let (minimum, minimums) = to_sixty_three(&drops(&sub_blocks));
    round_again(model, x, &sub_blocks, scale, minimum, ScalesAndMinimums { scales, minimums })
}

/// Weighs the error by importance, and searches the scales and minimums too.
fn fit_with_importance(model: &Model, x: &[f32; 256], importance: &[f32; 256]) -> SuperBlock {
    let variance = 2.0 * sum_of_squares(x) / 256.0;
    let (x_groups, importance) = (groups(x), groups(importance));
    let weights: [_; 8] = std::array::from_fn(|i| importance_weights(importance[i], variance, x_groups[i]));
    let sub_blocks = std::array::from_fn(|i| {
        affine(x_groups[i], &weights[i], model.largest_code, &Trials::WITH_IMPORTANCE)
    });
    let sums = weights.map(sum);
    let search = |values: &[f32; 8]| {
        let Scaled { scale, codes } = nonnegative(values, &sums, 63);
        (scale, codes.map(|code| code.min(model.largest_searched_scale)))
    };
    let (scale, scales) = search(&scales(&sub_blocks));
    let (minimum, minimums) = search(&drops(&sub_blocks));
    round_again(model, x, &sub_blocks, scale, minimum, ScalesAndMinimums { scales, minimums })
}

/// Rounds the weights with the scales and minimums as they are stored. Where a stored scale is zero, the codes of
/// the fit remain.
fn round_again(
    model: &Model,
    x: &[f32; 256],
    sub_blocks: &[Affine<32>; 8],
    scale: f32,
    minimum: f32,
    unpacked: ScalesAndMinimums,
) -> SuperBlock {
    let (scale, minimum) = (F16::from_f32(scale), F16::from_f32(minimum));
    let scales_and_minimums = k_scales::pack(&unpacked);
    let steps = Steps::new(scale, minimum, &scales_and_minimums);
    let mut codes = [0; 256];
    let (code_groups, _) = codes.as_chunks_mut::<32>();
    for (((codes, x), sub_block), (scale, minimum)) in
        code_groups.iter_mut().zip(groups(x)).zip(sub_blocks).zip(steps.0)
    {
        *codes = sub_block.codes;
        if scale != 0.0 {
            *codes = x.map(|x| round_even((x + minimum) / scale).min(model.largest_code).max(0) as u8);
        }
    }
    SuperBlock { scale, minimum, scales_and_minimums, codes }
}

/// Per sub-block the weight of a step, and what is subtracted.
struct Steps([(f32, f32); 8]);

impl Steps {
    fn new(scale: F16, minimum: F16, packed: &[u8; 12]) -> Self {
        let (scale, minimum) = (scale.to_f32(), minimum.to_f32());
        let ScalesAndMinimums { scales, minimums } = k_scales::unpack(packed);
        Self(std::array::from_fn(|i| (scale * f32::from(scales[i]), minimum * f32::from(minimums[i]))))
    }
}

/// Codes that take the largest value to 63, and the value of a unit.
fn to_sixty_three(values: &[f32; 8]) -> (f32, [u8; 8]) {
    let largest = largest(values);
    let units_per_value = if largest > 0.0 { 63.0 / largest } else { 0.0 };
    (largest / 63.0, values.map(|value| (round_even(units_per_value * value) as u8).min(63)))
}

fn scales(sub_blocks: &[Affine<32>; 8]) -> [f32; 8] {
    sub_blocks.each_ref().map(|sub_block| sub_block.scale)
}

/// The minimums as they are stored: how far below zero.
fn drops(sub_blocks: &[Affine<32>; 8]) -> [f32; 8] {
    sub_blocks.each_ref().map(|sub_block| -sub_block.minimum)
}

fn groups(values: &[f32; 256]) -> [&[f32; 32]; 8] {
    let (groups, _) = values.as_chunks::<32>();
    std::array::from_fn(|i| &groups[i])
}
