//! Super-blocks: a code times the scale of its sub-block is an integer of two bytes, and all of a super-block's
//! products with activations are summed before a float is touched.

use std::marker::PhantomData;

use super::vectors::{Group, take_quants, take_sums, twice};
use super::{Kind, RowSums, Zero};
use crate::simd::matrices::{Bf16s, Bytes, Floats, Ints, ROWS, Registers, place};
use crate::simd::{Amx, Simd};

/// A super-block as integers.
pub(in crate::dot) struct Numbers<S: Simd> {
    /// Signed bytes, 32 weights each.
    pub(in crate::dot) codes: [S::Ints; 8],
    /// What each 16 codes are multiplied with, as words; the products are words as well.
    pub(in crate::dot) scales: S::Ints,
    /// What the sums of each 16 activations with the sign turned are multiplied with, at most 255: of the even
    /// sixteens, and of the odd ones.
    pub(in crate::dot) minimums: [S::Ints; 2],
    /// What the sum of products is multiplied with, and that of minimums.
    pub(in crate::dot) scale: f32,
    pub(in crate::dot) minimum: f32,
}

/// Super-blocks that are made of integers.
pub(in crate::dot) trait Integers: Sized {
    /// Whether there are minimums.
    const HAS_MINIMUMS: bool;

    fn numbers<S: Simd>(&self, simd: S) -> Numbers<S>;
}

/// A super-block of `B` at a time.
pub(in crate::dot) struct Supers<B>(PhantomData<B>);

/// 256 activations of sixteen vectors.
#[repr(align(64))]
pub(in crate::dot) struct Vectors {
    quants: Bytes,
    sums: Bf16s,
    scales: [[f32; 8]; 2],
}

/// A super-block of each of sixteen rows.
#[repr(align(64))]
pub(in crate::dot) struct Weights {
    low: [[u8; 256]; ROWS],
    high: [[i8; 256]; ROWS],
    minimums: Bf16s,
    scales: [f32; ROWS],
    minimum_scales: [f32; ROWS],
}

/// Products with low and high bytes, and with minimums.
pub(in crate::dot) struct Products {
    halves: [Ints; 2],
    rises: Floats,
}

impl Zero for Vectors {
    const ZERO: Self = Self { quants: Bytes::ZERO, sums: Bf16s::ZERO, scales: [[0.0; 8]; 2] };
}

impl Zero for Weights {
    const ZERO: Self = Self {
        low: [[0; 256]; ROWS],
        high: [[0; 256]; ROWS],
        minimums: Bf16s::ZERO,
        scales: [0.0; ROWS],
        minimum_scales: [0.0; ROWS],
    };
}

impl Zero for Products {
    const ZERO: Self = Self { halves: [Ints::ZERO; 2], rises: Floats::ZERO };
}

impl<B: Integers> Kind for Supers<B> {
    type Block = B;
    type Shared<S: Simd> = ();
    type Vectors = Vectors;
    type Weights = Weights;
    type Products = Products;
    const BLOCKS: usize = 1;

    type Registers = Registers<64>;

    #[inline(always)]
    fn registers(amx: Amx) -> Self::Registers {
        amx.registers()
    }

    #[inline(always)]
    fn shared<S: Simd>(_: S) {}

    #[inline(always)]
    fn take_vectors<S: Simd>(simd: S, tiles: &Group<'_>, vectors: &mut Vectors) {
        take_quants(simd, tiles, place, &mut vectors.quants);
        if B::HAS_MINIMUMS {
            take_sums(simd, tiles, &mut vectors.sums);
        }
        for (vector, tile) in tiles.iter().enumerate() {
            vectors.scales[vector / 8][vector % 8] = tile.scales[0];
        }
    }

    #[inline(always)]
    fn take_blocks<S: Simd>(simd: S, amx: Amx, (): (), blocks: &[B], row: usize, weights: &mut Weights) {
        let numbers = blocks[0].numbers(simd);
        let (mut codes, mut scales) = ([[0; 32]; 8], [0; 16]);
        for run in 0..8 {
            simd.store_signed(numbers.codes[run], &mut codes[run]);
        }
        simd.store_words(numbers.scales, &mut scales);
        amx.spread(&codes, &scales, &mut weights.low[row], &mut weights.high[row]);
        weights.scales[row] = numbers.scale;
        if B::HAS_MINIMUMS {
            simd.store_ints(twice(simd, numbers.minimums[0]), &mut weights.minimums.0[row][0]);
            simd.store_ints(twice(simd, numbers.minimums[1]), &mut weights.minimums.0[row][1]);
            weights.minimum_scales[row] = numbers.minimum;
        }
    }

    #[inline(always)]
    fn multiply(
        registers: &Self::Registers,
        weights: &Weights,
        vectors: [&Vectors; 2],
        [first, second]: &mut [Products; 2],
    ) {
        let quants = vectors.map(|group| &group.quants);
        registers.of_low_and_high(
            &weights.low,
            &weights.high,
            quants,
            [&mut first.halves, &mut second.halves],
        );
        if B::HAS_MINIMUMS {
            let sums = vectors.map(|group| &group.sums);
            registers.of_bf16(&weights.minimums, sums, [&mut first.rises, &mut second.rises]);
        }
    }

    #[inline(always)]
    fn add(
        amx: Amx,
        products: &Products,
        weights: &Weights,
        vectors: &Vectors,
        sums: &mut [RowSums],
        group: usize,
    ) {
        let [low, high] = &products.halves;
        for (r, sums) in sums.iter_mut().take(ROWS).enumerate() {
            let (sums, halves) = (&mut sums[group], [&low.0[r], &high.0[r]]);
            amx.add_low_and_high(sums, halves, &vectors.scales, weights.scales[r]);
            if B::HAS_MINIMUMS {
                amx.add_floats(sums, &products.rises.0[r], &vectors.scales, weights.minimum_scales[r]);
            }
        }
    }
}
