//! Super-blocks: types whose block is a tile of its own.

use briq_format::block::Block;

use super::tiles::Sums;
use crate::activations::Tile;
use crate::simd::Simd;

/// A super-block that is multiplied with a tile of Q8_K and needs nothing beside it.
pub(crate) trait SuperBlock: Block + Sync {
    /// See [`ByTile::TERMS`](super::tiles::ByTile::TERMS).
    const TERMS: usize;

    /// See [`ByTile::Sums`](super::tiles::ByTile::Sums).
    type Sums<S: Simd, const C: usize>: Sums<S, C>;

    /// See [`Dot::scalar`](super::Dot::scalar).
    fn scalar(row: &[Self], column: &[Tile]) -> f32;

    /// Adds the products of the block with a tile of each column. No quant of these is -128.
    fn add<S: Simd, const C: usize>(simd: S, block: &Self, tiles: [&Tile; C], sums: &mut Self::Sums<S, C>);
}

/// How super-blocks are multiplied: as their [`SuperBlock`] says; or, with `ahead`, by the `scalar` and `add` of their
/// module, with what its `ahead` finds of the next, and taken apart by its `numbers`.
macro_rules! super_blocks {
    (ahead $($name:ident)*) => {
        $(impl $crate::dot::tiles::ByTile for $name {
            const PARTNER: briq_format::TensorType = briq_format::TensorType::Q8_K;
            const TERMS: usize = if HAS_MINIMUMS { 2 } else { 1 };
            type Blocks = [Self; 1];
            type Beside<S: Simd> = Ahead;
            type Sums<S: Simd, const C: usize> = Parts<S, C, 1>;

            fn scalar(row: &[Self], column: &[Tile]) -> f32 {
                scalar(row, column)
            }

            $crate::dot::tiles::batched!(Supers);

            #[inline(always)]
            fn beside<S: Simd>(simd: S, row: &[[Self; 1]]) -> Ahead {
                ahead(simd, row)
            }

            #[inline(always)]
            fn add<S: Simd, const C: usize>(
                simd: S,
                beside: &mut Ahead,
                row: &[[Self; 1]],
                place: usize,
                tiles: [&Tile; C],
                sums: &mut Parts<S, C, 1>,
            ) {
                add(simd, beside, row, place, tiles, sums);
            }
        }

        impl Integers for $name {
            const HAS_MINIMUMS: bool = HAS_MINIMUMS;

            #[inline(always)]
            fn numbers<S: Simd>(&self, simd: S) -> Numbers<S> {
                numbers(simd, self)
            }
        })*
    };
    ($($name:ident)*) => {
        $(impl $crate::dot::tiles::ByTile for $name {
            const PARTNER: briq_format::TensorType = briq_format::TensorType::Q8_K;
            const TERMS: usize = <Self as $crate::dot::super_block::SuperBlock>::TERMS;
            type Blocks = [Self; 1];
            type Beside<S: Simd> = ();
            type Sums<S: Simd, const C: usize> = <Self as $crate::dot::super_block::SuperBlock>::Sums<S, C>;

            fn scalar(row: &[Self], column: &[Tile]) -> f32 {
                $crate::dot::super_block::SuperBlock::scalar(row, column)
            }

            $crate::dot::tiles::batched!(Supers);

            #[inline(always)]
            fn beside<S: Simd>(_: S, _: &[[Self; 1]]) {}

            #[inline(always)]
            fn add<S: Simd, const C: usize>(
                simd: S,
                (): &mut (),
                row: &[[Self; 1]],
                place: usize,
                tiles: [&Tile; C],
                sums: &mut Self::Sums<S, C>,
            ) {
                let [block] = &row[place];
                $crate::dot::super_block::SuperBlock::add(simd, block, tiles, sums);
            }
        })*
    };
}
pub(super) use super_blocks;
