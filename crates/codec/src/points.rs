//! What the codes of blocks stand for, for kernels that compute with codes: the points of the grids, levels, and
//! the parts of scales.

use crate::grid;
use crate::tables;

pub use crate::fp4::DOUBLED as FP4_DOUBLED;
pub use crate::grid::four_with_parity;
pub use crate::iq2_s::MAGNITUDES as IQ2_S;
pub use crate::iq2_xs::MAGNITUDES as IQ2_XS;
pub use crate::iq2_xxs::MAGNITUDES as IQ2_XXS;
pub use crate::iq3_s::MAGNITUDES as IQ3_S;
pub use crate::iq3_xxs::MAGNITUDES as IQ3_XXS;
pub use crate::mxfp4::half_scale as mxfp4_half_scale;
pub use crate::nvfp4::half_scale as nvfp4_half_scale;
pub use crate::q3_k::unpack_scales as q3_k_scales;
pub use crate::tables::IQ4_LEVELS;

/// The points of the grid of IQ1_S and IQ1_M; a digit is the weight over its step plus 1.
pub static IQ1_DIGITS: [[u8; 8]; 2048] = grid::points(&tables::IQ1, &[0, 1, 2]);
