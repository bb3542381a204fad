//! IQ1_S: 256 weights, a ternary point of 2048 per 8; a 3-bit scale and a shift of all levels per 32.

use briq_format::block::IQ1_S;
use briq_format::scalar::F16;
use zerocopy::little_endian::U16;

use crate::decoder::DecodeLanes;
use crate::error::Error;
use crate::grid::best::Best;
use crate::grid::cut::Cuts;
use crate::grid::points::{TERNARY, ternary};
use crate::grid::split::Sorted;
use crate::grid::sums::Together;
use crate::grid::ternary::{Fitted, TernaryBlock, encode_rows, index};
use crate::lanes::Lanes;
use crate::row::{Rows, TryEncode};

impl DecodeLanes for IQ1_S {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = L::splat_half(block.scale);
            let groups =
                block.grid_indices_low.as_chunks::<2>().0.iter().zip(weights.as_chunks_mut::<16>().0);
            for (i, (low, weights)) in groups.enumerate() {
                let high = block.grid_indices_high_and_scales[i / 2].get();
                let step = scale * L::splat(f32::from(2 * (high >> 12 & 7) + 1));
                let mut points = [0; 2];
                for (group, point) in points.iter_mut().enumerate() {
                    let high = usize::from(high >> (3 * (2 * (i % 2) + group)) & 7);
                    *point = TERNARY[usize::from(low[group]) | high << 8];
                }
                ternary(points, [high >> 15 == 1; 2], step, weights);
            }
        }
    }
}

impl TryEncode for IQ1_S {
    const USES_IMPORTANCE: bool = true;
    const NEEDS_IMPORTANCE: bool = true;

    fn try_encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
        encode_rows(rows, blocks)
    }
}

impl TernaryBlock<32, 1> for IQ1_S {
    const LAST_COMBINATION: u8 = 1;
    const NEGLIGIBLE: f32 = 1e-12;

    #[inline(always)]
    fn cut<L: Lanes>(sorted: &Sorted<32, 1>) -> Best {
        Together::<33>::new::<L, 32>(sorted).best::<L>()
    }

    #[inline(always)]
    fn is_down(combination: u8, _: usize) -> bool {
        combination == 1
    }

    fn pack(fitted: &Fitted) -> Self {
        let indices = fitted.points.map(index);
        let mut high: [u16; 8] =
            std::array::from_fn(|b| (0..4).fold(0, |bits, l| bits | indices[4 * b + l] >> 8 << (3 * l)));
        for (b, high) in high.iter_mut().enumerate() {
            *high |= u16::from(fitted.scale_codes[b]) << 12 | u16::from(fitted.combinations[b]) << 15;
        }
        Self {
            // The factor is the reference's, for what the search loses on average.
            scale: F16::from_f32(fitted.scale * 1.125),
            grid_indices_low: indices.map(|index| index as u8),
            grid_indices_high_and_scales: high.map(U16::new),
        }
    }
}
