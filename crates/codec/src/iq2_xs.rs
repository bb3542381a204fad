//! IQ2_XS: 256 weights, a point of 512 per 8; a 4-bit scale per 16. Of 8 signs the last follows from parity.

use std::sync::LazyLock;

use briq_format::block::IQ2_XS;
use briq_format::scalar::F16;
use zerocopy::little_endian::U16;

use crate::decoder::{DecodeLanes, signed};
use crate::error::Error;
use crate::grid::{
    EIGHTHS, Fitted, Grid, GridBlock, Model, Refined, Start, Trials, encode_rows, points, with_parity,
};
use crate::lanes::Lanes;
use crate::placement::{nibble, pack_nibbles};
use crate::row::{Rows, TryEncode};
use crate::tables;

/// The points of the grid: magnitudes over the step.
pub static MAGNITUDES: [[u8; 8]; 512] = points(&tables::IQ2_XS, &EIGHTHS);

impl DecodeLanes for IQ2_XS {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = L::splat_half(block.scale);
            let groups = block.grid_indices_and_signs.as_chunks::<2>().0.iter();
            for (i, (groups, weights)) in groups.zip(weights.as_chunks_mut::<16>().0).enumerate() {
                let step = scale * L::splat(0.5 + f32::from(nibble(&block.scales, i))) * L::splat(0.25);
                let (mut magnitudes, mut signs) = ([[0; 8]; 2], [0; 2]);
                for (group, index_and_signs) in groups.iter().enumerate() {
                    let index_and_signs = index_and_signs.get();
                    magnitudes[group] = MAGNITUDES[usize::from(index_and_signs & 511)];
                    signs[group] = with_parity(u32::from(index_and_signs >> 9));
                }
                signed(magnitudes.as_flattened(), step, u16::from_le_bytes(signs).into(), weights);
            }
        }
    }
}

impl TryEncode for IQ2_XS {
    const USES_IMPORTANCE: bool = true;
    const NEEDS_IMPORTANCE: bool = true;

    fn try_encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
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
