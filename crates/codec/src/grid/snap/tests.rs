use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::lines::tolerances;
use super::super::points::base;
use super::super::search::odd_levels;
use super::*;
use crate::lanes::{Isa, Kernel, dispatch};
use crate::tables;

const TRIALS: usize = 19;
static FOURS: LazyLock<Grid<4>> = LazyLock::new(|| Grid::new(&tables::IQ3_S, 3));
/// Most neighbours are a step away.
static EIGHTS: LazyLock<Grid<8>> = LazyLock::new(|| Grid::new(&tables::IQ2_S, 1));

struct Snap<'a, const N: usize> {
    grid: &'a Grid<N>,
    x: &'a [Row; N],
    v: &'a [Row; N],
    digits: &'a [Row],
    scales: &'a [f32; TRIALS],
    found: &'a mut Vec<[Packed; TRIALS]>,
}

impl<const N: usize> Kernel for Snap<'_, N> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let mut scales = [[0.0; MAX_TRIALS + MAX_WIDTH]; MAX_WIDTH];
        scales.iter_mut().for_each(|scales| scales[..TRIALS].copy_from_slice(self.scales));
        let largest = L::splat(2.0 * base::<N>() as f32 * self.scales[0]);
        let smallest = L::splat(self.scales[TRIALS - 1]);
        let tolerances = tolerances([smallest, largest], self.x, self.v);
        let groups = Groups { grid: self.grid, levels: &odd_levels::<N>(), x: self.x, v: self.v, tolerances };
        let (mut room, mut found) = (Room::NEW, Points::NONE);
        let trial_scales = self.scales.map(L::splat);
        groups.snap::<L>(self.digits, &trial_scales, &scales, !0 >> (32 - L::WIDTH), &mut room, &mut found);
        for lane in 0..L::WIDTH {
            self.found.push(std::array::from_fn(|trial| found.points[trial][lane]));
            for (trial, digits) in self.digits.iter().enumerate() {
                let is_point = self.grid.at(spelled_number(digits[lane])).is_point;
                assert_eq!(found.off_grid[lane] >> trial & 1 == 0, is_point);
            }
        }
    }
}

/// Neighbour by neighbour.
fn slowly<const N: usize>(near: &Near<'_>, scale: f32, x: [f32; N], v: [f32; N]) -> Packed {
    let (mut least, mut found) = (f32::MAX, NONE);
    for &entry in near.entries {
        let mut distance = 0.0;
        for i in 0..N {
            let difference = scale * odd_levels::<N>()[digit::<N>(entry, i)] - x[i];
            distance += v[i] * difference * difference;
        }
        if distance < least {
            (least, found) = (distance, entry);
        }
    }
    if near.is_point { near.entries[0] } else { found }
}

/// Holds every trial against the slow search. Weights are below the last level for a scale of 1.
fn check<const N: usize>(grid: &Grid<N>, x: [[f32; 16]; N], v: [[f32; 16]; N]) {
    let last = 2.0 * base::<N>() as f32 - 1.0;
    let scales = std::array::from_fn(|trial| last / (last - 1.8 + 0.2 * trial as f32));
    let digit = |x: f32, scale: f32| {
        let place = 0.5 * (x / scale - 1.0);
        if x.is_nan() { 0.0 } else { place.round_ties_even().clamp(0.0, base::<N>() as f32 - 1.0) }
    };
    let digits: Vec<Row> = scales
        .iter()
        .map(|&scale| {
            std::array::from_fn(|lane| {
                let spelled = x
                    .iter()
                    .rev()
                    .fold(0.0, |spelled, x| spelled * base::<N>() as f32 + digit(x[lane], scale));
                spelled + SPELLED
            })
        })
        .collect();
    for isa in Isa::available() {
        let mut found = Vec::new();
        dispatch(isa, Snap { grid, x: &x, v: &v, digits: &digits, scales: &scales, found: &mut found });
        for (lane, found) in found.iter().enumerate() {
            for (trial, &found) in found.iter().enumerate() {
                let near = grid.at(spelled_number(digits[trial][lane]));
                let slow = slowly(&near, scales[trial], x.map(|x| x[lane]), v.map(|v| v[lane]));
                assert_eq!(found, slow, "{isa}, lane {lane}, trial {trial}");
            }
        }
    }
}

proptest! {
    #[test]
    fn every_trial_has_the_first_nearest_neighbour(
        x in proptest::array::uniform8(proptest::array::uniform16(0_u8..=255)),
        v in proptest::array::uniform8(proptest::array::uniform16(0_u8..4)),
        uneven in any::<bool>(),
        odd in proptest::sample::select(vec![1.0, 1.0, 1e-30, 1e25, f32::NAN]),
    ) {
        // Whole numbers make ties, others do not.
        let ragged = |number: u8| match uneven {
            true => (f32::from(number) * 1.7).sin().abs() * 16.0,
            false => f32::from(number / 16),
        };
        let (mut x, v) = (x.map(|x| x.map(ragged)), v.map(|v| v.map(f32::from)));
        x.iter_mut().for_each(|x| x[0] *= odd);
        check(&FOURS, *x.first_chunk().unwrap(), *v.first_chunk().unwrap());
        check(&EIGHTS, x.map(|x| x.map(|x| x * 0.375)), v);
    }
}
