//! IQ2_XXS: 256 weights, a point of 256 per 8; a 4-bit scale per 32. Of 8 signs the last follows from parity.

use std::sync::LazyLock;

use briq_format::block::{IQ2_XXS, IQ2XxsRecord};
use briq_format::scalar::F16;

use crate::error::Error;
use crate::grid::{
    EIGHTHS, Fitted, Grid, GridBlock, Model, Refined, Start, Trials, encode_rows, points, signed, with_parity,
};
use crate::row::{Decode, Rows, TryEncode};
use crate::tables;

static MAGNITUDES: [[u8; 8]; 256] = points(&tables::IQ2_XXS, &EIGHTHS);

impl Decode for IQ2_XXS {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = block.scale.to_f32();
            for (record, weights) in block.records.iter().zip(weights.as_chunks_mut::<32>().0) {
                let mut signs = record.signs_and_scale.get();
                let step = scale * (0.5 + (signs >> 28) as f32) * 0.25;
                for (index, weights) in record.grid_indices.iter().zip(weights.as_chunks_mut::<8>().0) {
                    *weights = signed(step, &MAGNITUDES[usize::from(*index)], with_parity(signs));
                    signs >>= 7;
                }
            }
        }
    }
}

impl TryEncode for IQ2_XXS {
    const NEEDS_IMPORTANCE: bool = true;

    fn try_encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
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
