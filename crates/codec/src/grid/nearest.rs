//! Of the neighbours of some weights the nearest for a scale.

use std::ops::Index;

use super::neighbours::{LONGEST, NONE, Near};
use super::points::bits_per_digit;
use crate::lanes::Lanes;
use crate::tables::Packed;

/// What each digit adds to the distance for one scale: `v (scale * level - x)^2`.
pub(crate) struct Errors<const N: usize>([[f32; 8]; N]);

impl<const N: usize> Errors<N> {
    /// Of the weights `x`. `levels` are those of the digits, for digits of two bits twice.
    #[inline(always)]
    pub(crate) fn new(
        levels: &[f32; 8],
        scale: f32,
        x: &impl Index<usize, Output = f32>,
        v: &impl Index<usize, Output = f32>,
    ) -> Self {
        let mut errors = [[0.0; 8]; N];
        for (i, errors) in errors.iter_mut().enumerate() {
            for (error, level) in errors.iter_mut().zip(levels) {
                let difference = scale * level - x[i];
                *error = v[i] * difference * difference;
            }
        }
        Self(errors)
    }
}

/// Room for the distances to all neighbours.
pub(crate) struct Distances([f32; LONGEST]);

impl Distances {
    pub(crate) const fn new() -> Self {
        Self([0.0; LONGEST])
    }
}

/// The first entry of `near` with the smallest sum of errors, the first digit's first. [`NONE`] when no sum is finite.
#[inline(always)]
pub(crate) fn nearest<L: Lanes, const N: usize>(
    near: &Near<'_>,
    errors: &Errors<N>,
    distances: &mut Distances,
) -> Packed {
    let mut least = L::splat(f32::MAX);
    let vectors = near.padded.chunks_exact(L::WIDTH).zip(distances.0.chunks_exact_mut(L::WIDTH));
    for (codes, distances) in vectors {
        let codes = L::load_codes(codes);
        let mut distance = L::look_up(&errors.0[0], codes, 0);
        for (i, errors) in errors.0.iter().enumerate().skip(1) {
            distance = distance + L::look_up(errors, codes, i * bits_per_digit::<N>());
        }
        distance.store(distances);
        least = distance.if_less(least);
    }
    let least = least.least();
    if least >= f32::MAX {
        return NONE;
    }
    for (codes, distances) in near.padded.chunks_exact(L::WIDTH).zip(distances.0.chunks_exact(L::WIDTH)) {
        let equal = L::bits(L::load(distances).eq(L::splat(least)));
        if equal != 0 {
            return codes[equal.trailing_zeros() as usize % L::WIDTH];
        }
    }
    NONE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::{Isa, Kernel, dispatch};

    struct Search<'a> {
        near: Near<'a>,
        levels: &'a [f32; 8],
        scale: f32,
        x: &'a [f32; 8],
        v: &'a [f32; 8],
        found: &'a mut Packed,
    }

    impl Kernel for Search<'_> {
        #[inline(always)]
        fn run<L: Lanes>(self) {
            let errors = Errors::<8>::new(self.levels, self.scale, self.x, self.v);
            *self.found = nearest::<L, 8>(&self.near, &errors, &mut Distances::new());
        }
    }

    /// Entry by entry.
    fn slowly(list: &[Packed], levels: &[f32; 8], scale: f32, x: &[f32; 8], v: &[f32; 8]) -> Packed {
        let (mut least, mut found) = (f32::MAX, NONE);
        for &entry in list {
            let mut distance = 0.0;
            for i in 0..8 {
                let difference = scale * levels[usize::from(entry >> (2 * i) & 3)] - x[i];
                distance += v[i] * difference * difference;
            }
            if distance < least {
                (least, found) = (distance, entry);
            }
        }
        found
    }

    proptest! {
        #[test]
        fn the_nearest_is_the_first_of_the_least_distance(
            points in proptest::collection::vec(any::<u16>(), 1..80),
            x in any::<[i8; 8]>(),
            v in any::<[u8; 8]>(),
            odd in 0_usize..24,
        ) {
            // Digits 0 to 2; whole numbers make ties.
            let list: Vec<u16> = points.iter().map(|code| code & !(code >> 1 & 0x5555)).collect();
            let filling = list.len().next_multiple_of(16) - list.len();
            let padded: Vec<u16> = list.iter().copied().chain(std::iter::repeat_n(list[0], filling)).collect();
            let levels = [1.0, 3.0, 5.0, 0.0, 1.0, 3.0, 5.0, 0.0];
            let (mut x, v) = (x.map(|x| f32::from(x / 32)), v.map(|v| f32::from(v / 64)));
            if let Some(x) = x.get_mut(odd) {
                *x = if odd % 2 == 0 { f32::NAN } else { 1e30 };
            }
            let expected = slowly(&list, &levels, 0.75, &x, &v);
            for isa in Isa::available() {
                let mut found = NONE;
                let near = Near { is_point: false, entries: &list, padded: &padded };
                dispatch(isa, Search { near, levels: &levels, scale: 0.75, x: &x, v: &v, found: &mut found });
                prop_assert_eq!(found, expected, "{}", isa);
            }
        }
    }
}
