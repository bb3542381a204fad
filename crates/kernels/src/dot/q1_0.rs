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
    const TERMS: usize = 4;
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
        let blocks = &row[place];
        let signs: [&[[u8; 4]; 4]; 2] = [transmute_ref!(&blocks[0].signs), transmute_ref!(&blocks[1].signs)];
        let scales =
            simd.two_floats([simd.half(blocks[0].scale.to_bits()), simd.half(blocks[1].scale.to_bits())]);
        let mut products = [[simd.zero(); 8]; C];
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            // One for a positive weight, none for a negative one. Twice that, less one, is what is meant.
            let codes = simd.ones_where(u32::from_le_bytes(signs[run / 4][run % 4]));
            for c in 0..C {
                products[c][run] = simd.add_dot(simd.zero(), codes, quants(simd, tiles[c], run));
            }
        });
        for c in 0..C {
            let products = simd.shift_left_ints::<1>(simd.sum_eight(products[c]));
            let products = simd.add(products, simd.load_ints(&tiles[c].negative_sums));
            let scales = simd.multiply(scales, simd.load_floats(&tiles[c].scales));
            sums.0[c][0] = simd.multiply_add(simd.to_floats(products), scales, sums.0[c][0]);
        }
    }
}
