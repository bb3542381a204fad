//! 256 activations as kernels read them: what a block holds, unpacked, and what follows from it.

use briq_format::block::{Q8_0, Q8_1, Q8_K};

/// 256 quantized activations; at the end of a row fewer, and then zeros.
///
/// ```text
/// 0        256      288             320                    352              384
/// | quants | scales | stated_sums | negative_sums | negative_sums_16 |
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
}
const _: () = assert!(size_of::<Tile>() == 384);

impl Tile {
    pub(crate) const ZERO: Self = Self {
        quants: [0; 256],
        scales: [0.0; 8],
        stated_sums: [0.0; 8],
        negative_sums: [0; 8],
        negative_sums_16: [0; 16],
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
}

/// A block of activations that a tile holds one of, or several.
pub(crate) trait Tiled: Copy {
    /// Writes at most as many blocks as fit a tile, after which it is complete.
    fn fill(blocks: &[Self], tile: &mut Tile);
}

impl Tiled for Q8_0 {
    fn fill(blocks: &[Self], tile: &mut Tile) {
        *tile = Tile::ZERO;
        for (i, (block, quants)) in blocks.iter().zip(tile.quants.as_chunks_mut::<32>().0).enumerate() {
            *quants = block.quants;
            tile.scales[i] = block.scale.to_f32();
        }
        tile.sum_up();
    }
}

impl Tiled for Q8_1 {
    fn fill(blocks: &[Self], tile: &mut Tile) {
        *tile = Tile::ZERO;
        for (i, (block, quants)) in blocks.iter().zip(tile.quants.as_chunks_mut::<32>().0).enumerate() {
            *quants = block.quants;
            tile.scales[i] = block.scale.to_f32();
            tile.stated_sums[i] = block.scaled_sum.to_f32();
        }
        tile.sum_up();
    }
}

impl Tiled for Q8_K {
    fn fill(blocks: &[Self], tile: &mut Tile) {
        *tile = Tile::ZERO;
        if let Some(block) = blocks.first() {
            tile.quants = block.quants;
            tile.scales = [block.scale.get(); 8];
        }
        tile.sum_up();
    }
}
