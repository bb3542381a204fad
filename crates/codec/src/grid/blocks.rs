//! Super-blocks of the IQ2 and IQ3 types: what is done around the search for a sub-block.

use briq_format::block::Block;
use zerocopy::little_endian::U32;

use super::neighbours::Grid;
use super::search::{Trials, largest_level, search};
use super::signs::split_signs;
use crate::error::Error;
use crate::fit::{importance_weights, nonnegative};
use crate::lanes::{Isa, Kernel, Lanes, Tile, dispatch};
use crate::primitives::{largest_since_nan, round_even, sum_of_squares};
use crate::row::Rows;

/// What differs between the types.
pub(crate) struct Model {
    /// Times the mean square of the block: what importance weights take as variance.
    pub(crate) variance: f32,
    /// Whether the last of eight signs follows from the others.
    pub(crate) parity: bool,
    /// Sub-blocks whose largest weight is below this are left out.
    pub(crate) negligible: f32,
    pub(crate) start: Start,
    pub(crate) trials: Trials,
}

/// What the trials begin with.
#[derive(Clone, Copy)]
pub(crate) enum Start {
    /// The largest weight.
    Largest,
    /// Three times the best scale for codes 0 to 4 without a grid.
    Fitted,
}

/// A type with sub-blocks of `SUB` weights, `GROUPS` groups for points of `N` digits.
pub(crate) trait GridBlock<const SUB: usize, const N: usize, const GROUPS: usize>: Block {
    const MODEL: Model;

    /// The grid, with its neighbours.
    fn grid() -> &'static Grid<N>;

    /// How much the error of a weight counts without importance.
    fn own_importance(x: f32, _variance: f32) -> f32 {
        x * x
    }

    /// Makes the block.
    fn pack(fitted: &Fitted) -> Self;
}

/// A super-block before its bits are placed.
pub(crate) struct Fitted {
    pub(crate) scale: f32,
    /// The scales of sub-blocks, 0 to 15: twice that and 1 times `scale`.
    pub(crate) scale_codes: [u8; 16],
    /// The sub-blocks that are left out. Their points and signs are zero.
    pub(crate) left_out: [bool; 16],
    /// Indices of points.
    pub(crate) indices: [u16; 64],
    /// Signs per 8 weights.
    pub(crate) signs: [u8; 32],
}

impl Fitted {
    /// For the types with parity: four times 7 bits of signs from the low end, and the scale, of sub-block `b` of 32.
    pub(crate) fn signs_and_scale(&self, b: usize) -> U32 {
        let signs = (0..4).fold(0, |bits, l| bits | u32::from(self.signs[4 * b + l]) << (7 * l));
        U32::new(signs | u32::from(self.scale_codes[b]) << 28)
    }
}

/// Encodes the blocks of rows.
///
/// # Errors
/// When weights have no nearest point.
pub(crate) fn encode_rows<
    B: GridBlock<SUB, N, GROUPS>,
    const SUB: usize,
    const N: usize,
    const GROUPS: usize,
>(
    rows: &Rows<'_>,
    blocks: &mut [B],
) -> Result<(), Error> {
    let mut failed = None;
    dispatch(Isa::best(), EncodeRows { rows, grid: B::grid(), blocks, failed: &mut failed });
    failed.map_or(Ok(()), |weight| Err(Error::NoNearestPoint { ty: B::TYPE, weight }))
}

struct EncodeRows<'a, B, const SUB: usize, const N: usize, const GROUPS: usize> {
    rows: &'a Rows<'a>,
    grid: &'static Grid<N>,
    blocks: &'a mut [B],
    /// The first weight of the first sub-block that could not be encoded.
    failed: &'a mut Option<usize>,
}

impl<B: GridBlock<SUB, N, GROUPS>, const SUB: usize, const N: usize, const GROUPS: usize> Kernel
    for EncodeRows<'_, B, SUB, N, GROUPS>
{
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let x = self.rows.weights.as_chunks::<256>().0;
        for (number, (block, x)) in self.blocks.iter_mut().zip(x).enumerate() {
            let start = number * 256;
            let importance = self
                .rows
                .importance
                .and_then(|importance| importance[start % self.rows.row_elements..].first_chunk::<256>());
            let prepared = prepare::<B, SUB, N, GROUPS>(x, importance);
            match fit::<L, B, SUB, N, GROUPS>(self.grid, &prepared) {
                Ok(fitted) => *block = B::pack(&fitted),
                Err(weight) => {
                    *self.failed = Some(start + weight);
                    return;
                }
            }
        }
    }
}

/// Weights without their signs, and how much their errors count.
struct Prepared {
    y: [f32; 256],
    w: [f32; 256],
    signs: [u8; 32],
}

#[inline(always)]
fn prepare<B: GridBlock<SUB, N, GROUPS>, const SUB: usize, const N: usize, const GROUPS: usize>(
    x: &[f32; 256],
    importance: Option<&[f32; 256]>,
) -> Prepared {
    let variance = B::MODEL.variance * sum_of_squares(x) / 256.0;
    let w = match importance {
        None => x.map(|x| B::own_importance(x, variance)),
        Some(importance) => importance_weights(importance, variance, x),
    };
    let mut prepared = Prepared { y: *x, w, signs: [0; 32] };
    let groups = prepared.y.as_chunks_mut::<8>().0.iter_mut().zip(w.as_chunks::<8>().0);
    for ((y, w), signs) in groups.zip(&mut prepared.signs) {
        *signs = split_signs(y, w, B::MODEL.parity);
    }
    prepared
}

/// Fits every sub-block alone, then quantizes the scales.
#[inline(always)]
fn fit<L: Lanes, B: GridBlock<SUB, N, GROUPS>, const SUB: usize, const N: usize, const GROUPS: usize>(
    grid: &Grid<N>,
    prepared: &Prepared,
) -> Result<Fitted, usize> {
    let Prepared { y, w, signs } = prepared;
    let mut fitted =
        Fitted { scale: 0.0, scale_codes: [0; 16], left_out: [false; 16], indices: [0; 64], signs: *signs };
    let starts = starts::<L, B, SUB, N, GROUPS>(prepared);
    let mut scales = [0.0; 16];
    for (number, (y, w)) in y.as_chunks::<SUB>().0.iter().zip(w.as_chunks::<SUB>().0).enumerate() {
        let at = number * SUB;
        let (indices, signs) =
            (&mut fitted.indices[at / N..][..SUB / N], &mut fitted.signs[at / 8..][..SUB / 8]);
        let Some((range, scale)) = starts[number] else {
            fitted.left_out[number] = true;
            signs.fill(0);
            continue;
        };
        let found = search::<L, N, GROUPS>(grid, B::MODEL.trials, y, w, range, scale).ok_or(at)?;
        for (index, point) in indices.iter_mut().zip(found.points) {
            *index = grid.index(point).ok_or(at)?;
        }
        if found.scale < 0.0 {
            let stored = if B::MODEL.parity { 127 } else { 255 };
            signs.iter_mut().for_each(|signs| *signs ^= stored);
        }
        scales[number] = found.scale.abs();
        if scales[number].is_nan() {
            return Err(at);
        }
    }
    let largest = largest_since_nan(scales);
    if largest == 0.0 {
        if B::MODEL.parity {
            (fitted.indices, fitted.signs) = ([0; 64], [0; 32]);
        }
        return Ok(fitted);
    }
    fitted.scale = largest / 31.0;
    let per_scale = 1.0 / fitted.scale;
    fitted.scale_codes = scales.map(|scale| round_even(0.5 * (per_scale * scale - 1.0)).clamp(0, 15) as u8);
    Ok(fitted)
}

/// For each sub-block what the trials take to the largest level, and the scale if no trial is better than nothing.
/// `None` for those that are left out.
#[inline(always)]
fn starts<L: Lanes, B: GridBlock<SUB, N, GROUPS>, const SUB: usize, const N: usize, const GROUPS: usize>(
    prepared: &Prepared,
) -> [Option<(f32, f32)>; 16] {
    let Prepared { y, w, .. } = prepared;
    let (mut starts, mut fits) = ([None; 16], [0.0; 32]);
    if matches!(B::MODEL.start, Start::Fitted) {
        for first in (0..256 / SUB).step_by(L::WIDTH) {
            let lanes = (first..256 / SUB).take(L::WIDTH).map(|number| number * SUB);
            let (y, w) = (Tile::<SUB>::gather(y, lanes.clone()), Tile::<SUB>::gather(w, lanes));
            let fit = nonnegative(&y.load::<L, SUB>(0), &w.load::<L, SUB>(0), 4.0);
            fit.scale.store(&mut fits[first..]);
        }
    }
    for ((start, y), fit) in starts.iter_mut().zip(y.as_chunks::<SUB>().0).zip(fits) {
        let largest = largest_since_nan(*y);
        let (range, scale) = match B::MODEL.start {
            Start::Largest => (largest, largest / largest_level::<N>()),
            Start::Fitted => (fit * 3.0, fit),
        };
        let left_out =
            largest < B::MODEL.negligible || matches!(B::MODEL.start, Start::Fitted) && range <= 0.0;
        *start = (!left_out).then_some((range, scale));
    }
    starts
}
