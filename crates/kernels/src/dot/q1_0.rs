//! Q1_0: 128 weights that are plus or minus one scale.

use briq_format::TensorType;
use briq_format::block::Q1_0;
use zerocopy::transmute_ref;

use super::tiles::{ByTile, Parts};
use super::{integer_dot, quants};
use crate::activations::Tile;
use crate::simd::Simd;

impl ByTile for Q1_0 {
    const PARTNER: TensorType = TensorType::Q8_0;
    type Blocks = [Self; 2];
    type Beside<S: Simd> = ();
    type Sums<S: Simd, const C: usize> = Parts<S, C, 1>;

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
    fn beside<S: Simd>(_: S, _: &[[Self; 2]]) {}

    #[inline(always)]
    fn add<S: Simd, const C: usize>(
        simd: S,
        (): &mut (),
        row: &[[Self; 2]],
        place: usize,
        tiles: [&Tile; C],
        sums: &mut Parts<S, C, 1>,
    ) {
        let mut scales = [0.0; 2];
        for (part, block) in row[place].iter().enumerate() {
            scales[part] = simd.half(block.scale.to_bits());
            let mut scaled = [simd.zeros(); C];
            let signs: &[[u8; 4]; 4] = transmute_ref!(&block.signs);
            unrolled!(i in 0 1 2 3 => {
                // One for a positive weight, none for a negative one. Twice that, less one, is what is meant.
                let codes = simd.ones_where(u32::from_le_bytes(signs[i]));
                for c in 0..C {
                    let run = 4 * part + i;
                    let quants = quants(simd, tiles[c], run);
                    let products = simd.add_dot(simd.zero(), codes, quants);
                    let scale = simd.splat_float(tiles[c].scales[run]);
                    scaled[c] = simd.multiply_add(simd.to_floats(products), scale, scaled[c]);
                }
            });
            let twice = simd.splat_float(2.0 * scales[part]);
            for c in 0..C {
                sums.0[c][0] = simd.multiply_add(scaled[c], twice, sums.0[c][0]);
            }
        }
        // The ones that are less, for all runs of the tile at once.
        let scales = simd.two_floats(scales);
        for c in 0..C {
            let negative = simd.to_floats(simd.load_ints(&tiles[c].negative_sums));
            let negative = simd.multiply(negative, simd.load_floats(&tiles[c].scales));
            sums.0[c][0] = simd.multiply_add(negative, scales, sums.0[c][0]);
        }
    }
}
