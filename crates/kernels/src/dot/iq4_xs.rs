//! IQ4_XS: levels from a table, and a scale for each 32 weights of a super-block.

use briq_codec::Quants;
use briq_codec::points::IQ4_LEVELS;
use briq_format::TensorType;
use briq_format::block::IQ4_XS;

use super::batch::{Integers, Numbers};
use super::tiles::{ByTile, Parts, batched};
use super::{add_times, header, integer_dot, quants};
use crate::activations::Tile;
use crate::simd::Simd;

/// The eight scales of IQ4_XS, 32 added.
#[inline(always)]
fn iq4_xs_codes(block: &IQ4_XS) -> [u8; 8] {
    // Fields are moved apart by halves: to every second byte pair, byte, nibble, where each then has a byte.
    let spread = |bits: u64, width: u32| {
        let wide = (bits | bits << (32 - 4 * width)) & (!(u64::MAX << (4 * width)) * 0x0000_0001_0000_0001);
        let mid = (wide | wide << (16 - 2 * width)) & (!(u64::MAX << (2 * width)) * 0x0001_0001_0001_0001);
        (mid | mid << (8 - width)) & (!(u64::MAX << width) * 0x0101_0101_0101_0101)
    };
    let low = spread(u32::from_le_bytes(block.scales_low).into(), 4);
    let high = spread(block.scales_high.get().into(), 2);
    (low | high << 4).to_le_bytes()
}

impl ByTile for IQ4_XS {
    const PARTNER: TensorType = TensorType::Q8_K;
    const TERMS: usize = 8;
    type Blocks = [Self; 1];
    type Beside<S: Simd> = S::Ints;
    type Sums<S: Simd, const C: usize> = Parts<S, C, 1>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let mut sum = 0.0;
        for (weights, tile) in row.iter().zip(column) {
            let scale = weights.scale.to_f32() * tile.scales[0];
            let levels = weights.quants();
            let quants = tile.quants;
            let groups = levels.as_chunks::<32>().0.iter().zip(quants.as_chunks::<32>().0);
            for ((levels, quants), code) in groups.zip(iq4_xs_codes(weights)) {
                sum += scale * (f32::from(code) - 32.0) * integer_dot(levels, quants) as f32;
            }
        }
        sum
    }

    batched!(Supers);

    #[inline(always)]
    fn beside<S: Simd>(simd: S, _: &[[Self; 1]]) -> S::Ints {
        simd.bias(simd.table(&IQ4_LEVELS))
    }

    #[inline(always)]
    fn add<S: Simd, const C: usize>(
        simd: S,
        table: &mut S::Ints,
        row: &[[Self; 1]],
        place: usize,
        tiles: [&Tile; C],
        sums: &mut Parts<S, C, 1>,
    ) {
        let [block] = &row[place];
        let scales = simd.subtract(simd.ints(iq4_xs_codes(block)), simd.splat_int(32));
        let bytes = block.quants.as_chunks::<16>().0;
        let mut levels = [simd.zero(); 8];
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            levels[run] = simd.look_up(*table, simd.load_nibbles(&bytes[run]));
        });
        for c in 0..C {
            let mut products = [simd.zero(); 8];
            unrolled!(run in 0 1 2 3 4 5 6 7 => {
                products[run] = simd.add_biased_dot(simd.zero(), levels[run], quants(simd, tiles[c], run));
            });
            let negative_sums = simd.load_ints(&tiles[c].negative_sums);
            let products = simd.unbias(simd.sum_eight(products), negative_sums);
            let products = simd.multiply_ints(products, scales);
            let [scale, ..] = &simd.scaled_halves(header(block), tiles[c].scales[0]);
            sums.0[c][0] = add_times(simd, sums.0[c][0], products, scale);
        }
    }
}

impl Integers for IQ4_XS {
    const HAS_MINIMUMS: bool = false;

    #[inline(always)]
    fn numbers<S: Simd>(&self, simd: S) -> Numbers<S> {
        let table = simd.table(&IQ4_LEVELS);
        let bytes = self.quants.as_chunks::<16>().0;
        let mut codes = [simd.zero(); 8];
        unrolled!(run in 0 1 2 3 4 5 6 7 => {
            codes[run] = simd.look_up(table, simd.load_nibbles(&bytes[run]));
        });
        let scales = simd.subtract(simd.ints(iq4_xs_codes(self)), simd.splat_int(32));
        Numbers {
            codes,
            scales: simd.alternate_words(scales, scales),
            minimums: [simd.zero(); 2],
            scale: simd.half(self.scale.to_bits()),
            minimum: 0.0,
        }
    }
}
