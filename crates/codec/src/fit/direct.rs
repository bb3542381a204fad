//! Scales taken from the range of the block, without a search. Source: ggml's row quantizers of the 32-element
//! types.

use super::Fitted;
use crate::primitives::{extreme, inverse_or_zero, truncate};

/// Gives the weight of largest magnitude the code 0, on the side that has one step more:
/// weight = scale * (code - half), codes 0 to 2 half - 1.
pub(crate) fn direct_symmetric<const N: usize>(x: &[f32; N], half: i8) -> Fitted<N> {
    let scale = extreme(x) / -f32::from(half);
    let per_scale = inverse_or_zero(scale);
    let centre = f32::from(half) + 0.5;
    // A quotient that overflowed truncates to `i32::MIN`, whose low byte is code 0.
    let codes = x.map(|x| (truncate(x * per_scale + centre) as i8).min(2 * half - 1) as u8);
    Fitted { scale, minimum: 0.0, codes }
}

/// Spreads the codes 0 to `largest_code` over the range of the block.
pub(crate) fn direct_affine<const N: usize>(x: &[f32; N], largest_code: i8) -> Fitted<N> {
    let (mut minimum, mut maximum) = (f32::MAX, -f32::MAX);
    for &x in x {
        if x < minimum {
            minimum = x;
        }
        if x > maximum {
            maximum = x;
        }
    }
    let scale = (maximum - minimum) / f32::from(largest_code);
    let per_scale = inverse_or_zero(scale);
    let codes = x.map(|x| (truncate((x - minimum) * per_scale + 0.5) as i8).min(largest_code) as u8);
    Fitted { scale, minimum, codes }
}
