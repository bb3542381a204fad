//! Whether the weights of the IQ1 types are clear of the edges of their digits, so that few neighbours come into
//! question.

use super::candidates::CLEAR;
use super::split::Split;
use super::ternary::levels;
use crate::lanes::Lanes;

/// A bit for each weight that is clearly nearest to the level of its digit. That is most of them: a cut with a weight
/// that is nearer to another level is not the best, if levels are the same for all.
#[inline(always)]
pub(super) fn clear<L: Lanes, const SUB: usize>(
    x: &[f32; SUB],
    w: &[f32; SUB],
    split: &Split<SUB>,
    down: &impl Fn(usize) -> bool,
) -> u32 {
    let (mut clear, mut bits_down) = (0, 0);
    for group in 0..SUB / 8 {
        bits_down |= if down(group) { 0xFF << (8 * group) } else { 0 };
    }
    let ([low, ..], [lower, ..]) = (levels(false), levels(true));
    for start in (0..SUB).step_by(L::WIDTH) {
        let lowest = L::select(L::mask(bits_down >> start), L::splat(lower), L::splat(low));
        let place = L::load(&x[start..]) * L::splat(1.0 / split.scale) - lowest;
        // Beyond the first digit and the last there are no others.
        let place = place.if_greater(L::zero()).if_less(L::splat(2.0));
        let is_near = (place - L::from_bytes(&split.digits[start..])).abs().lt(L::splat(CLEAR));
        let counts = L::load(&w[start..]).gt(L::splat(-f32::from_bits(1)));
        clear |= L::bits(is_near & counts) << start;
    }
    // Quotients of smaller scales are not what rounding makes of others.
    if split.scale > 1e-20 { clear } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::nearest::{Distances, Errors, nearest};
    use super::super::ternary::GRID;
    use super::*;

    proptest! {
        #[test]
        fn the_nearest_candidate_is_the_first_nearest_neighbour(
            bits in proptest::array::uniform32(any::<u16>()),
            w in proptest::array::uniform32(0_u8..5),
            kind in 0..4,
            shifts in any::<u8>(),
        ) {
            let down = |group| shifts >> group & 1 == 1;
            let mut split = Split { scale: 1.0, combination: 0, digits: [0; 32] };
            // Whole numbers make ties. Then weights are at the edges of digits, or just off them; and some digits are
            // not the nearest.
            let x: [f32; 32] = std::array::from_fn(|i| {
                let number = f32::from(bits[i] % 16);
                match kind {
                    0 => (f32::from(bits[i]) * 0.37).sin() * 1.6,
                    1 => number * 0.25 - 2.0,
                    2 => number * 0.125 - 1.0 + f32::from(bits[i] >> 14) * 2e-5,
                    _ => number * 0.2 - 1.5,
                }
            });
            for (i, digit) in split.digits.iter_mut().enumerate() {
                let [low, ..] = levels(down(i / 8));
                let other = kind == 3 && bits[i] >> 8 == 0;
                *digit = (x[i] - low).round_ties_even().clamp(0.0, 2.0) as u8 ^ u8::from(other);
                *digit = (*digit).min(2);
            }
            let w = w.map(f32::from);
            let clear = clear::<f32, 32>(&x, &w, &split, &down);
            prop_assert!(kind != 0 || clear != 0);
            for group in (0..4).filter(|group| clear >> (8 * group) & 0xFF == 0xFF) {
                let digits = &split.digits[8 * group..][..8];
                let number = digits.iter().rev().fold(0, |number, &digit| number * 3 + usize::from(digit));
                let [low, middle, high] = levels(down(group));
                let levels = [low, middle, high, 0.0, low, middle, high, 0.0];
                let (x, w) = (&x.as_chunks::<8>().0[group], &w.as_chunks::<8>().0[group]);
                let errors = Errors::<8>::new(&levels, split.scale, x, w);
                let [candidate, neighbour] = [GRID.candidates_at(number), GRID.at(number)]
                    .map(|near| nearest::<f32, 8>(&near, &errors, &mut Distances::new()));
                prop_assert_eq!(candidate, neighbour);
            }
        }
    }
}
