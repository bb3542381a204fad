//! Dot products: what a type of weights says of them, and what types have in common.
//!
//! A type says how its blocks are multiplied, one number at a time in the order of ggml's portable kernels, and once
//! more over [`Simd`]. Sums of products of quants are exact in 32 bits for any bytes; instruction sets differ in the
//! order of floats.

/// Writes a body once per number: arrays that it indexes then stay in registers, which a loop would not promise.
macro_rules! unrolled {
    ($name:ident in $($number:literal)* => $body:block) => {
        $({
            let $name: usize = $number;
            $body
        })*
    };
}

pub(crate) mod batch;
mod dispatch;
mod eight;
mod floats;
mod grid;
mod iq4_xs;
mod k;
mod levels;
mod nvfp4;
pub(crate) mod panel;
mod q1_0;
mod q2_0;
mod shifted;
mod small;
mod super_block;
mod ternary;
mod tiles;
mod typed;

use briq_format::TensorType;
use briq_format::block::{self, Block};
use zerocopy::{Immutable, IntoBytes};

#[cfg(test)]
pub(crate) use dispatch::product_with;
pub use dispatch::{can_dot, dot, partner};
pub use typed::{Weights, dot_blocks};

use crate::activations::{Activations, Tile};
use crate::simd::{Amx, Simd};

/// A type of weights, and how it is multiplied.
pub(crate) trait Dot: Block + Sync {
    /// The type of the activations.
    const PARTNER: TensorType;
    /// What activations are read as.
    type Element: Element;

    /// Roundings that a term of the product of `blocks` blocks passes through at most: see [`bound`](crate::bound()).
    fn roundings(blocks: usize) -> usize;

    /// The product of whole rows of as many elements, in the order of ggml's portable kernel.
    fn scalar(row: &[Self], column: &[Self::Element]) -> f32;

    /// The products of `R` rows with `C` columns. No quant of an activation is -128.
    fn products<S: Simd, const R: usize, const C: usize>(
        simd: S,
        rows: [&[Self]; R],
        columns: [&[Self::Element]; C],
    ) -> [[f32; C]; R];

    /// With how many rows at once a single column is multiplied, so that these come fast from memory: 4 or 8.
    const ROWS: usize;

    /// With how many rows at once a few columns are multiplied: 1 or 4, of which narrow registers take half.
    const GROUP: usize;

    /// Whether [`Dot::panel`] does something.
    const HAS_PANEL: bool = false;

    /// Puts the products of at most [`panel::ROWS`] rows of `row_blocks` blocks with many columns into `sums`, which is
    /// faster than a row at a time. No quant of an activation is -128.
    #[inline(always)]
    fn panel<S: Simd>(
        _: S,
        _rows: &[Self],
        _row_blocks: usize,
        _columns: [&[Self::Element]; panel::COLUMNS],
        _sums: &mut panel::Sums,
    ) {
    }

    /// Whether [`Dot::batch`] does something.
    const HAS_BATCH: bool = false;

    /// Puts the products of at most [`batch::ROWS`] rows of `row_blocks` blocks with the columns of the first `groups`
    /// groups of sixteen into `sums`. Quants of activations are any bytes.
    #[inline(always)]
    fn batch<S: Simd>(
        _: S,
        _: Amx,
        _rows: &[Self],
        _row_blocks: usize,
        _columns: &[&[Self::Element]; batch::VECTORS],
        _groups: usize,
        _sums: &mut batch::Sums,
    ) {
    }
}

/// How many bytes ahead floats that meet a single vector are asked for in each of eight rows; for quantized types see
/// [`tiles`]. The processor itself fetches ahead no further than to the end of a page, and begins anew behind it; asked
/// for so far ahead, weights come from memory a quarter faster (Granite Rapids; 256 to 4096 bytes were tried), and from
/// the second cache up to 5 %.
pub(crate) const AHEAD: usize = 512;

/// Part of a row of activations.
pub(crate) trait Element: Sized + Sync {
    /// All of them.
    fn of(activations: &Activations) -> &[Self];

    /// Two rows that add up to it, where [`Dot::products`] must not be given the row itself.
    fn apart(activations: &Activations) -> Option<[&[Self]; 2]>;
}

impl Element for Tile {
    #[inline(always)]
    fn of(activations: &Activations) -> &[Self] {
        activations.tiles()
    }

    #[inline(always)]
    fn apart(activations: &Activations) -> Option<[&[Self]; 2]> {
        activations.apart()
    }
}

macro_rules! floats {
    ($($name:ident)*) => {
        $(impl Element for block::$name {
            #[inline(always)]
            fn of(activations: &Activations) -> &[Self] {
                activations.floats()
            }

            #[inline(always)]
            fn apart(_: &Activations) -> Option<[&[Self]; 2]> {
                None
            }
        })*
    };
}
floats!(F32 BF16);

/// The quants of a run of 32.
#[inline(always)]
fn quants<S: Simd>(simd: S, tile: &Tile, run: usize) -> S::Ints {
    simd.load_signed(&tile.quants_32()[run])
}

/// The first bytes of a block: its scale, or scale and minimum, and what is packed or not used. To read that with it
/// takes less than to read it alone.
#[inline(always)]
fn header<const N: usize, B: IntoBytes + Immutable>(block: &B) -> &[u8; N] {
    const { assert!(size_of::<B>() >= N) };
    // There are as many: the fallback is never taken, here and below.
    block.as_bytes().first_chunk().unwrap_or(&[0; N])
}

/// As [`header`], of a block that ends with them.
#[inline(always)]
fn trailer<B: IntoBytes + Immutable>(block: &B) -> &[u8; 8] {
    const { assert!(size_of::<B>() >= 8) };
    block.as_bytes().last_chunk().unwrap_or(&[0; 8])
}

/// The sum of `start` and the products of the codes of a super-block times their scales.
#[inline(always)]
fn products<S: Simd, const C: usize>(
    simd: S,
    scales: S::Scales,
    codes: [S::Ints; 8],
    tiles: [&Tile; C],
    start: [S::Ints; C],
) -> [S::Ints; C] {
    let mut sums = start;
    unrolled!(pair in 0 1 2 3 => {
        let (a, b) = (2 * pair, 2 * pair + 1);
        for c in 0..C {
            let quants = [quants(simd, tiles[c], a), quants(simd, tiles[c], b)];
            sums[c] = simd.add_pair(sums[c], [codes[a], codes[b]], quants, &scales, pair);
        }
    });
    sums
}

/// Adds products of quants times the scale of both sides.
#[inline(always)]
fn add_scaled<S: Simd>(simd: S, total: S::Floats, products: S::Ints, scale: f32) -> S::Floats {
    simd.multiply_add(simd.to_floats(products), simd.splat_float(scale), total)
}

/// As [`add_scaled`], times a scale that is in memory.
#[inline(always)]
fn add_times<S: Simd>(simd: S, total: S::Floats, products: S::Ints, scale: &f32) -> S::Floats {
    simd.multiply_add(simd.to_floats(products), simd.everywhere(scale), total)
}

/// Each of eight scales twice.
#[inline(always)]
fn twice(scale: impl Fn(usize) -> i8) -> [i8; 16] {
    let mut scales = [0; 16];
    for i in 0..16 {
        scales[i] = scale(i / 2);
    }
    scales
}

/// The sum of products of the quants of weights and activations.
fn integer_dot<const N: usize>(weights: &[i8; N], activations: &[i8; N]) -> i32 {
    let products = weights.iter().zip(activations);
    products.map(|(&weight, &activation)| i32::from(weight) * i32::from(activation)).sum()
}
