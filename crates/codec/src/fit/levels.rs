//! The scale of codes that stand for unevenly spaced levels. Source: ggml's search for the IQ4 types.

use super::NEGLIGIBLE;
use super::sweep::Sweep;
use super::symmetric::extreme;
use crate::lanes::Lanes;
use crate::tables::IQ4_LEVELS;

/// Minimises the sum of `w (x - scale * level)^2` over levels and the scale, and returns the scale.
///
/// Sixteen scales are tried, each set of levels then has its best scale: first the one that gives the weight of
/// largest magnitude the highest number, 127 with its sign turned, then those that take it to -134 to -120. Blocks
/// of negligible weights have scale 0.
#[inline(always)]
pub(crate) fn levels<L: Lanes, const N: usize>(x: &[L; N], w: &[L; N]) -> L {
    let extreme = extreme(x);
    let negligible = extreme.abs().lt(L::splat(NEGLIGIBLE));
    let (product, square) = project(x, w, L::splat(1.0) / (-extreme / L::splat(-127.0)));
    let scale = L::select(square.gt(L::zero()), product / square, L::zero());
    let mut found = Found { scale, best: scale * product };

    let ordinary = extreme.abs().lt(L::splat(f32::INFINITY)) & product.eq(product);
    if L::any(!(ordinary | negligible)) {
        for trial in FIRST_TRIAL..=LAST_TRIAL {
            let (product, square) = project(x, w, L::splat(f32::from(trial)) / extreme);
            found.improve(product, square);
        }
    } else {
        let sweep = Sweep::new(x, w, L::splat(f32::from(FIRST_TRIAL)) / extreme);
        let mut trial = FIRST_TRIAL;
        while trial <= LAST_TRIAL {
            let mut levels_per_weight = [L::zero(); AT_ONCE];
            for levels_per_weight in &mut levels_per_weight {
                *levels_per_weight = L::splat(f32::from(trial)) / extreme;
                trial += 1;
            }
            for (product, square) in sweep.project(&levels_per_weight) {
                found.improve(product, square);
            }
        }
    }
    L::select(negligible, L::zero(), found.scale)
}

/// The number that the weight of largest magnitude is taken to.
pub(super) const FIRST_TRIAL: i16 = -134;
pub(super) const LAST_TRIAL: i16 = -120;
/// The trials that go side by side, so that the sums of some are worked at while those of others wait.
const AT_ONCE: usize = 3;
const _: () = assert!(((LAST_TRIAL - FIRST_TRIAL + 1) as usize).is_multiple_of(AT_ONCE));

/// The best scale so far, and by how much it lowers the error.
struct Found<L> {
    scale: L,
    best: L,
}

impl<L: Lanes> Found<L> {
    /// Takes the scale that is the best for some levels, where it is better.
    #[inline(always)]
    fn improve(&mut self, product: L, square: L) {
        let better = square.gt(L::zero()) & (product * product).gt(self.best * square);
        self.scale = L::select(better, product / square, self.scale);
        self.best = L::select(better, self.scale * product, self.best);
    }
}

/// The codes of the levels nearest to the weights over `scale`, for all weights zero where this is zero.
#[inline(always)]
pub(crate) fn nearest_codes<L: Lanes, const N: usize>(x: &[L; N], scale: L) -> [L; N] {
    let per_scale = L::select(scale.eq(L::zero()), L::zero(), L::splat(1.0) / scale);
    let mut codes = *x;
    for code in &mut codes {
        *code = L::look_up_16(&NUMBERS, nearest(*code * per_scale));
    }
    codes
}

/// The code of the level nearest to `value`. Halfway between two it is the upper one, and for a NaN the highest.
#[inline(always)]
pub(super) fn nearest<L: Lanes>(value: L) -> L::Codes {
    value.count_reached(&MIDDLES)
}

/// The weighted sums of weights times levels and of levels squared.
#[inline(always)]
fn project<L: Lanes, const N: usize>(x: &[L; N], w: &[L; N], levels_per_weight: L) -> (L, L) {
    let (mut product, mut square) = (L::zero(), L::zero());
    for (&x, &w) in x.iter().zip(w) {
        let added = terms(x, w, L::look_up_16(&LEVELS, nearest(levels_per_weight * x)));
        (product, square) = (product + added.0, square + added.1);
    }
    (product, square)
}

/// What a weight adds to the two sums.
#[inline(always)]
pub(super) fn terms<L: Lanes>(x: L, w: L, level: L) -> (L, L) {
    (w * level * x, w * level * level)
}

/// The levels as numbers.
pub(super) const LEVELS: [f32; 16] = {
    let mut levels = [0.0; 16];
    let mut code = 0;
    while code < 16 {
        levels[code] = IQ4_LEVELS[code] as f32;
        code += 1;
    }
    levels
};

/// The codes as numbers.
const NUMBERS: [f32; 16] =
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];

/// Where the level after each becomes the nearest one. The reference compares the distances from both levels; where
/// these are nearly equal both are exact, so that it is the same to compare with the middle.
pub(super) const MIDDLES: [f32; 15] = {
    let mut middles = [0.0; 15];
    let mut code = 0;
    while code < 15 {
        middles[code] = (LEVELS[code] + LEVELS[code + 1]) / 2.0;
        code += 1;
    }
    middles
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::{Isa, Kernel, LANE_NUMBERS, MAX_WIDTH, dispatch};

    /// By bisection and distances, as the reference does it.
    fn nearest_slowly(value: f32) -> usize {
        if value <= LEVELS[0] {
            return 0;
        }
        if value >= LEVELS[15] {
            return 15;
        }
        let (mut low, mut high) = (0, 15);
        while high - low > 1 {
            let middle = (low + high) / 2;
            if value < LEVELS[middle] { high = middle } else { low = middle }
        }
        if value - LEVELS[high - 1] < LEVELS[high] - value { high - 1 } else { high }
    }

    fn check(value: f32) {
        assert_eq!(nearest_codes(&[value], 1.0_f32), [nearest_slowly(value) as f32], "{value}");
    }

    proptest! {
        #[test]
        fn the_level_is_the_nearest(value in -140.0_f32..140.0, bits in any::<u32>()) {
            check(value);
            check(f32::from_bits(bits));
        }
    }

    #[test]
    fn next_to_levels_and_their_middles_the_level_is_the_nearest() {
        for halves in -300..300_i16 {
            let (mut above, mut below) = (f32::from(halves) / 2.0, f32::from(halves) / 2.0);
            for _ in 0..100 {
                check(above);
                check(below);
                (above, below) = (above.next_up(), below.next_down());
            }
        }
    }

    /// One block, trial by trial.
    fn levels_slowly(x: &[f32; 32], w: &[f32; 32]) -> f32 {
        let largest = x.iter().fold(0.0_f32, |largest, x| if x.abs() > largest.abs() { *x } else { largest });
        if largest.abs() < 1e-15 {
            return 0.0;
        }
        let (mut scale, mut best) = (0.0, 0.0);
        let first = 1.0 / (-largest / -127.0);
        let factors = (-7..=7_i8).map(|t| (f32::from(t) - 127.0) / largest);
        for (trial, factor) in std::iter::once(first).chain(factors).enumerate() {
            let (mut product, mut square) = (0.0_f32, 0.0_f32);
            for (&x, &w) in x.iter().zip(w) {
                let level = LEVELS[nearest_slowly(factor * x)];
                product += w * level * x;
                square += w * level * level;
            }
            if trial == 0 {
                scale = if square > 0.0 { product / square } else { 0.0 };
                best = scale * product;
            } else if square > 0.0 && product * product > best * square {
                scale = product / square;
                best = scale * product;
            }
        }
        scale
    }

    struct Levels<'a> {
        x: &'a [[f32; 32]],
        w: &'a [[f32; 32]],
        scales: &'a mut Vec<f32>,
    }

    impl Kernel for Levels<'_> {
        #[inline(always)]
        fn run<L: Lanes>(self) {
            for (x, w) in self.x.chunks(L::WIDTH).zip(self.w.chunks(L::WIDTH)) {
                let side_by_side = |blocks: &[[f32; 32]]| {
                    std::array::from_fn(|i| {
                        let mut lanes = LANE_NUMBERS;
                        lanes.iter_mut().zip(blocks).for_each(|(lane, block)| *lane = block[i]);
                        L::load(&lanes)
                    })
                };
                let mut scales = [0.0; MAX_WIDTH];
                levels::<L, 32>(&side_by_side(x), &side_by_side(w)).store(&mut scales);
                self.scales.extend(&scales[..x.len()]);
            }
        }
    }

    /// Weights that a trial takes to a middle between levels, or to one of the numbers next to it.
    fn at_a_middle(extreme: f32) -> impl Strategy<Value = f32> {
        (0..15_usize, FIRST_TRIAL..=LAST_TRIAL, -2..=2_i32).prop_map(move |(middle, trial, further)| {
            let weight = MIDDLES[middle] / (f32::from(trial) / extreme);
            let weight = f32::from_bits(weight.to_bits().wrapping_add_signed(further));
            if weight.abs() < extreme.abs() { weight } else { 0.0 }
        })
    }

    fn block() -> impl Strategy<Value = [f32; 32]> {
        let extreme = prop_oneof![Just(1.0_f32), Just(-1.0), -2.0_f32..2.0, Just(3e38), Just(-2e-15)];
        extreme.prop_flat_map(|extreme| {
            let weight = prop_oneof![
                4 => at_a_middle(extreme),
                4 => (-1.0_f32..1.0).prop_map(move |part| part * extreme),
                1 => Just(0.0_f32),
            ];
            (proptest::array::uniform32(weight), 0..32_usize).prop_map(move |(mut block, at)| {
                block[at] = extreme;
                block
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { max_shrink_iters: 2000, ..ProptestConfig::with_cases(24) })]
        #[test]
        fn the_scale_is_that_of_the_trials_one_by_one(
            mut x in proptest::collection::vec(block(), 19),
            importance in proptest::collection::vec(any::<[u8; 32]>(), 19),
            unusual in prop::option::of((0..19_usize, 0..32_usize, any::<u32>())),
        ) {
            if let Some((block, at, bits)) = unusual {
                x[block][at] = f32::from_bits(bits);
            }
            let weight = |byte: u8| f32::from(byte / 4);
            let importance: Vec<[f32; 32]> = importance.iter().map(|block| block.map(weight)).collect();
            let squares: Vec<[f32; 32]> = x.iter().map(|block| block.map(|x| x * x)).collect();
            for w in [&importance, &squares] {
                let expected: Vec<f32> = x.iter().zip(w).map(|(x, w)| levels_slowly(x, w)).collect();
                for isa in Isa::available() {
                    let mut scales = Vec::new();
                    dispatch(isa, Levels { x: &x, w, scales: &mut scales });
                    for (found, expected) in scales.iter().zip(&expected) {
                        // The sign of a NaN is the processor's.
                        let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
                        prop_assert!(same, "{isa}: {found} for {expected}");
                    }
                }
            }
        }
    }
}
