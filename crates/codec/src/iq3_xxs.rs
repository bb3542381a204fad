//! IQ3_XXS: 256 weights, a point of 256 per 4; a 4-bit scale per 32. Of 8 signs the last follows from parity.

use std::sync::LazyLock;

use briq_format::block::IQ3_XXS;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, signed};
use crate::error::Error;
use crate::grid::{
    Fitted, Grid, GridBlock, Model, Refined, Start, Trials, encode_rows, four_with_parity, points,
};
use crate::lanes::Lanes;
use crate::row::{Rows, TryEncode};
use crate::tables;

/// The points of the grid: magnitudes over the step. They are odd multiples of 4, but for the largest.
pub static MAGNITUDES: [[u8; 4]; 256] = points(&tables::IQ3_XXS, &[4, 12, 20, 28, 36, 44, 52, 62]);

impl DecodeLanes for IQ3_XXS {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = L::splat_half(block.scale);
            let groups = block.grid_indices.as_chunks::<8>().0.iter().zip(weights.as_chunks_mut::<32>().0);
            for ((indices, weights), signs_and_scale) in groups.zip(&block.signs_and_scales) {
                let signs_and_scale = signs_and_scale.get();
                let step = scale * L::splat(0.5 + (signs_and_scale >> 28) as f32) * L::splat(0.5);
                let mut magnitudes = [[0; 4]; 8];
                for (magnitudes, index) in magnitudes.iter_mut().zip(indices) {
                    *magnitudes = MAGNITUDES[usize::from(*index)];
                }
                signed(magnitudes.as_flattened(), step, four_with_parity(signs_and_scale), weights);
            }
        }
    }
}

impl TryEncode for IQ3_XXS {
    const USES_IMPORTANCE: bool = true;

    fn try_encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
        encode_rows(rows, blocks)
    }
}

impl GridBlock<32, 4> for IQ3_XXS {
    const MODEL: Model = Model {
        variance: 2.0,
        parity: true,
        negligible: 1e-8,
        start: Start::Largest,
        trials: Trials { count: 15, step: 0.2, refined: Refined::OffGrid },
    };

    fn grid() -> &'static Grid<4> {
        static GRID: LazyLock<Grid<4>> = LazyLock::new(|| Grid::new(&tables::IQ3_XXS, 2));
        &GRID
    }

    fn pack(fitted: &Fitted) -> Self {
        Self {
            // The factor is the reference's, for what rounding the scales of sub-blocks adds on average.
            scale: F16::from_f32(fitted.scale * 1.0125),
            grid_indices: fitted.indices.map(|index| index as u8),
            signs_and_scales: std::array::from_fn(|b| fitted.signs_and_scale(b)),
        }
    }
}
