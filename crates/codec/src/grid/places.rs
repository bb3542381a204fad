//! Where groups of four weights are, for many of them side by side: a number that finds their candidates.

use super::candidates::{CLEAR, OFF_CENTRE};
use super::points::base;
use crate::lanes::Lanes;

/// What places of weights tell apart. Where normally distributed weights fall, sides leave 4.6 candidates of 6.5 for
/// the grid of 512 points, and 4.1 of 5.0 for that of 256; but the table has 600 KB instead of 64 KB. That is a gain
/// for the first, and a loss for the second once other programs use the same caches.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolution {
    /// Digits.
    Digits = 1,
    /// Digits, and the sides of them that weights are on: half steps. The first is both below the first digit's middle
    /// and above it, and what is beyond the last digit's middle is none of its own.
    Sides = 2,
}

impl Resolution {
    const fn per_digit(self) -> usize {
        self as usize
    }

    /// How many places there are for a weight.
    pub(super) const fn count(self) -> usize {
        6 * self.per_digit() + 2
    }

    /// The digit at a place, and whether weights are above it.
    pub(super) const fn digit(self, place: usize) -> (u8, bool) {
        (place.div_ceil(self.per_digit()) as u8, place.is_multiple_of(2))
    }

    /// The places of weights.
    #[inline(always)]
    pub(super) fn places<L: Lanes, const N: usize>(self, levels_per_weight: L, x: &[L; N]) -> Places<L> {
        const { assert!(CLEAR + OFF_CENTRE == 0.5) };
        let (per_digit, count) = (self.per_digit() as f32, self.count() as f32);
        // Digits are two levels apart.
        let places_per_weight = levels_per_weight * L::splat(0.5 * per_digit);
        let (mut spelled, mut farthest, mut unit) = (L::splat(8_388_608.0), L::zero(), 1.0);
        for &x in x {
            let place = places_per_weight * x - L::splat(per_digit - 0.5);
            // Below the first place and above the last there are no others, and no limits to be near to.
            let place = place.if_greater(L::zero()).if_less(L::splat(count - 1.0));
            let rounded = place.round_ordinary();
            farthest = (place - rounded).abs().if_greater(farthest);
            spelled = spelled + rounded * L::splat(unit);
            unit *= count;
        }
        Places { spelled, are_clear: farthest.lt(L::splat(0.5 - per_digit * OFF_CENTRE)) }
    }
}

/// Where groups side by side are.
pub(super) struct Places<L: Lanes> {
    /// What the places of the weights spell, plus 2^23: the low bits of the float are those of the number.
    pub(super) spelled: L,
    /// Where no weight is at a limit of its place, or nearly.
    pub(super) are_clear: L::Mask,
}

/// The number that the digits of weights spell, rounded as the reference rounds any weights, plus 2^23.
#[inline(always)]
pub(super) fn spell<L: Lanes, const N: usize>(levels_per_weight: L, x: &[L; N]) -> L {
    let (base, mut unit, mut spelled) = (base::<N>() as f32, 1.0, L::splat(8_388_608.0));
    for &x in x {
        let place = L::splat(0.5) * (levels_per_weight * x - L::splat(1.0));
        spelled = spelled + place.round_even_within(0.0, base - 1.0) * L::splat(unit);
        unit *= base;
    }
    spelled
}

/// The number that digits or places spell.
#[inline(always)]
pub(super) fn number(spelled: f32) -> usize {
    usize::from(spelled.to_bits() as u16)
}
