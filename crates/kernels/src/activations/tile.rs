//! 256 activations as kernels read them: what a block holds, unpacked, and what follows from it.

use briq_format::block::{Block, Q8_0, Q8_1, Q8_K};
use briq_format::scalar::F16;

use crate::simd::{Cpu, Simd, Work, run};

/// 256 quantized activations; at the end of a row fewer, and then zeros.
///
/// ```text
/// 0        256      288           320             352                384           640                768
/// | quants | scales | stated_sums | negative_sums | negative_sums_16 | wide_quants | wide_zero_points |
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(crate) struct Tile {
    /// The activations over their scale.
    pub(crate) quants: [i8; 256],
    /// Activation per step, of each 32. Q8_K has one for all.
    pub(crate) scales: [f32; 8],
    /// What Q8_1 states as the sum of each 32 activations.
    pub(crate) stated_sums: [f32; 8],
    /// The sum of each 32 quants with the sign turned: the start of a sum over codes that are not centred.
    pub(crate) negative_sums: [i32; 8],
    /// The same of each 16.
    pub(crate) negative_sums_16: [i16; 16],
    /// The quants of Q8_0 once more, as registers of 64 bytes take them: [`by_halves`]. A kernel reads either these or
    /// the others.
    pub(crate) wide_quants: [i8; 256],
    /// What a zero point of 8 takes off each sum of products that there are in such registers: of eight quants of Q8_0,
    /// four in either half of a run of 32.
    pub(crate) wide_zero_points: [[i32; 16]; 2],
}
const _: () = assert!(size_of::<Tile>() == 768);

impl Tile {
    pub(crate) const ZERO: Self = Self {
        quants: [0; 256],
        scales: [0.0; 8],
        stated_sums: [0.0; 8],
        negative_sums: [0; 8],
        negative_sums_16: [0; 16],
        wide_quants: [0; 256],
        wide_zero_points: [[0; 16]; 2],
    };

    /// The quants of each 32.
    #[inline(always)]
    pub(crate) fn quants_32(&self) -> &[[i8; 32]; 8] {
        // Eight chunks, for which there is no other conversion: the fallback is never taken.
        self.quants.as_chunks::<32>().0.first_chunk().unwrap_or(&[[0; 32]; 8])
    }

    /// Sums the quants anew. Sums that a block states may be others.
    fn sum_up(&mut self) {
        let sixteens = self.quants.as_chunks::<16>().0;
        for (sum, quants) in self.negative_sums_16.iter_mut().zip(sixteens) {
            *sum = -quants.iter().map(|&quant| i16::from(quant)).sum::<i16>();
        }
        for (sum, [a, b]) in self.negative_sums.iter_mut().zip(self.negative_sums_16.as_chunks().0) {
            *sum = i32::from(*a) + i32::from(*b);
        }
    }

    /// As [`sum_up`](Self::sum_up).
    #[inline(always)]
    fn sum_up_with<S: Simd>(&mut self, simd: S) {
        let (mut fours, mut first_fours) = ([simd.zero(); 8], [simd.zero(); 8]);
        for run in 0..8 {
            let quants = simd.load_signed(&self.quants_32()[run]);
            fours[run] = simd.add_dot(simd.zero(), simd.splat(1), quants);
            first_fours[run] = simd.halves(fours[run], simd.zero());
        }
        let negative = simd.subtract(simd.zero(), simd.sum_eight(fours));
        let first = simd.subtract(simd.zero(), simd.sum_eight(first_fours));
        let last = simd.subtract(negative, first);
        simd.store_ints(negative, &mut self.negative_sums);
        simd.store_words(simd.alternate_words(first, last), &mut self.negative_sums_16);
    }

    /// Whether a quant is -128.
    #[inline(always)]
    fn has_lowest(&self) -> bool {
        // Without a way out in the middle this is a few comparisons of vectors.
        let mut lowest = false;
        for quant in self.quants {
            lowest |= quant == i8::MIN;
        }
        lowest
    }

    /// Two tiles without a quant of -128 that add up to this one: such quants are -127 and -1 there. They are two
    /// columns, for which no kernel uses registers of 64 bytes.
    pub(super) fn apart(&self) -> [Self; 2] {
        let (mut most, mut rest) = (*self, Self { scales: self.scales, ..Self::ZERO });
        for (most, rest) in most.quants.iter_mut().zip(&mut rest.quants) {
            if *most == i8::MIN {
                (*most, *rest) = (-127, -1);
            }
        }
        for tile in [&mut most, &mut rest] {
            tile.sum_up();
        }
        [most, rest]
    }
}

/// Puts the first halves of four runs of 32 before their last halves, of either half of a tile.
#[inline(always)]
fn by_halves(quants: &[i8; 256]) -> [i8; 256] {
    let mut by_halves = [0; 256];
    for (i, half) in quants.as_chunks::<16>().0.iter().enumerate() {
        by_halves.as_chunks_mut::<16>().0[i / 8 * 8 + i % 2 * 4 + i / 2 % 4] = *half;
    }
    by_halves
}

/// See [`Tile::wide_zero_points`]: that of Q4_0, whose codes are the weights plus 8; those of other types are more.
#[inline(always)]
fn wide_zero_points(quants: &[i8; 256]) -> [[i32; 16]; 2] {
    let mut zero_points = [[0; 16]; 2];
    for (i, fours) in quants.as_chunks::<4>().0.iter().enumerate() {
        let sum: i32 = fours.iter().map(|&quant| i32::from(quant)).sum();
        zero_points[i / 32][i / 8 % 4 * 4 + i % 4] -= 8 * sum;
    }
    zero_points
}

/// Fills tiles from blocks, each from as many as fit it; whether a quant is -128.
pub(super) fn fill<B: Tiled>(blocks: &[B], tiles: &mut [Tile]) -> bool {
    run(Cpu::best(), Fill { blocks, tiles })
}

struct Fill<'a, B> {
    blocks: &'a [B],
    tiles: &'a mut [Tile],
}

impl<B: Tiled> Work for Fill<'_, B> {
    type Output = bool;

    fn scalar(self) -> bool {
        let mut lowest = false;
        for (tile, blocks) in self.tiles.iter_mut().zip(self.blocks.chunks(256 / B::ELEMENTS)) {
            *tile = Tile::ZERO;
            if let Some([scales, sums]) = B::fill(blocks, tile) {
                tile.scales = scales.map(|bits| F16::from_bits(bits).to_f32());
                tile.stated_sums = sums.map(|bits| F16::from_bits(bits).to_f32());
            }
            tile.sum_up();
            B::arrange(tile);
            lowest |= tile.has_lowest();
        }
        lowest
    }

    #[inline(always)]
    fn vector<S: Simd>(self, simd: S) -> bool {
        let mut lowest = false;
        for (tile, blocks) in self.tiles.iter_mut().zip(self.blocks.chunks(256 / B::ELEMENTS)) {
            *tile = Tile::ZERO;
            if let Some([scales, sums]) = B::fill(blocks, tile) {
                simd.store_floats(simd.load_f16(&scales), &mut tile.scales);
                simd.store_floats(simd.load_f16(&sums), &mut tile.stated_sums);
            }
            tile.sum_up_with(simd);
            B::arrange(tile);
            lowest |= tile.has_lowest();
        }
        lowest
    }
}

/// A block of activations that a tile holds one of, or several.
pub(crate) trait Tiled: Block {
    /// Writes the quants of at most as many blocks as fit a tile of zeros. The scales and the sums that they state are
    /// given back as the bits of half-precision numbers, or written where they are no such numbers.
    fn fill(blocks: &[Self], tile: &mut Tile) -> Option<[[u16; 8]; 2]>;

    /// Writes what of the quants registers of 64 bytes take, in the types whose kernels use them.
    #[inline(always)]
    fn arrange(_: &mut Tile) {}
}

impl Tiled for Q8_0 {
    #[inline(always)]
    fn fill(blocks: &[Self], tile: &mut Tile) -> Option<[[u16; 8]; 2]> {
        let mut scales = [0; 8];
        for (i, (block, quants)) in blocks.iter().zip(tile.quants.as_chunks_mut::<32>().0).enumerate() {
            *quants = block.quants;
            scales[i] = block.scale.to_bits();
        }
        Some([scales, [0; 8]])
    }

    #[inline(always)]
    fn arrange(tile: &mut Tile) {
        tile.wide_quants = by_halves(&tile.quants);
        tile.wide_zero_points = wide_zero_points(&tile.quants);
    }
}

impl Tiled for Q8_1 {
    #[inline(always)]
    fn fill(blocks: &[Self], tile: &mut Tile) -> Option<[[u16; 8]; 2]> {
        let (mut scales, mut sums) = ([0; 8], [0; 8]);
        for (i, (block, quants)) in blocks.iter().zip(tile.quants.as_chunks_mut::<32>().0).enumerate() {
            *quants = block.quants;
            (scales[i], sums[i]) = (block.scale.to_bits(), block.scaled_sum.to_bits());
        }
        Some([scales, sums])
    }
}

impl Tiled for Q8_K {
    #[inline(always)]
    fn fill(blocks: &[Self], tile: &mut Tile) -> Option<[[u16; 8]; 2]> {
        if let Some(block) = blocks.first() {
            tile.quants = block.quants;
            tile.scales = [block.scale.get(); 8];
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use briq_codec::Isa;
    use briq_format::TensorType;
    use proptest::prelude::*;
    use zerocopy::FromBytes;

    use super::*;
    use crate::Activations;

    fn check<B: Tiled>(bytes: &[u8]) {
        let blocks = <[B]>::ref_from_prefix_with_elems(bytes, bytes.len() / size_of::<B>()).unwrap().0;
        let tiles = |isa| {
            let mut tiles = vec![Tile::ZERO; (blocks.len() * B::ELEMENTS).div_ceil(256)];
            let lowest = run(Cpu::new(isa), Fill { blocks, tiles: &mut tiles });
            (lowest, tiles)
        };
        let (lowest, expected) = tiles("scalar".parse().unwrap());
        for isa in Isa::available() {
            let (found_lowest, found) = tiles(isa);
            assert_eq!(found_lowest, lowest, "{isa}");
            for (found, expected) in found.iter().zip(&expected) {
                // Floats of arbitrary bytes may be NaN.
                let bits =
                    |tile: &Tile| [tile.scales, tile.stated_sums].map(|floats| floats.map(f32::to_bits));
                assert_eq!(bits(found), bits(expected), "{isa}");
                assert_eq!(
                    (found.quants, found.negative_sums),
                    (expected.quants, expected.negative_sums),
                    "{isa}"
                );
                assert_eq!(
                    (found.negative_sums_16, found.wide_quants, found.wide_zero_points),
                    (expected.negative_sums_16, expected.wide_quants, expected.wide_zero_points),
                    "{isa}"
                );
            }
        }
        for (place, tile) in expected.iter().enumerate() {
            for run in 0..8 {
                let sum = |quants: &[i8]| quants.iter().map(|&quant| i32::from(quant)).sum::<i32>();
                let quants = &tile.quants_32()[run];
                assert_eq!(tile.negative_sums[run], -sum(quants), "tile {place}");
                if B::TYPE == TensorType::Q8_0 {
                    let (sixteens, place) = (tile.wide_quants.as_chunks::<16>().0, run / 4 * 8 + run % 4);
                    assert_eq!([sixteens[place], sixteens[place + 4]].as_flattened(), quants);
                    for i in 0..4 {
                        let eight =
                            [sixteens[place], sixteens[place + 4]].map(|half| half.as_chunks::<4>().0[i]);
                        let zero_point = tile.wide_zero_points.as_flattened()[4 * run + i];
                        assert_eq!(zero_point, -8 * sum(eight.as_flattened()));
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_tile_is_the_same_with_every_instruction_set(bytes in proptest::collection::vec(any::<u8>(), 34..900)) {
            check::<Q8_0>(&bytes);
            check::<Q8_1>(&bytes);
            check::<Q8_K>(&bytes);
        }

        #[test]
        fn no_finite_activation_becomes_the_lowest_byte(
            bits in proptest::collection::vec(any::<u32>(), 256),
            exponent in 0_u32..255,
        ) {
            for near in [false, true] {
                let finite = |&bits: &u32| {
                    let exponent = if near { exponent } else { (bits >> 8) % 255 };
                    f32::from_bits(bits & 0x807F_FFFF | exponent << 23)
                };
                let row: Vec<f32> = bits.iter().map(finite).collect();
                for ty in [TensorType::Q8_0, TensorType::Q8_1, TensorType::Q8_K] {
                    prop_assert!(Activations::encode(ty, &row).unwrap().apart().is_none(), "{}", ty);
                }
            }
        }

        #[test]
        fn parts_add_up_to_the_whole_without_its_lowest_bytes(quants in proptest::collection::vec(any::<i8>(), 256)) {
            let mut whole = Tile::ZERO;
            whole.quants.copy_from_slice(&quants);
            let [most, rest] = whole.apart();
            for (i, quant) in whole.quants.into_iter().enumerate() {
                prop_assert_eq!(i16::from(most.quants[i]) + i16::from(rest.quants[i]), i16::from(quant));
                prop_assert!(most.quants[i] > i8::MIN && rest.quants[i] > i8::MIN);
            }
        }
    }
}
