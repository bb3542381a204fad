//! Rows times 64 vectors at a time, where the processor multiplies small matrices.
//!
//! Of sixteen rows a tile is unpacked into bytes, and multiplied with four groups of sixteen vectors before the next
//! sixteen rows are. The vectors' bytes are put in the order that the processor wants once for 256 rows.

mod integers;
mod runs;
mod vectors;

use crate::activations::Tile;
use crate::simd::matrices;
use crate::simd::{Amx, Simd};
pub(super) use integers::{Integers, Numbers, Supers};
pub(super) use runs::Runs;
use vectors::{Group, groups};

/// Vectors that are multiplied at once.
pub(crate) const VECTORS: usize = 64;

/// Groups of sixteen of them.
pub(crate) const GROUPS: usize = VECTORS / matrices::ROWS;

/// The most rows that share what is made of the vectors.
pub(crate) const ROWS: usize = 256;

/// The products of a row with the vectors of each group.
pub(crate) type RowSums = [matrices::Group<f32>; GROUPS];

/// Those of some rows.
pub(crate) type Sums = [RowSums; ROWS];

/// How the rows of some types are multiplied.
pub(super) trait Kind {
    type Block;
    type Shared<S: Simd>: Copy;

    /// What is made of a tile of sixteen vectors, of the blocks of sixteen rows that it meets, and their products.
    type Vectors: Zero;
    type Weights: Zero;
    type Products: Zero;

    /// Blocks that meet a tile.
    const BLOCKS: usize;

    type Registers;

    fn registers(amx: Amx) -> Self::Registers;

    fn shared<S: Simd>(simd: S) -> Self::Shared<S>;

    fn take_vectors<S: Simd>(simd: S, tiles: &Group<'_>, vectors: &mut Self::Vectors);

    /// Takes at most as many blocks of a row as meet a tile. What is missing of them has no scale.
    fn take_blocks<S: Simd>(
        simd: S,
        amx: Amx,
        shared: Self::Shared<S>,
        blocks: &[Self::Block],
        row: usize,
        weights: &mut Self::Weights,
    );

    fn multiply(
        registers: &Self::Registers,
        weights: &Self::Weights,
        vectors: [&Self::Vectors; 2],
        products: &mut [Self::Products; 2],
    );

    /// Adds the products of each row, scaled, to the sums of the rows with a group of vectors.
    fn add(
        amx: Amx,
        products: &Self::Products,
        weights: &Self::Weights,
        vectors: &Self::Vectors,
        sums: &mut [RowSums],
        group: usize,
    );
}

/// What is there before anything is taken.
pub(super) trait Zero {
    const ZERO: Self;
}

/// Sixteen rows and two groups whose products are to be added.
struct Pending {
    first: usize,
    pair: usize,
}

/// Multiplies at most [`ROWS`] rows of `row_blocks` blocks with the vectors of the first `count` groups.
#[inline(always)]
pub(super) fn multiply<K: Kind, S: Simd>(
    simd: S,
    amx: Amx,
    rows: &[K::Block],
    row_blocks: usize,
    columns: &[&[Tile]; VECTORS],
    count: usize,
    sums: &mut Sums,
) {
    let row_count = (rows.len() / row_blocks).min(ROWS);
    let shared = K::shared(simd);
    let mut vectors = [K::Vectors::ZERO; GROUPS];
    // Products are added while the next ones are made: until they can be read, they take their time.
    let mut weights = [K::Weights::ZERO; 2];
    let mut products = [const { [K::Products::ZERO; 2] }; 2];
    let registers = K::registers(amx);
    for place in 0..row_blocks.div_ceil(K::BLOCKS) {
        let start = K::BLOCKS * place;
        let blocks = (row_blocks - start).min(K::BLOCKS);
        for (vectors, tiles) in vectors.iter_mut().zip(&groups(columns, place)).take(count) {
            K::take_vectors(simd, tiles, vectors);
        }
        let mut pending: Option<Pending> = None;
        let mut turn = 0;
        for first in (0..row_count).step_by(matrices::ROWS) {
            let side = first / matrices::ROWS % 2;
            for r in 0..matrices::ROWS {
                // Behind the last row it is taken again, and the products are not looked at.
                let row = (first + r).min(row_count - 1) * row_blocks + start;
                K::take_blocks(simd, amx, shared, &rows[row..][..blocks], r, &mut weights[side]);
                // So many rows in turn are too many for the processor to fetch ahead by itself.
                let next = match first + matrices::ROWS < row_count {
                    true => row + matrices::ROWS * row_blocks,
                    false => r * row_blocks + start + blocks,
                };
                if let Some(next) = rows.get(next..next + blocks) {
                    amx.fetch(next);
                }
            }
            for pair in 0..count.div_ceil(2) {
                let both = [&vectors[2 * pair], &vectors[2 * pair + 1]];
                K::multiply(&registers, &weights[side], both, &mut products[turn]);
                turn = 1 - turn;
                if let Some(pending) = pending.replace(Pending { first, pair }) {
                    add::<K>(amx, &pending, &products[turn], &weights, &vectors, sums);
                }
            }
        }
        if let Some(pending) = pending {
            add::<K>(amx, &pending, &products[1 - turn], &weights, &vectors, sums);
        }
    }
}

/// Adds what is pending.
#[inline(always)]
fn add<K: Kind>(
    amx: Amx,
    pending: &Pending,
    products: &[K::Products; 2],
    weights: &[K::Weights; 2],
    vectors: &[K::Vectors; GROUPS],
    sums: &mut Sums,
) {
    let weights = &weights[pending.first / matrices::ROWS % 2];
    for i in 0..2 {
        let group = 2 * pending.pair + i;
        K::add(amx, &products[i], weights, &vectors[group], &mut sums[pending.first..], group);
    }
}
