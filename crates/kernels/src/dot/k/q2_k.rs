//! Q2_K: a scale and a minimum of 4 bits for each 16 weights.

use briq_codec::Quants;
use briq_format::block::Q2_K;

use super::{LEVELLED, all_planes};
use crate::activations::Tile;
use crate::dot::batch::{Integers, Numbers};
use crate::dot::super_block::{SuperBlock, super_blocks};
use crate::dot::tiles::{Sums, WideSums, wide};
use crate::dot::{add_times, integer_dot, products, trailer};
use crate::simd::{Bits, Simd};

super_blocks!(Q2_K);

impl SuperBlock for Q2_K {
    const TERMS: usize = 2;
    type Sums<S: Simd, const C: usize> = Quarters<S, C>;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let mut sum = 0.0;
        for (weights, tile) in row.iter().zip(column) {
            let (sixteens, quants) = (weights.quants(), tile.quants);
            let sixteens = sixteens.as_chunks::<16>().0.iter().zip(quants.as_chunks::<16>().0);
            let (mut products, mut drop) = (0, 0);
            for (((weights, quants), packed), negative_sum) in
                sixteens.zip(weights.scales_and_minimums).zip(tile.negative_sums_16)
            {
                products += i32::from(packed & 15) * integer_dot(weights, quants);
                drop -= i32::from(packed >> 4) * i32::from(negative_sum);
            }
            let (scale, minimum) = (weights.scale.to_f32(), weights.minimum.to_f32());
            sum += tile.scales[0] * scale * products as f32 - tile.scales[0] * minimum * drop as f32;
        }
        sum
    }

    #[inline(always)]
    fn add<S: Simd, const C: usize>(simd: S, block: &Self, tiles: [&Tile; C], sums: &mut Quarters<S, C>) {
        let packed = simd.byte_words(eights(&block.scales_and_minimums));
        if wide::<S, C>() {
            let (scales, minimums) = (simd.bits::<0, 4, 0>(packed), simd.bits::<4, 4, 0>(packed));
            let (tile, sums) = (tiles[0], &mut sums.0);
            let [_, _, scale, minimum] = &simd.scaled_halves(trailer(block), tile.scales[0]);
            let bits = Bits::Twos(&block.quants);
            simd.add_codes(&mut sums.wide, simd.zero(), bits, Some(scales), &tile.quants, scale);
            let rise = simd.add_scaled(simd.zero(), minimums, simd.load_words(&tile.negative_sums_16));
            let rises = &mut sums.narrow.0[0][1];
            return *rises = add_times(simd, *rises, rise, minimum);
        }
        // Products have four times their value, and so have the minimums.
        let (scales, minimums) = (simd.bits::<0, 4, 0>(packed), simd.bits::<4, 4, 2>(packed));
        let scales = simd.multiply_words(scales, simd.load_words(&LEVELLED));
        let codes = all_planes(simd, &block.quants);
        let products = products(simd, simd.scales_by_16(scales), codes, tiles, [simd.zero(); C]);
        for c in 0..C {
            let tile = tiles[c];
            let rise = simd.add_scaled(simd.zero(), minimums, simd.load_words(&tile.negative_sums_16));
            let [_, _, scale, minimum] = &simd.scaled_halves(trailer(block), tile.scales[0]);
            let sums = &mut sums.0.narrow.0[c];
            sums[0] = add_times(simd, sums[0], products[c], scale);
            sums[1] = add_times(simd, sums[1], rise, minimum);
        }
    }
}

impl Integers for Q2_K {
    const HAS_MINIMUMS: bool = true;

    #[inline(always)]
    fn numbers<S: Simd>(&self, simd: S) -> Numbers<S> {
        let packed = simd.byte_words(eights(&self.scales_and_minimums));
        let (scales, minimums) = (simd.bits::<0, 4, 0>(packed), simd.bits::<4, 4, 0>(packed));
        Numbers {
            codes: all_planes(simd, &self.quants),
            scales: simd.multiply_words(scales, simd.load_words(&LEVELLED)),
            minimums: [simd.and(minimums, simd.splat_int(15)), simd.shift_right_ints::<16>(minimums)],
            // Products have four times their value.
            scale: simd.half(self.scale.to_bits()) * 0.25,
            minimum: simd.half(self.minimum.to_bits()),
        }
    }
}

/// Sums that have four times their value, but for [wide] ones.
#[derive(Clone, Copy)]
pub(crate) struct Quarters<S: Simd, const C: usize>(WideSums<S, C, 2>);

impl<S: Simd, const C: usize> Sums<S, C> for Quarters<S, C> {
    #[inline(always)]
    fn zeros(simd: S) -> Self {
        Self(WideSums::zeros(simd))
    }

    #[inline(always)]
    fn finish(self, simd: S) -> [f32; C] {
        let sums = self.0.finish(simd);
        if wide::<S, C>() { sums } else { sums.map(|sum| 0.25 * sum) }
    }
}

/// The two halves of 16 bytes.
#[inline(always)]
fn eights(bytes: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*bytes);
    [both as u64, (both >> 64) as u64]
}
