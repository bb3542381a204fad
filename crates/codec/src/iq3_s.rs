//! IQ3_S: 256 weights, a point of 512 per 4; a 4-bit scale per 32. Every sign is stored.

use std::sync::LazyLock;

use briq_format::block::IQ3_S;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, signed};
use crate::error::Error;
use crate::grid::{Fitted, Grid, GridBlock, Model, Refined, Start, Trials, encode_rows, points};
use crate::lanes::Lanes;
use crate::placement::{nibble, pack_nibbles};
use crate::row::{Rows, TryEncode};
use crate::tables;

/// The points of the grid: magnitudes over the step.
pub static MAGNITUDES: [[u8; 4]; 512] = points(&tables::IQ3_S, &[1, 3, 5, 7, 9, 11, 13, 15]);

impl DecodeLanes for IQ3_S {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = L::splat_half(block.scale);
            let groups =
                block.grid_indices_low.as_chunks::<8>().0.iter().zip(weights.as_chunks_mut::<32>().0);
            for (b, ((indices, weights), signs)) in groups.zip(block.signs.as_chunks::<4>().0).enumerate() {
                let step = scale * L::splat(f32::from(1 + 2 * nibble(&block.scales, b)));
                let high = usize::from(block.grid_indices_high[b]);
                let mut magnitudes = [[0; 4]; 8];
                for (j, (magnitudes, low)) in magnitudes.iter_mut().zip(indices).enumerate() {
                    *magnitudes = MAGNITUDES[usize::from(*low) | (high >> j & 1) << 8];
                }
                signed(magnitudes.as_flattened(), step, u32::from_le_bytes(*signs), weights);
            }
        }
    }
}

impl TryEncode for IQ3_S {
    const USES_IMPORTANCE: bool = true;

    fn try_encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
        encode_rows(rows, blocks)
    }
}

impl GridBlock<32, 4> for IQ3_S {
    const MODEL: Model = Model {
        variance: 2.0,
        parity: false,
        // Below every number but zero.
        negligible: f32::from_bits(1),
        start: Start::Largest,
        trials: Trials { count: 9, step: 0.2, refined: Refined::AllIfOneOffGrid },
    };

    fn grid() -> &'static Grid<4> {
        static GRID: LazyLock<Grid<4>> = LazyLock::new(|| Grid::by_side(&tables::IQ3_S, 3));
        &GRID
    }

    fn pack(fitted: &Fitted) -> Self {
        // The reference writes low bits and signs where the last sub-block that was not left out ended; only high
        // bits and scales are where they are read.
        let (mut grid_indices_low, mut signs) = ([0; 64], [0; 32]);
        let written = (0..8).filter(|&b| !fitted.left_out[b]);
        for (slot, b) in written.enumerate() {
            for k in 0..8 {
                grid_indices_low[8 * slot + k] = fitted.indices[8 * b + k] as u8;
            }
            signs[4 * slot..4 * slot + 4].copy_from_slice(&fitted.signs[4 * b..4 * b + 4]);
        }
        let high = |j: usize| fitted.indices[j] >> 8 << (j % 8);
        Self {
            // The factor is the reference's, for what rounding the scales of sub-blocks adds on average.
            scale: F16::from_f32(fitted.scale * 1.033),
            grid_indices_low,
            grid_indices_high: std::array::from_fn(|i| {
                (8 * i..8 * i + 8).fold(0, |byte, j| byte | high(j) as u8)
            }),
            signs,
            scales: pack_nibbles(&fitted.scale_codes),
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros;

    use super::*;

    #[test]
    fn low_bits_and_signs_close_up_over_sub_blocks_of_zeros() {
        let mut weights = [0.0; 256];
        weights[32..64].iter_mut().enumerate().for_each(|(i, x)| *x = (i as f32 - 9.5) * 0.1);
        let mut early = weights;
        early.copy_within(32..64, 0);
        early[32..64].fill(0.0);
        let encode = |weights: &[f32; 256]| {
            let mut blocks = [IQ3_S::new_zeroed()];
            IQ3_S::try_encode_rows(&Rows { weights, row_elements: 256, importance: None }, &mut blocks)
                .unwrap();
            blocks[0]
        };
        let (late, early) = (encode(&weights), encode(&early));
        assert_eq!((late.grid_indices_low, late.signs), (early.grid_indices_low, early.signs));
        assert_eq!((late.scales[0], late.scales[0] >> 4), (early.scales[0] << 4, early.scales[0]));
        assert_eq!((late.grid_indices_high[1], late.grid_indices_high[0]), (early.grid_indices_high[0], 0));
    }
}
