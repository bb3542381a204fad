use proptest::prelude::*;

use super::*;
use crate::lanes::{Isa, Kernel, MAX_WIDTH, Pair, dispatch};

/// Weights and how much their errors count, of a block in each lane.
type Lane = ([f32; 16], [f32; 16]);

struct Check<'a> {
    lanes: &'a [Lane; 2 * MAX_WIDTH],
    half: f32,
}

impl Kernel for Check<'_> {
    fn run<L: Lanes>(self) {
        self.with::<L>();
        self.with::<Pair<L>>();
    }
}

impl Check<'_> {
    fn with<L: Lanes>(&self) {
        for lanes in self.lanes.chunks(L::WIDTH) {
            let load = |part: fn(&Lane) -> &[f32; 16]| {
                std::array::from_fn(|i| {
                    let mut numbers = [0.0; 2 * MAX_WIDTH];
                    numbers.iter_mut().zip(lanes).for_each(|(number, lane)| *number = part(lane)[i]);
                    L::load(&numbers)
                })
            };
            let (x, w): ([L; 16], _) = (load(|lane| &lane.0), load(|lane| &lane.1));
            let fit = symmetric(&x, &w, self.half);
            let found = [fit.scale].into_iter().chain(fit.codes(&x)).map(|found| {
                let mut numbers = [0.0; 2 * MAX_WIDTH];
                found.store(&mut numbers);
                numbers
            });
            let found: Vec<_> = found.collect();
            for (number, lane) in lanes.iter().enumerate() {
                let (scale, codes) = slowly(lane, self.half);
                for (found, slow) in found.iter().zip([scale].into_iter().chain(codes)) {
                    let found = found[number];
                    let same = found.to_bits() == slow.to_bits() || found.is_nan() && slow.is_nan();
                    assert!(same, "{found}, not {slow}, in lane {number}: {lane:?}");
                }
            }
        }
    }
}

/// The scale and codes of a block, every step rounded as the reference does it.
fn slowly((x, w): &Lane, half: f32) -> (f32, [f32; 16]) {
    let round = |steps: f32| steps.round_even_within(-half, half - 1.0);
    let extreme = x.iter().fold(0.0_f32, |extreme, &x| if x.abs() > extreme.abs() { x } else { extreme });
    if extreme.abs() < NEGLIGIBLE {
        return (0.0, [0.0; 16]);
    }
    let (mut scale, mut best, mut found) = (0.0, 0.0, 0.0);
    for tenths in [0].into_iter().chain(-9..=-1).chain(1..=9_i8) {
        let steps_per_weight = -(half + 0.1 * f32::from(tenths)) / extreme;
        let (mut product, mut square) = (0.0, 0.0);
        for (x, w) in x.iter().zip(w) {
            let steps = round(steps_per_weight * x);
            product += w * x * steps;
            square += w * steps * steps;
        }
        if tenths == 0 || square > 0.0 && product * product > best * square {
            scale = if square == 0.0 { 0.0 } else { product / square };
            (best, found) = (scale * product, steps_per_weight);
        }
    }
    (scale, x.map(|x| round(found * x) + half))
}

/// A block of a kind. Those below four are ordinary or negligible.
fn lane(kind: u8, numbers: [i16; 16], counts: [u8; 16]) -> Lane {
    let (mut x, mut w) = (numbers.map(|number| (f32::from(number) * 0.37).sin()), counts.map(f32::from));
    let place = usize::from(numbers[0].unsigned_abs() % 16);
    match kind {
        0 => w = w.map(|w| w * 0.013),
        // Ties, and extremes of the same magnitude.
        1 => x = numbers.map(|number| f32::from(number % 9) * 0.5),
        2 => x = numbers.map(|number| f32::from(number) * 1e-20),
        3 => w = [0.0; 16],
        // Products overflow, and differ in sign.
        4 => (x, w) = (numbers.map(|number| f32::from(number) * 1e33), w.map(|w| w * 1e10)),
        5 => {
            x[place] = f32::NAN;
            // What it takes as steps shows where nothing else counts.
            w = if numbers[1] < 0 { [0.0; 16] } else { w };
        }
        6 => x[place] = f32::INFINITY.copysign(f32::from(numbers[1])),
        _ => x = [f32::NAN; 16],
    }
    (x, w)
}

proptest! {
    /// What is taken for ordinary has the same results, whatever is in the lanes beside it.
    #[test]
    fn every_lane_has_what_rounding_as_the_reference_does_it_gives(
        half in prop::sample::select(vec![4.0_f32, 8.0, 16.0, 32.0]),
        kinds in prop::sample::select(vec![2_u8, 4, 5, 8]),
        blocks in prop::collection::vec(any::<(u8, [i16; 16], [u8; 16])>(), 2 * MAX_WIDTH),
    ) {
        let lanes: Vec<_> = blocks.iter().map(|&(kind, x, w)| lane(kind % kinds, x, w)).collect();
        for isa in Isa::available() {
            dispatch(isa, Check { lanes: lanes.first_chunk().unwrap(), half });
        }
    }

    /// Weights anywhere, and a few steps of a float from where the code changes.
    #[test]
    fn limited_weights_have_the_codes_that_limits_of_codes_give(
        half in prop::sample::select(vec![4.0_f32, 8.0, 16.0, 32.0]),
        tenths in -1_i8..=9,
        extreme in prop_oneof![0.5_f32..1.0, Just(1e-15), Just(f32::MAX), 1e-15_f32..f32::MAX],
        (negative, part) in (any::<bool>(), -1.0_f32..=1.0),
        (middle, further) in (-33_i8..=33, -3_i32..=3),
    ) {
        let extreme = if negative { -extreme } else { extreme };
        let steps_per_weight = Symmetric::<f32> { half, ..Symmetric::none() }.steps(tenths) / extreme;
        let near = (f32::from(middle) + 0.5) / steps_per_weight;
        let near = f32::from_bits(near.to_bits().wrapping_add_signed(further));
        for x in [part * extreme, near, extreme, -extreme] {
            if x.abs() <= extreme.abs() {
                let limited = Limited::limit(x, &limits(extreme, half));
                let code = Limited::round(steps_per_weight * limited, -half, half - 1.0);
                prop_assert_eq!(code, (steps_per_weight * x).round_even_within(-half, half - 1.0), "{}", x);
            }
        }
    }
}
