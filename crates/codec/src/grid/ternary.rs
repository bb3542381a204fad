//! The grid of IQ1_S and IQ1_M, and the levels that its digits stand for.

use super::points;
use crate::tables;

/// The points, digits 0 to 2.
pub(crate) static DIGITS: [[u8; 8]; 2048] = points(&tables::IQ1, &[0, 1, 2]);

/// -1, 0 and 1 in steps, all of them shifted up or down by an eighth.
pub(crate) const fn levels(down: bool) -> [f32; 3] {
    if down { [-1.125, -0.125, 0.875] } else { [-0.875, 0.125, 1.125] }
}
