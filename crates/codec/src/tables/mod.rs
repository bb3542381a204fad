//! Tables that follow from no rule: the levels of the IQ4 types and the points of the grids.
//!
//! They were chosen by the authors of ggml and are part of its format; the numbers are those of its sources (MIT
//! licence). Every other table is computed where it is used.

mod iq1;
mod iq2_s;
mod iq2_xs;
mod iq2_xxs;
mod iq3_s;
mod iq3_xxs;

pub(crate) use iq1::IQ1;
pub(crate) use iq2_s::IQ2_S;
pub(crate) use iq2_xs::IQ2_XS;
pub(crate) use iq2_xxs::IQ2_XXS;
pub(crate) use iq3_s::IQ3_S;
pub(crate) use iq3_xxs::IQ3_XXS;

/// The weights over their scale that the 16 codes of IQ4_NL and IQ4_XS stand for.
pub const IQ4_LEVELS: [i8; 16] = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/// A point of a grid: 8 digits of 2 bits, none of them 3, or 4 digits of 3 bits; the first at the low end.
///
/// A point's place in its grid is what files hold. Grids ascend.
pub(crate) type Packed = u16;
