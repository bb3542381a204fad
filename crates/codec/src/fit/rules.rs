//! Codes block by block, where weights lie, once searches side by side have found what gives them. Neither weights nor
//! codes change places between blocks and lanes for it.

use crate::lanes::{Lanes, MAX_WIDTH};

/// What gives the codes of the blocks that a pair of registers has room for.
#[derive(Clone, Copy)]
pub(crate) struct CodeRules {
    /// What takes no step, and the steps of a weight of one from there.
    origins: [f32; 2 * MAX_WIDTH],
    steps_per_weight: [f32; 2 * MAX_WIDTH],
    /// A bit for each block that has the code zero everywhere.
    idle: u32,
}

/// The steps that have codes, of which the lowest has the code zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    pub(crate) lowest: f32,
    pub(crate) highest: f32,
}

impl Reach {
    /// From `-half` up; as many below zero as not.
    pub(crate) const fn around_zero(half: f32) -> Self {
        Self { lowest: -half, highest: half - 1.0 }
    }

    /// From zero up.
    pub(crate) const fn from_zero(highest: f32) -> Self {
        Self { lowest: 0.0, highest }
    }

    /// Rounds steps to codes.
    #[inline(always)]
    fn store_codes<L: Lanes>(self, steps: L, codes: &mut [u8]) {
        (steps.round_even_within(self.lowest, self.highest) - L::splat(self.lowest)).store_codes(codes);
    }
}

impl CodeRules {
    /// Of no block.
    pub(crate) const NONE: Self =
        Self { origins: [0.0; 2 * MAX_WIDTH], steps_per_weight: [0.0; 2 * MAX_WIDTH], idle: u32::MAX };

    #[inline(always)]
    pub(super) fn new<L: Lanes>(origins: L, steps_per_weight: L, idle: L::Mask) -> Self {
        let mut rules = Self { idle: L::bits(idle), ..Self::NONE };
        origins.store(&mut rules.origins);
        steps_per_weight.store(&mut rules.steps_per_weight);
        rules
    }

    /// The codes of the weights of a block, which fill whole registers.
    #[inline(always)]
    pub(crate) fn codes<L: Lanes>(&self, block: usize, reach: Reach, weights: &[f32], codes: &mut [u8]) {
        debug_assert!(weights.len() == codes.len() && codes.len().is_multiple_of(L::WIDTH));
        if self.idle >> block & 1 == 1 {
            codes.fill(0);
            return;
        }
        let (origin, factor) = (L::splat(self.origins[block]), L::splat(self.steps_per_weight[block]));
        for (codes, weights) in codes.chunks_exact_mut(L::WIDTH).zip(weights.chunks_exact(L::WIDTH)) {
            reach.store_codes(factor * (L::load(weights) - origin), codes);
        }
    }
}

/// What a search found for the sub-blocks of super-blocks side by side.
pub(crate) enum Found<'a> {
    /// What gives the codes, of two sub-blocks after each other.
    Rules(&'a [CodeRules]),
    /// The codes, of the super-block in each lane.
    Codes(&'a [[u8; 256]]),
}

impl Found<'_> {
    /// The codes of a sub-block of the super-block in `lane`.
    #[inline(always)]
    fn codes<L: Lanes>(&self, group: usize, lane: usize, reach: Reach, weights: &[f32], codes: &mut [u8]) {
        match self {
            Self::Rules(rules) => {
                rules[group / 2].codes::<L>(group % 2 * L::WIDTH + lane, reach, weights, codes);
            }
            Self::Codes(found) => {
                let size = codes.len();
                codes.copy_from_slice(&found[lane][group * size..][..size]);
            }
        }
    }
}

/// What is stored of sub-blocks, a row of lanes each: what a step is worth, and what is subtracted.
pub(crate) struct Stored<'a, const GROUPS: usize> {
    pub(crate) steps: &'a [[f32; MAX_WIDTH]; GROUPS],
    pub(crate) drops: &'a [[f32; MAX_WIDTH]; GROUPS],
}

impl<const GROUPS: usize> Stored<'_, GROUPS> {
    /// What types without minimums subtract.
    pub(crate) const NO_DROPS: [[f32; MAX_WIDTH]; GROUPS] = [[0.0; MAX_WIDTH]; GROUPS];

    /// The codes of the super-block in `lane`, rounded once more in the steps that a decoder will see. Where a step
    /// is zero, the codes that were found remain.
    #[inline(always)]
    pub(crate) fn codes<L: Lanes>(
        &self,
        lane: usize,
        reach: Reach,
        found: &Found<'_>,
        weights: &[f32; 256],
    ) -> [u8; 256] {
        const { assert!((256 / GROUPS).is_multiple_of(L::WIDTH)) };
        let mut codes = [0; 256];
        let size = 256 / GROUPS;
        let groups = codes.chunks_exact_mut(size).zip(weights.chunks_exact(size));
        for (group, (codes, weights)) in groups.enumerate() {
            let (step, drop) = (self.steps[group][lane], self.drops[group][lane]);
            if step == 0.0 {
                found.codes::<L>(group, lane, reach, weights, codes);
                continue;
            }
            let (step, drop) = (L::splat(step), L::splat(drop));
            for (codes, weights) in codes.chunks_exact_mut(L::WIDTH).zip(weights.chunks_exact(L::WIDTH)) {
                reach.store_codes((L::load(weights) + drop) / step, codes);
            }
        }
        codes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lanes::{Isa, Kernel, Pair, dispatch};
    use crate::primitives::round_even;

    struct Check<'a> {
        weights: &'a [f32; 256],
        stored: Stored<'a, 16>,
        /// Origin, steps per weight and whether all codes are zero, of each sub-block, for all lanes.
        found: &'a [(f32, f32, bool); 16],
        reach: Reach,
    }

    impl Check<'_> {
        fn code(&self, steps: f32) -> u8 {
            ((round_even(steps) as f32).min(self.reach.highest).max(self.reach.lowest) - self.reach.lowest)
                as u8
        }

        fn slowly(&self, element: usize, lane: usize) -> u8 {
            let (step, drop) = (self.stored.steps[element / 16][lane], self.stored.drops[element / 16][lane]);
            if step == 0.0 {
                self.found_code(element)
            } else {
                self.code((self.weights[element] + drop) / step)
            }
        }

        fn found_code(&self, element: usize) -> u8 {
            match self.found[element / 16] {
                (_, _, true) => 0,
                (origin, steps_per_weight, false) => {
                    self.code(steps_per_weight * (self.weights[element] - origin))
                }
            }
        }

        /// Of every lane.
        fn found_codes(&self) -> [[u8; 256]; MAX_WIDTH] {
            [std::array::from_fn(|element| self.found_code(element)); MAX_WIDTH]
        }
    }

    impl Kernel for Check<'_> {
        fn run<L: Lanes>(self) {
            let mut rules = [CodeRules::NONE; 8];
            for (rules, [first, second]) in rules.iter_mut().zip(self.found.as_chunks().0) {
                let both = |a: f32, b: f32| Pair(L::splat(a), L::splat(b));
                let idle = both(first.2.into(), second.2.into()).gt(Pair::zero());
                *rules = CodeRules::new(both(first.0, second.0), both(first.1, second.1), idle);
            }
            let mut codes = [[0; 256]; MAX_WIDTH];
            for found in [Found::Rules(&rules), Found::Codes(&self.found_codes())] {
                for (lane, codes) in codes.iter_mut().enumerate().take(L::WIDTH) {
                    *codes = self.stored.codes::<L>(lane, self.reach, &found, self.weights);
                    for (element, code) in codes.iter().enumerate() {
                        assert_eq!(*code, self.slowly(element, lane), "element {element} of lane {lane}");
                    }
                }
            }
        }
    }

    /// Anything, and what is halfway between two codes where a step is a power of two.
    fn weight() -> impl Strategy<Value = f32> {
        let special = [0.0, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY, f32::NAN];
        prop_oneof![
            8 => -40.0_f32..40.0,
            8 => (any::<i8>(), -4_i8..4).prop_map(|(halves, power)| f32::from(halves) / 2.0 * f32::from(power).exp2()),
            1 => (prop::sample::select(special.to_vec()), any::<bool>())
                .prop_map(|(magnitude, negative)| if negative { -magnitude } else { magnitude }),
        ]
    }

    /// One in four is zero, and one a power of two.
    fn step(bits: i8) -> f32 {
        match bits.rem_euclid(4) {
            0 => 0.0,
            1 => f32::from(bits >> 5).exp2(),
            _ => f32::from(bits) / 32.0,
        }
    }

    proptest! {
        #[test]
        fn codes_are_those_of_the_steps_or_of_the_rules_where_a_step_is_zero(
            weights in proptest::collection::vec(weight(), 256),
            rows in proptest::collection::vec((any::<[i8; MAX_WIDTH]>(), any::<[u8; MAX_WIDTH]>()), 16),
            found in any::<[(i8, i8, bool); 16]>(),
            reach in prop_oneof![Just(Reach::around_zero(32.0)), Just(Reach::from_zero(3.0))],
        ) {
            let (mut steps, mut drops) = (Stored::NO_DROPS, Stored::NO_DROPS);
            for ((steps, drops), row) in steps.iter_mut().zip(&mut drops).zip(&rows) {
                *steps = row.0.map(step);
                *drops = row.1.map(|drop| f32::from(drop) / 8.0);
            }
            let found = found.map(|(origin, factor, idle)| (f32::from(origin) / 8.0, step(factor), idle));
            let weights = weights.first_chunk().unwrap();
            for isa in Isa::available() {
                let stored = Stored { steps: &steps, drops: &drops };
                dispatch(isa, Check { weights, stored, found: &found, reach });
            }
        }
    }
}
