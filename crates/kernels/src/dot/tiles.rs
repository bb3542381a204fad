//! Quantized types: rows that are multiplied a tile of activations at a time.
//!
//! A type says what a tile adds to its sums; the loop over the tiles of a row is here, once for all types. The same
//! loop takes several rows in turn, each by one tile, and then activations are read once for all of them: see
//! `side_by_side` of the products for why that reads faster from memory. Sums of a row never depend on those beside it.

use std::slice;

use briq_format::TensorType;
use briq_format::block::Block;

use super::{AHEAD, Dot, batch, panel};
use crate::activations::Tile;
use crate::simd::{Amx, Simd};

/// A quantized type, and what a tile of 256 activations adds to the product of a row.
pub(crate) trait ByTile: Block + Sync {
    /// The type of the activations.
    const PARTNER: TensorType;

    /// The most floats that a block adds to one lane on any instruction set, with what is added for its minimums: see
    /// [`bound`](crate::bound()).
    const TERMS: usize;

    /// As many blocks as meet one tile.
    type Blocks: Blocks<Self>;

    /// What a row is read with: a table, or what was found of its next block.
    type Beside<S: Simd>: Copy;

    /// What is carried from tile to tile, of a row and `C` columns.
    type Sums<S: Simd, const C: usize>: Sums<S, C>;

    /// See [`Dot::scalar`].
    fn scalar(row: &[Self], column: &[Tile]) -> f32;

    /// The same, before the first block of a row.
    fn beside<S: Simd>(simd: S, row: &[Self::Blocks]) -> Self::Beside<S>;

    /// Adds the products of the blocks at a place of the row with the tile that they meet in each column. No quant of
    /// these is -128.
    fn add<S: Simd, const C: usize>(
        simd: S,
        beside: &mut Self::Beside<S>,
        row: &[Self::Blocks],
        place: usize,
        tiles: [&Tile; C],
        sums: &mut Self::Sums<S, C>,
    );

    /// See [`Dot::HAS_PANEL`].
    const HAS_PANEL: bool = false;

    /// See [`Dot::panel`].
    #[inline(always)]
    fn panel<S: Simd>(
        _: S,
        _rows: &[Self],
        _row_blocks: usize,
        _columns: [&[Tile]; panel::COLUMNS],
        _sums: &mut panel::Sums,
    ) {
    }

    /// See [`Dot::HAS_BATCH`].
    const HAS_BATCH: bool = false;

    /// See [`Dot::batch`].
    #[inline(always)]
    fn batch<S: Simd>(
        _: S,
        _: Amx,
        _rows: &[Self],
        _row_blocks: usize,
        _columns: &[&[Tile]; batch::VECTORS],
        _groups: usize,
        _sums: &mut batch::Sums,
    ) {
    }
}

/// What [`ByTile::batch`] is for a type, by its kind.
macro_rules! batched {
    ($kind:ident) => {
        const HAS_BATCH: bool = true;

        #[inline(always)]
        fn batch<S: Simd>(
            simd: S,
            amx: $crate::simd::Amx,
            rows: &[Self],
            row_blocks: usize,
            columns: &[&[Tile]; $crate::dot::batch::VECTORS],
            groups: usize,
            sums: &mut $crate::dot::batch::Sums,
        ) {
            type Kind<B> = $crate::dot::batch::$kind<B>;
            $crate::dot::batch::multiply::<Kind<Self>, S>(simd, amx, rows, row_blocks, columns, groups, sums);
        }
    };
}
pub(super) use batched;

/// Blocks that meet one tile of activations: an array of them.
pub(crate) trait Blocks<B>: Sized {
    /// A row as such arrays, and the blocks at its end that fill none.
    fn of(row: &[B]) -> (&[Self], &[B]);

    /// The blocks at the end of a row, and then blocks of zeros. These have a scale of zero or next to it, and the
    /// activations that they meet are zero.
    fn filled_up(rest: &[B]) -> Self;
}

impl<B: Block, const N: usize> Blocks<B> for [B; N] {
    #[inline(always)]
    fn of(row: &[B]) -> (&[Self], &[B]) {
        const { assert!(N * B::ELEMENTS == 256) };
        row.as_chunks()
    }

    #[inline(always)]
    fn filled_up(rest: &[B]) -> Self {
        let mut blocks = [B::new_zeroed(); N];
        for (block, rest) in blocks.iter_mut().zip(rest) {
            *block = *rest;
        }
        blocks
    }
}

/// Sums that are carried from tile to tile, for each of `C` columns.
pub(crate) trait Sums<S: Simd, const C: usize>: Copy {
    fn zeros(simd: S) -> Self;

    /// The products of the row.
    fn finish(self, simd: S) -> [f32; C];
}

/// Sums in `PARTS` registers of each column, added up in the end.
#[derive(Clone, Copy)]
pub(crate) struct Parts<S: Simd, const C: usize, const PARTS: usize>(pub(super) [[S::Floats; PARTS]; C]);

impl<S: Simd, const C: usize, const PARTS: usize> Sums<S, C> for Parts<S, C, PARTS> {
    #[inline(always)]
    fn zeros(simd: S) -> Self {
        Self([[simd.zeros(); PARTS]; C])
    }

    #[inline(always)]
    fn finish(self, simd: S) -> [f32; C] {
        let mut products = [0.0; C];
        for c in 0..C {
            let mut sum = self.0[c][0];
            for part in 1..PARTS {
                sum = simd.add_floats(sum, self.0[c][part]);
            }
            products[c] = simd.sum(sum);
        }
        products
    }
}

/// Whether registers of 64 bytes are used: for a single column, where they are there. What is done once for several
/// costs each of them less, and then the widest registers are no gain.
pub(super) const fn wide<S: Simd, const C: usize>() -> bool {
    S::IS_WIDE && C == 1
}

/// Sums in registers of 64 bytes, which are added to the first part of the narrow ones where they are [used](wide).
#[derive(Clone, Copy)]
pub(crate) struct WideSums<S: Simd, const C: usize, const PARTS: usize> {
    pub(super) wide: S::Wide,
    pub(super) narrow: Parts<S, C, PARTS>,
}

impl<S: Simd, const C: usize, const PARTS: usize> Sums<S, C> for WideSums<S, C, PARTS> {
    #[inline(always)]
    fn zeros(simd: S) -> Self {
        Self { wide: simd.wide_zeros(), narrow: Parts::zeros(simd) }
    }

    #[inline(always)]
    fn finish(mut self, simd: S) -> [f32; C] {
        if wide::<S, C>() {
            self.narrow.0[0][0] = simd.add_floats(self.narrow.0[0][0], simd.folded(self.wide));
        }
        self.narrow.finish(simd)
    }
}

impl<B: ByTile> Dot for B {
    const PARTNER: TensorType = B::PARTNER;
    type Element = Tile;

    fn roundings(blocks: usize) -> usize {
        B::TERMS * blocks + 16
    }

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        B::scalar(row, column)
    }

    #[inline(always)]
    fn products<S: Simd, const R: usize, const C: usize>(
        simd: S,
        rows: [&[Self]; R],
        columns: [&[Tile]; C],
    ) -> [[f32; C]; R] {
        multiply(simd, rows, columns)
    }

    // Types with fewer bits wait less for memory, and sums of more rows cost them more.
    const ROWS: usize = if size_of::<B::Blocks>() < 256 * 4 / 8 { 4 } else { 8 };
    const GROUP: usize = 1;

    const HAS_PANEL: bool = B::HAS_PANEL;

    #[inline(always)]
    fn panel<S: Simd>(
        simd: S,
        rows: &[Self],
        row_blocks: usize,
        columns: [&[Tile]; panel::COLUMNS],
        sums: &mut panel::Sums,
    ) {
        B::panel(simd, rows, row_blocks, columns, sums);
    }

    const HAS_BATCH: bool = B::HAS_BATCH;

    #[inline(always)]
    fn batch<S: Simd>(
        simd: S,
        amx: Amx,
        rows: &[Self],
        row_blocks: usize,
        columns: &[&[Tile]; batch::VECTORS],
        groups: usize,
        sums: &mut batch::Sums,
    ) {
        B::batch(simd, amx, rows, row_blocks, columns, groups, sums);
    }
}

/// How many bytes ahead the blocks of a row are asked for. With four rows side by side as many bytes are on their way as
/// with eight; of types with more bits, so many tiles of each row.
const fn bytes_ahead<B: ByTile>() -> usize {
    const TILES: usize = 4;
    match <B as Dot>::ROWS {
        4 => 2 * AHEAD,
        _ => TILES * size_of::<B::Blocks>(),
    }
}

/// The products of `R` rows with `C` columns, one tile of each row after the other.
#[inline(always)]
fn multiply<B: ByTile, S: Simd, const R: usize, const C: usize>(
    simd: S,
    rows: [&[B]; R],
    columns: [&[Tile]; C],
) -> [[f32; C]; R] {
    let whole = B::Blocks::of(rows[0]).0;
    let (count, mut whole) = (whole.len(), [whole; R]);
    for r in 0..R {
        // As many of each row, which the loop then need not check.
        whole[r] = &B::Blocks::of(rows[r]).0[..count];
    }
    let mut sums = [B::Sums::zeros(simd); R];
    let mut beside = [B::beside(simd, whole[0]); R];
    for r in 1..R {
        beside[r] = B::beside(simd, whole[r]);
    }
    let of_whole = trimmed(columns, count);
    for place in 0..count {
        for r in 0..R {
            if C == 1 {
                simd.fetch(&whole[r][place], const { bytes_ahead::<B>() });
            }
            B::add(simd, &mut beside[r], whole[r], place, tiles_at(of_whole, place), &mut sums[r]);
        }
    }
    let mut products = [[0.0; C]; R];
    for r in 0..R {
        let rest = B::Blocks::of(rows[r]).1;
        if !rest.is_empty() {
            let blocks = B::Blocks::filled_up(rest);
            B::add(simd, &mut beside[r], slice::from_ref(&blocks), 0, tiles_at(columns, count), &mut sums[r]);
        }
        products[r] = sums[r].finish(simd);
    }
    products
}

/// The first `count` tiles of each column. Places below that are not checked again.
#[inline(always)]
fn trimmed<const C: usize>(columns: [&[Tile]; C], count: usize) -> [&[Tile]; C] {
    let mut trimmed = columns;
    for c in 0..C {
        trimmed[c] = &columns[c][..count];
    }
    trimmed
}

/// The tile at a place of each column.
#[inline(always)]
fn tiles_at<const C: usize>(columns: [&[Tile]; C], place: usize) -> [&Tile; C] {
    let mut tiles = [&Tile::ZERO; C];
    for c in 0..C {
        tiles[c] = &columns[c][place];
    }
    tiles
}
