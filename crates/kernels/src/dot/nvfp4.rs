//! NVFP4: 64 weights, 4-bit floats; a scale per 16 that is an 8-bit float.

use briq_codec::Quants;
use briq_codec::points::{FP4_DOUBLED, nvfp4_half_scale};
use briq_format::TensorType;
use briq_format::block::NVFP4;

use super::tiles::{ByTile, Parts};
use super::{integer_dot, quants};
use crate::activations::Tile;
use crate::simd::Simd;

impl ByTile for NVFP4 {
    const PARTNER: TensorType = TensorType::Q8_0;
    const TERMS: usize = 4;
    type Blocks = [Self; 4];
    type Beside<S: Simd> = S::Ints;
    type Sums<S: Simd, const C: usize> = Parts<S, C, 2>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let sixteens = column.iter().flat_map(|tile| {
            let quants = tile.quants.as_chunks::<16>().0.iter();
            quants.zip(tile.scales.iter().flat_map(|scale| [scale; 2]))
        });
        let weights = row.iter().flat_map(|block| {
            let levels = block.quants();
            let scales = block.scales.map(nvfp4_half_scale);
            (0..4).map(move |i| (scales[i], levels.as_chunks::<16>().0[i]))
        });
        let terms = weights.zip(sixteens).map(|((scale, levels), (quants, activation_scale))| {
            activation_scale * scale * integer_dot(&levels, quants) as f32
        });
        terms.fold(0.0, |sum, term| sum + term)
    }

    #[inline(always)]
    fn beside<S: Simd>(simd: S, _: &[[Self; 4]]) -> S::Ints {
        simd.table(&FP4_DOUBLED)
    }

    #[inline(always)]
    fn add<S: Simd, const C: usize>(
        simd: S,
        table: &mut S::Ints,
        row: &[[Self; 4]],
        place: usize,
        tiles: [&Tile; C],
        sums: &mut Parts<S, C, 2>,
    ) {
        for (part, block) in row[place].iter().enumerate() {
            for (half, bytes) in block.quants.as_chunks::<16>().0.iter().enumerate() {
                let levels = simd.look_up(*table, simd.load_nibbles_by_eight(bytes));
                let scales = [
                    SCALES[usize::from(block.scales[2 * half])],
                    SCALES[usize::from(block.scales[2 * half + 1])],
                ];
                let scales = simd.two_floats(scales);
                for c in 0..C {
                    let (tile, run) = (tiles[c], 2 * part + half);
                    let pairs = simd.signed_products(levels, quants(simd, tile, run));
                    let products = simd.add_scaled(simd.zero(), pairs, simd.splat_word(1));
                    let scales = simd.multiply(scales, simd.splat_float(tile.scales[run]));
                    sums.0[c][half] = simd.multiply_add(simd.to_floats(products), scales, sums.0[c][half]);
                }
            }
        }
    }
}

/// Half the scale of every code.
static SCALES: [f32; 256] = {
    let mut scales = [0.0; 256];
    let mut code = 0;
    while code < 256 {
        scales[code] = nvfp4_half_scale(code as u8);
        code += 1;
    }
    scales
};
