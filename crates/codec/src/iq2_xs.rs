//! IQ2_XS: 256 weights, a point of 512 per 8; a 4-bit scale per 16. Of 8 signs the last follows from parity.

use std::sync::LazyLock;

use briq_format::block::IQ2_XS;
use briq_format::scalar::F16;
use zerocopy::little_endian::U16;

use crate::error::Error;
use crate::grid::{
    EIGHTHS, Fitted, Grid, GridBlock, Model, Refined, Start, Trials, encode_rows, points, signed, with_parity,
};
use crate::placement::{nibble, pack_nibbles};
use crate::row::{Decode, Rows, TryEncode};
use crate::tables;

static MAGNITUDES: [[u8; 8]; 512] = points(&tables::IQ2_XS, &EIGHTHS);

impl Decode for IQ2_XS {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = block.scale.to_f32();
            for (k, weights) in weights.as_chunks_mut::<8>().0.iter_mut().enumerate() {
                let step = scale * (0.5 + f32::from(nibble(&block.scales, k / 2))) * 0.25;
                let index_and_signs = block.grid_indices_and_signs[k].get();
                let magnitudes = &MAGNITUDES[usize::from(index_and_signs & 511)];
                *weights = signed(step, magnitudes, with_parity(u32::from(index_and_signs >> 9)));
            }
        }
    }
}

impl TryEncode for IQ2_XS {
    const NEEDS_IMPORTANCE: bool = true;

    fn try_encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
        encode_rows(rows, blocks)
    }
}

impl GridBlock<16, 8> for IQ2_XS {
    const MODEL: Model = Model {
        variance: 1.0,
        parity: true,
        negligible: 1e-15,
        start: Start::Largest,
        trials: Trials { count: 9, step: 0.1, refined: Refined::OffGrid },
    };

    fn grid() -> &'static Grid<8> {
        static GRID: LazyLock<Grid<8>> = LazyLock::new(|| Grid::new(&tables::IQ2_XS, 2));
        &GRID
    }

    fn pack(fitted: &Fitted) -> Self {
        let index_and_signs = |k: usize| fitted.indices[k] | u16::from(fitted.signs[k]) << 9;
        Self {
            scale: F16::from_f32(fitted.scale),
            grid_indices_and_signs: std::array::from_fn(|k| U16::new(index_and_signs(k))),
            scales: pack_nibbles(&fitted.scale_codes),
        }
    }
}
