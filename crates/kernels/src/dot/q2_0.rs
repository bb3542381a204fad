//! Q2_0: 64 weights of 2 bits, neighbours in the same byte, and one scale.

use briq_codec::Quants;
use briq_format::TensorType;
use briq_format::block::Q2_0;

use super::tiles::{ByTile, Parts};
use super::{integer_dot, quants};
use crate::activations::Tile;
use crate::simd::Simd;

impl ByTile for Q2_0 {
    const PARTNER: TensorType = TensorType::Q8_0;
    const TERMS: usize = 2;
    type Blocks = [Self; 4];
    type Beside<S: Simd> = ();
    type Sums<S: Simd, const C: usize> = Parts<S, C, 2>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let mut each_32 = column.iter().flat_map(|tile| tile.quants_32().iter().zip(&tile.scales));
        let mut sum = 0.0;
        for block in row {
            let mut scaled = 0.0;
            for (weights, (quants, scale)) in block.quants().as_chunks::<32>().0.iter().zip(&mut each_32) {
                scaled += scale * integer_dot(weights, quants) as f32;
            }
            sum += block.scale.to_f32() * scaled;
        }
        sum
    }

    #[inline(always)]
    fn beside<S: Simd>(_: S, _: &[[Self; 4]]) {}

    #[inline(always)]
    fn add<S: Simd, const C: usize>(
        simd: S,
        (): &mut (),
        row: &[[Self; 4]],
        place: usize,
        tiles: [&Tile; C],
        sums: &mut Parts<S, C, 2>,
    ) {
        let low = simd.splat(3);
        for (part, block) in row[place].iter().enumerate() {
            let scale = simd.half(block.scale.to_bits());
            for (half, bytes) in block.quants.as_chunks::<8>().0.iter().enumerate() {
                // The byte of each int goes to where its second pair is the low end of the second byte, and so on; in
                // between are bits that do not count.
                let bytes = simd.ints(*bytes);
                let two = simd.or(bytes, simd.shift_left_ints::<12>(bytes));
                let codes = simd.and(simd.or(two, simd.shift_left_ints::<6>(two)), low);
                for c in 0..C {
                    let (tile, run) = (tiles[c], 2 * part + half);
                    let quants = quants(simd, tile, run);
                    // A code is the weight plus 1.
                    let products = simd.add_dot(simd.first(tile.negative_sums[run]), codes, quants);
                    let scale = simd.splat_float(scale * tile.scales[run]);
                    sums.0[c][half] = simd.multiply_add(simd.to_floats(products), scale, sums.0[c][half]);
                }
            }
        }
    }
}
