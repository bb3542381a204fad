//! Of the neighbours of some weights the nearest: for one scale, or for several side by side.

use super::neighbours::Near;
use super::points::{base, bits_per_digit, digit};
use crate::lanes::{LANE_NUMBERS, Lanes};
use crate::tables::Packed;

/// What each digit adds to the distance, a scale per lane.
pub(crate) struct Errors<L, const N: usize>([[L; 8]; N]);

impl<L: Lanes, const N: usize> Errors<L, N> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self([[L::zero(); 8]; N])
    }

    /// Sets them for weights `x` and digits that stand for odd numbers.
    #[inline(always)]
    pub(crate) fn fill(&mut self, scale: L, x: &[f32; N], v: &[f32; N]) {
        let mut values = [L::zero(); 8];
        for (digit, value) in values[..base::<N>()].iter_mut().enumerate() {
            *value = scale * L::splat((2 * digit + 1) as f32);
        }
        for ((errors, &x), &v) in self.0.iter_mut().zip(x).zip(v) {
            for (error, &value) in errors[..base::<N>()].iter_mut().zip(&values) {
                let difference = value - L::splat(x);
                *error = L::splat(v) * difference * difference;
            }
        }
    }

    /// In each lane the first of `near` with the smallest sum of `v (scale * level - x)^2`, as a number. Below zero
    /// where no sum is finite and what is near is not a point itself.
    #[inline(always)]
    pub(crate) fn nearest(&self, near: &Near<'_>) -> L {
        let none = if near.is_point { f32::from(near.entries[0]) } else { -1.0 };
        let (mut least, mut found) = (L::splat(f32::MAX), L::splat(none));
        for &entry in near.entries {
            let mut distance = self.0[0][digit::<N>(entry, 0)];
            for i in 1..N {
                distance = distance + self.0[i][digit::<N>(entry, i)];
            }
            let nearer = distance.lt(least);
            least = L::select(nearer, distance, least);
            found = L::select(nearer, L::splat(f32::from(entry)), found);
        }
        found
    }
}

/// The first entry of `list` with the smallest sum of `v (scale * level - x)^2`, an entry per lane. `levels` are
/// those of the digits, for digits of two bits twice. `None` when no sum is finite.
#[inline(always)]
pub(crate) fn nearest<L: Lanes, const N: usize>(
    list: &[Packed],
    levels: &[f32; 8],
    scale: f32,
    x: &[f32; N],
    v: &[f32; N],
) -> Option<Packed> {
    // What each digit adds to the sum is the same for all entries.
    let mut errors = [[0.0; 8]; N];
    for ((errors, x), v) in errors.iter_mut().zip(x).zip(v) {
        for (error, level) in errors.iter_mut().zip(levels) {
            let difference = scale * level - x;
            *error = v * difference * difference;
        }
    }
    let (mut least, mut vector) = (L::splat(f32::MAX), L::zero());
    for (number, list) in list.chunks_exact(L::WIDTH).enumerate() {
        let codes = L::load_codes(list);
        let mut distance = L::look_up(&errors[0], codes, 0);
        for (i, errors) in errors.iter().enumerate().skip(1) {
            distance = distance + L::look_up(errors, codes, i * bits_per_digit::<N>());
        }
        let nearer = distance.lt(least);
        least = L::select(nearer, distance, least);
        vector = L::select(nearer, L::splat(number as f32), vector);
    }
    let distance = least.least();
    // Each lane has its first entry at its smallest distance; of these it is the first again.
    let positions = vector * L::splat(L::WIDTH as f32) + L::load(&LANE_NUMBERS);
    let position = L::select(least.eq(L::splat(distance)), positions, L::splat(f32::MAX)).least();
    if distance < f32::MAX { list.get(position as usize).copied() } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::{Isa, Kernel, dispatch};

    struct Nearest<'a> {
        list: &'a [Packed],
        levels: &'a [f32; 8],
        scale: f32,
        x: &'a [f32; 8],
        v: &'a [f32; 8],
        found: &'a mut Option<Packed>,
    }

    impl Kernel for Nearest<'_> {
        #[inline(always)]
        fn run<L: Lanes>(self) {
            *self.found = nearest::<L, 8>(self.list, self.levels, self.scale, self.x, self.v);
        }
    }

    /// Entry by entry.
    fn slowly(list: &[Packed], levels: &[f32; 8], scale: f32, x: &[f32; 8], v: &[f32; 8]) -> Option<Packed> {
        let (mut least, mut found) = (f32::MAX, None);
        for &entry in list {
            let mut distance = 0.0;
            for i in 0..8 {
                let difference = scale * levels[usize::from(entry >> (2 * i) & 3)] - x[i];
                distance += v[i] * difference * difference;
            }
            if distance < least {
                (least, found) = (distance, Some(entry));
            }
        }
        found
    }

    proptest! {
        #[test]
        fn the_nearest_is_the_first_of_the_least_distance(
            points in proptest::collection::vec(any::<u16>(), 16..80), x in any::<[i8; 8]>(), v in any::<[u8; 8]>(), odd in 0_usize..24,
        ) {
            // Digits 0 to 2; whole numbers make ties.
            let list: Vec<u16> = points[..points.len() / 16 * 16].iter().map(|code| code & !(code >> 1 & 0x5555)).collect();
            let levels = [1.0, 3.0, 5.0, 0.0, 1.0, 3.0, 5.0, 0.0];
            let (mut x, v) = (x.map(|x| f32::from(x / 32)), v.map(|v| f32::from(v / 64)));
            if let Some(x) = x.get_mut(odd) {
                *x = if odd % 2 == 0 { f32::NAN } else { 1e30 };
            }
            for isa in Isa::available() {
                let mut found = None;
                dispatch(isa, Nearest { list: &list, levels: &levels, scale: 0.75, x: &x, v: &v, found: &mut found });
                prop_assert_eq!(found, slowly(&list, &levels, 0.75, &x, &v), "{}", isa);
            }
        }
    }
}
