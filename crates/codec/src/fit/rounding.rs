//! Ways to round steps to codes: one for anything, and others with fewer operations for numbers of ordinary size. Of
//! those some leave out limits that no step reaches, and one limits the weights instead. A search proves once for all
//! weights of a block that their steps are ordinary.

use crate::lanes::Lanes;

/// Rounds to nearest, ties to even, and limits.
pub(crate) trait Rounding {
    /// The weight to take steps with.
    #[inline(always)]
    fn limit<L: Lanes>(x: L, _: &Limits<L>) -> L {
        x
    }

    /// The whole number nearest to `steps`, limited to `low..=high`.
    fn round<L: Lanes>(steps: L, low: f32, high: f32) -> L;
}

/// The weights whose steps are rounded to the last codes; above zero and below.
pub(crate) struct Limits<L> {
    pub(crate) lowest: L,
    pub(crate) highest: L,
}

/// For steps that [`are_ordinary`].
pub(crate) struct Ordinary;

impl Rounding for Ordinary {
    #[inline(always)]
    fn round<L: Lanes>(steps: L, low: f32, high: f32) -> L {
        steps.round_ordinary().at_most(L::splat(high)).at_least(L::splat(low))
    }
}

/// For those of them that are not rounded to less than `low`.
pub(crate) struct Capped;

impl Rounding for Capped {
    #[inline(always)]
    fn round<L: Lanes>(steps: L, _: f32, high: f32) -> L {
        steps.round_ordinary().at_most(L::splat(high))
    }
}

/// For those of them that are not rounded to more than `high`.
pub(crate) struct Floored;

impl Rounding for Floored {
    #[inline(always)]
    fn round<L: Lanes>(steps: L, low: f32, _: f32) -> L {
        steps.round_ordinary().at_least(L::splat(low))
    }
}

/// For those of them that are rounded inside the limits.
pub(crate) struct Unlimited;

impl Rounding for Unlimited {
    #[inline(always)]
    fn round<L: Lanes>(steps: L, _: f32, _: f32) -> L {
        steps.round_ordinary()
    }
}

/// For those of them that are rounded inside the limits once the weights are limited.
pub(crate) struct Limited;

impl Rounding for Limited {
    #[inline(always)]
    fn limit<L: Lanes>(x: L, limits: &Limits<L>) -> L {
        x.at_most(limits.highest).at_least(limits.lowest)
    }

    #[inline(always)]
    fn round<L: Lanes>(steps: L, _: f32, _: f32) -> L {
        steps.round_ordinary()
    }
}

/// For every number, as the reference does it.
pub(crate) struct Anything;

impl Rounding for Anything {
    #[inline(always)]
    fn round<L: Lanes>(steps: L, low: f32, high: f32) -> L {
        steps.round_even_within(low, high)
    }
}

/// Of magnitude below 2^22, so that the reference rounds like everyone else.
#[inline(always)]
pub(crate) fn are_ordinary<L: Lanes>(steps: L) -> L::Mask {
    steps.abs().lt(L::splat(4_194_304.0))
}
