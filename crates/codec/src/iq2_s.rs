//! IQ2_S: 256 weights, a point of 1024 per 8; a 4-bit scale per 16. Every sign is stored.

use std::sync::LazyLock;

use briq_format::block::IQ2_S;
use briq_format::scalar::F16;

use crate::decoder::{DecodeLanes, signed};
use crate::error::Error;
use crate::grid::{EIGHTHS, Fitted, Grid, GridBlock, Model, Refined, Start, Trials, encode_rows, points};
use crate::lanes::Lanes;
use crate::placement::{nibble, pack_nibbles};
use crate::row::{Rows, TryEncode};
use crate::tables;

/// The points of the grid: magnitudes over the step.
pub static MAGNITUDES: [[u8; 8]; 1024] = points(&tables::IQ2_S, &EIGHTHS);

impl DecodeLanes for IQ2_S {
    #[inline(always)]
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]) {
        for (block, weights) in blocks.iter().zip(weights.as_chunks_mut::<256>().0) {
            let scale = L::splat_half(block.scale);
            let signs = block.signs.as_chunks::<2>().0.iter();
            for (i, (signs, weights)) in signs.zip(weights.as_chunks_mut::<16>().0).enumerate() {
                let step = scale * L::splat(0.5 + f32::from(nibble(&block.scales, i))) * L::splat(0.25);
                let high = block.grid_indices_high[i / 2] >> (4 * (i % 2));
                let mut magnitudes = [[0; 8]; 2];
                for (group, magnitudes) in magnitudes.iter_mut().enumerate() {
                    let high = usize::from(high >> (2 * group) & 3);
                    *magnitudes = MAGNITUDES[usize::from(block.grid_indices_low[2 * i + group]) | high << 8];
                }
                signed(magnitudes.as_flattened(), step, u16::from_le_bytes(*signs).into(), weights);
            }
        }
    }
}

impl TryEncode for IQ2_S {
    const USES_IMPORTANCE: bool = true;

    fn try_encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
        encode_rows(rows, blocks)
    }
}

impl GridBlock<16, 8> for IQ2_S {
    const MODEL: Model = Model {
        variance: 2.0,
        parity: false,
        negligible: 1e-8,
        start: Start::Largest,
        trials: Trials { count: 9, step: 0.1, refined: Refined::OffGrid },
    };

    fn grid() -> &'static Grid<8> {
        static GRID: LazyLock<Grid<8>> = LazyLock::new(|| Grid::new(&tables::IQ2_S, 1));
        &GRID
    }

    #[inline(always)]
    fn own_importance<L: Lanes>(x: L, variance: L) -> L {
        L::splat(0.25) * variance + x * x
    }

    fn pack(fitted: &Fitted) -> Self {
        let high = |k: usize| fitted.indices[k] >> 8 << (2 * (k % 4));
        Self {
            // The factor is the reference's, for what rounding the scales of sub-blocks adds on average.
            scale: F16::from_f32(fitted.scale * 0.9875),
            grid_indices_low: std::array::from_fn(|k| fitted.indices[k] as u8),
            signs: fitted.signs,
            grid_indices_high: std::array::from_fn(|i| {
                (4 * i..4 * i + 4).fold(0, |byte, k| byte | high(k) as u8)
            }),
            scales: pack_nibbles(&fitted.scale_codes),
        }
    }
}
