//! Types of 32 weights per block: a sum of products for each block, which its scale is multiplied with.

use std::marker::PhantomData;

use super::vectors::{Group, take_floats, take_quants};
use super::{Kind, RowSums, Zero};
use crate::dot::eight::{Eighth, take_apart};
use crate::simd::matrices::{Bytes, Ints, ROWS, Registers};
use crate::simd::{Amx, Simd};

/// Eight blocks of `B` at a time, whose codes are taken for bytes without a sign: see
/// [`Cpu::matrices`](crate::simd::Cpu::matrices).
pub(in crate::dot) struct Runs<B>(PhantomData<B>);

/// 256 activations of sixteen vectors.
#[repr(align(64))]
pub(in crate::dot) struct Vectors {
    quants: Bytes,
    /// Of each 32 activations the scales, what the zero point of the weights adds, and the sums that are stated.
    scales: [[[f32; 8]; 2]; 8],
    zero_points: [[i32; 16]; 8],
    stated_sums: [[[f32; 8]; 2]; 8],
}

/// Eight blocks of each of sixteen rows.
#[repr(align(64))]
pub(in crate::dot) struct Weights {
    codes: [[u8; 256]; ROWS],
    scales: [[f32; 8]; ROWS],
    minimums: [[f32; 8]; ROWS],
}

/// The products of each 32.
pub(in crate::dot) type Products = [Ints; 8];

impl Zero for Vectors {
    const ZERO: Self = Self {
        quants: Bytes::ZERO,
        scales: [[[0.0; 8]; 2]; 8],
        zero_points: [[0; 16]; 8],
        stated_sums: [[[0.0; 8]; 2]; 8],
    };
}

impl Zero for Weights {
    const ZERO: Self = Self { codes: [[0; 256]; ROWS], scales: [[0.0; 8]; ROWS], minimums: [[0.0; 8]; ROWS] };
}

impl Zero for Products {
    const ZERO: Self = [Ints::ZERO; 8];
}

impl<B: Eighth> Kind for Runs<B> {
    type Block = B;
    type Shared<S: Simd> = <B as Eighth>::Shared<S>;
    type Vectors = Vectors;
    type Weights = Weights;
    type Products = Products;
    const BLOCKS: usize = 8;

    type Registers = Registers<32>;

    #[inline(always)]
    fn registers(amx: Amx) -> Self::Registers {
        amx.registers()
    }

    #[inline(always)]
    fn shared<S: Simd>(simd: S) -> Self::Shared<S> {
        <B as Eighth>::shared(simd)
    }

    #[inline(always)]
    fn take_vectors<S: Simd>(simd: S, tiles: &Group<'_>, vectors: &mut Vectors) {
        let place = |run, four| 8 * run + four;
        take_quants(simd, tiles, place, &mut vectors.quants);
        take_floats(simd, tiles, |tile| &tile.scales, &mut vectors.scales);
        if B::HAS_MINIMUM {
            take_floats(simd, tiles, |tile| &tile.stated_sums, &mut vectors.stated_sums);
        }
        for side in 0..2 {
            let mut lanes = [simd.zero(); 8];
            for lane in 0..8 {
                lanes[lane] = simd.load_ints(&tiles[8 * side + lane].negative_sums);
            }
            let negative_sums = simd.transpose(lanes);
            for k in 0..8 {
                let zero_point = B::zero_point(simd, simd.zero(), negative_sums[k]);
                simd.store_ints(zero_point, &mut vectors.zero_points[k].as_chunks_mut::<8>().0[side]);
            }
        }
    }

    #[inline(always)]
    fn take_blocks<S: Simd>(
        simd: S,
        _: Amx,
        shared: Self::Shared<S>,
        blocks: &[B],
        row: usize,
        weights: &mut Weights,
    ) {
        let codes = weights.codes[row].as_chunks_mut().0;
        take_apart(simd, shared, blocks, codes, [&mut weights.scales[row], &mut weights.minimums[row]]);
    }

    #[inline(always)]
    fn multiply(
        registers: &Self::Registers,
        weights: &Weights,
        vectors: [&Vectors; 2],
        products: &mut [Products; 2],
    ) {
        let (quants, starts) = (vectors.map(|group| &group.quants), vectors.map(|group| &group.zero_points));
        registers.of_runs(&weights.codes, quants, starts, products);
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
        for (r, sums) in sums.iter_mut().take(ROWS).enumerate() {
            amx.add_runs(&mut sums[group], products, r, &vectors.scales, &weights.scales[r]);
            if B::HAS_MINIMUM {
                amx.add_minimums(&mut sums[group], &vectors.stated_sums, &weights.minimums[r]);
            }
        }
    }
}
