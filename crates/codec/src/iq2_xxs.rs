//! IQ2_XXS: 256 weights, a point of 256 per 8; a 4-bit scale per 32. Of 8 signs the last follows from parity.

use std::sync::LazyLock;

use briq_format::block::{IQ2_XXS, IQ2XxsRecord};
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, signed};
use crate::error::Error;
use crate::grid::{
    EIGHTHS, Fitted, Grid, GridBlock, Model, Refined, Start, Trials, encode_rows, four_with_parity, points,
};
use crate::lanes::Lanes;
use crate::row::{Rows, TryEncode};
use crate::tables;

/// The points of the grid: magnitudes over the step.
pub static MAGNITUDES: [[u8; 8]; 256] = points(&tables::IQ2_XXS, &EIGHTHS);

impl DecodeLanes for IQ2_XXS {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = L::splat_half(block.scale);
            for (record, weights) in block.records.iter().zip(weights.as_chunks_mut::<32>().0) {
                let signs_and_scale = record.signs_and_scale.get();
                let step = scale * L::splat(0.5 + (signs_and_scale >> 28) as f32) * L::splat(0.25);
                let mut magnitudes = [[0; 8]; 4];
                for (magnitudes, index) in magnitudes.iter_mut().zip(record.grid_indices) {
                    *magnitudes = MAGNITUDES[usize::from(index)];
                }
                signed(magnitudes.as_flattened(), step, four_with_parity(signs_and_scale), weights);
            }
        }
    }
}

impl TryEncode for IQ2_XXS {
    const USES_IMPORTANCE: bool = true;
    const NEEDS_IMPORTANCE: bool = true;

    fn try_encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
        encode_rows(rows, blocks)
    }
}

impl GridBlock<32, 8> for IQ2_XXS {
    const MODEL: Model = Model {
        variance: 1.0,
        parity: true,
        negligible: 1e-15,
        start: Start::Fitted,
        trials: Trials { count: 6, step: 0.1, refined: Refined::All },
    };

    fn grid() -> &'static Grid<8> {
        static GRID: LazyLock<Grid<8>> = LazyLock::new(|| Grid::new(&tables::IQ2_XXS, 2));
        &GRID
    }

    fn pack(fitted: &Fitted) -> Self {
        let records = std::array::from_fn(|b| IQ2XxsRecord {
            grid_indices: std::array::from_fn(|l| fitted.indices[4 * b + l] as u8),
            signs_and_scale: fitted.signs_and_scale(b),
        });
        Self { scale: F16::from_f32(fitted.scale), records }
    }
}
