//! IQ1_M: 256 weights, a ternary point of 2048 and a shift of its levels per 8; a 3-bit scale per 16.

use briq_format::block::IQ1_M;
use briq_format::scalar::F16;
use zerocopy::little_endian::U16;

use crate::decoder::DecodeLanes;
use crate::error::Error;
use crate::grid::best::Best;
use crate::grid::cut::Cuts;
use crate::grid::points::{TERNARY, ternary};
use crate::grid::refit::fit_blocks;
use crate::grid::split::Sorted;
use crate::grid::sums::Halves;
use crate::grid::ternary::{Fitted, TernaryBlock, encode_rows, index};
use crate::lanes::Lanes;
use crate::placement::pack_nibbles;
use crate::row::{Rows, TryEncode};

impl DecodeLanes for IQ1_M {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = L::splat_half(block.scale());
            let groups =
                block.grid_indices_low.as_chunks::<2>().0.iter().zip(weights.as_chunks_mut::<16>().0);
            for (i, ((low, weights), high)) in groups.zip(&block.grid_indices_high_and_shifts).enumerate() {
                let group_scale = block.scales[i / 4].get() >> (3 * (i % 4)) & 7;
                let step = scale * L::splat(f32::from(2 * group_scale + 1));
                let points = [
                    TERNARY[usize::from(low[0]) | usize::from(high & 7) << 8],
                    TERNARY[usize::from(low[1]) | usize::from(high >> 4 & 7) << 8],
                ];
                ternary(points, [high & 8 != 0, high & 128 != 0], step, weights);
            }
        }
    }
}

impl TryEncode for IQ1_M {
    const USES_IMPORTANCE: bool = true;

    fn try_encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
        encode_rows(rows, blocks)
    }
}

impl TernaryBlock<16, 2> for IQ1_M {
    const LAST_COMBINATION: u8 = 3;
    const NEGLIGIBLE: f32 = 1e-7;

    #[inline(always)]
    fn cut<L: Lanes>(sorted: &Sorted<16, 2>) -> Best {
        Halves::new::<L>(sorted).best::<L>()
    }

    #[inline(always)]
    fn is_down(combination: u8, group: usize) -> bool {
        combination >> (1 - group) & 1 == 1
    }

    #[inline(always)]
    fn fit_blocks<L: Lanes>(x: &[f32], w: &[f32], fitted: &mut [Fitted]) {
        fit_blocks::<L, 16>(x, w, fitted, Self::is_down);
    }

    fn pack(fitted: &Fitted) -> Self {
        let indices = fitted.points.map(index);
        let mut high = indices.map(|index| (index >> 8) as u8);
        for (k, high) in high.iter_mut().enumerate() {
            *high |= u8::from(Self::is_down(fitted.combinations[k / 2], k % 2)) << 3;
        }
        // The factor is the reference's, for what the search loses on average.
        let bits = F16::from_f32(fitted.scale * 1.1125).to_bits();
        let mut scales = [0; 4];
        for (i, (scales, codes)) in scales.iter_mut().zip(fitted.scale_codes.as_chunks::<4>().0).enumerate() {
            *scales = bits >> (4 * i) << 12;
            for (j, code) in codes.iter().enumerate() {
                *scales |= u16::from(*code) << (3 * j);
            }
        }
        Self {
            grid_indices_low: indices.map(|index| index as u8),
            grid_indices_high_and_shifts: pack_nibbles(&high),
            scales: scales.map(U16::new),
        }
    }
}
