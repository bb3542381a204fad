//! Q1_0: 128 weights that are plus or minus one scale.

use briq_format::TensorType;
use briq_format::block::Q1_0;

use super::{Dot, integer_dot};
use crate::activations::Tile;
use crate::simd::Simd;

impl Dot for Q1_0 {
    const PARTNER: TensorType = TensorType::Q8_0;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let mut each_32 = column.iter().flat_map(|tile| tile.quants_32().iter().zip(&tile.scales));
        let mut sum = 0.0;
        for block in row {
            let mut scaled = 0.0;
            for (signs, (quants, scale)) in block.signs.as_chunks::<4>().0.iter().zip(&mut each_32) {
                let signs = u32::from_le_bytes(*signs);
                let weights = std::array::from_fn(|i| if signs >> i & 1 == 1 { 1 } else { -1 });
                scaled += scale * integer_dot(&weights, quants) as f32;
            }
            sum += block.scale.to_f32() * scaled;
        }
        sum
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let mut sums = [simd.zeros(); C];
        for (place, block) in row.iter().enumerate() {
            let (tile, part) = (place / 2, place % 2);
            let scale = simd.splat_float(simd.half(block.scale.to_bits()));
            let mut scaled = [simd.zeros(); C];
            for (i, signs) in block.signs.as_chunks::<4>().0.iter().enumerate() {
                // Two for a positive weight, none for a negative one; less one they are what is meant.
                let codes = simd.bytes_where(u32::from_le_bytes(*signs), 2);
                for c in 0..C {
                    let (tile, run) = (&columns[c][tile], 4 * part + i);
                    let quants = simd.load_signed(&tile.quants_32()[run]);
                    let products = simd.add_dot(simd.first(tile.negative_sums[run]), codes, quants);
                    let scale = simd.splat_float(tile.scales[run]);
                    scaled[c] = simd.multiply_add(simd.to_floats(products), scale, scaled[c]);
                }
            }
            for c in 0..C {
                sums[c] = simd.multiply_add(scaled[c], scale, sums[c]);
            }
        }
        super::sums(simd, sums)
    }
}
