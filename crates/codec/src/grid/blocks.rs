//! Super-blocks of the IQ2 and IQ3 types: what is done around the search for a sub-block.

use briq_format::block::Block;
use zerocopy::little_endian::U32;

use super::lines::Row;
use super::neighbours::Grid;
use super::search::{Found, SearchRoom, SubBlocks, largest_level, search};
use super::signs::split_signs;
use super::trials::Trials;
use crate::error::Error;
use crate::fit::{largest_since_nan, nonnegative, weigh};
use crate::lanes::{Blocks, Isa, Kernel, Lanes, MAX_WIDTH, dispatch, numbers};
use crate::primitives::{self, round_even};
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

/// A type with sub-blocks of `SUB` weights, groups for points of `N` digits.
pub(crate) trait GridBlock<const SUB: usize, const N: usize>: Block {
    const MODEL: Model;

    /// The grid, with its neighbours.
    fn grid() -> &'static Grid<N>;

    /// How much the error of a weight counts without importance.
    #[inline(always)]
    fn own_importance<L: Lanes>(x: L, _variance: L) -> L {
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
    const EMPTY: Self =
        Self { scale: 0.0, scale_codes: [0; 16], left_out: [false; 16], indices: [0; 64], signs: [0; 32] };

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
pub(crate) fn encode_rows<B: GridBlock<SUB, N>, const SUB: usize, const N: usize>(
    rows: &Rows<'_>,
    blocks: &mut [B],
) -> Result<(), Error> {
    let mut failed = None;
    dispatch(Isa::best(), EncodeRows { rows, grid: B::grid(), blocks, failed: &mut failed });
    failed.map_or(Ok(()), |weight| Err(Error::NoNearestPoint { ty: B::TYPE, weight }))
}

struct EncodeRows<'a, B, const SUB: usize, const N: usize> {
    rows: &'a Rows<'a>,
    grid: &'static Grid<N>,
    blocks: &'a mut [B],
    /// The first weight of the first sub-block that could not be encoded.
    failed: &'a mut Option<usize>,
}

impl<B: GridBlock<SUB, N>, const SUB: usize, const N: usize> Kernel for EncodeRows<'_, B, SUB, N> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { rows, grid, blocks, failed } = self;
        let mut room = SearchRoom::NEW;
        // As many blocks as there are lanes make whole vectors of sub-blocks.
        for (batch, blocks) in blocks.chunks_mut(L::WIDTH).enumerate() {
            let start = batch * L::WIDTH * 256;
            let sums = sums_of_squares::<L>(rows, start, blocks.len());
            let mut fitted = [const { Fitted::EMPTY }; MAX_WIDTH];
            let mut scales = [[0.0; 16]; MAX_WIDTH];
            for first in (0..blocks.len() * (256 / SUB)).step_by(L::WIDTH) {
                let count = (blocks.len() * (256 / SUB) - first).min(L::WIDTH);
                let results =
                    fit::<L, B, SUB, N>(rows, grid, start + first * SUB, count, &sums, first, &mut room);
                for lane in 0..count {
                    let (block, number) = ((first + lane) / (256 / SUB), (first + lane) % (256 / SUB));
                    let Some(scale) = results.place(lane, grid, number, B::MODEL.parity, &mut fitted[block])
                    else {
                        *failed = Some(start + (first + lane) * SUB);
                        return;
                    };
                    scales[block][number] = scale;
                }
            }
            for ((block, fitted), scales) in blocks.iter_mut().zip(&mut fitted).zip(&scales) {
                fitted.quantize(scales, B::MODEL.parity);
                *block = B::pack(fitted);
            }
        }
    }
}

/// The sums of squares of `count` blocks that start at `start`.
#[inline(always)]
fn sums_of_squares<L: Lanes>(rows: &Rows<'_>, start: usize, count: usize) -> Row {
    let x = Blocks::<256>::new(rows.weights, (0..count).map(|block| start + block * 256));
    let mut sum = L::zero();
    for i in (0..256).step_by(4) {
        for x in x.four::<L>(i) {
            sum = sum + x * x;
        }
    }
    numbers(sum)
}

/// The fits of sub-blocks side by side.
struct Results<const SUB: usize> {
    found: Found,
    /// By group of 8 weights.
    signs: [[u8; MAX_WIDTH]; 4],
    /// A bit per lane.
    left_out: u32,
}

/// Fits every sub-block alone: `count` of them from weight `start` on, the first of which is number `first` of those
/// that `sums` of squares are of.
#[inline(always)]
fn fit<L: Lanes, B: GridBlock<SUB, N>, const SUB: usize, const N: usize>(
    rows: &Rows<'_>,
    grid: &Grid<N>,
    start: usize,
    count: usize,
    sums: &Row,
    first: usize,
    room: &mut SearchRoom,
) -> Results<SUB> {
    let starts = (0..count).map(|lane| start + lane * SUB);
    let (mut y, mut w) = ([L::zero(); SUB], [L::zero(); SUB]);
    Blocks::<SUB>::new(rows.weights, starts.clone()).load(0, &mut y);
    let mut variances = [0.0; MAX_WIDTH];
    for (lane, variance) in variances.iter_mut().enumerate().take(count) {
        *variance = B::MODEL.variance * sums[(first + lane) * SUB / 256] / 256.0;
    }
    let variance = L::load(&variances);
    if let Some(row) = rows.importance {
        Blocks::<SUB>::new(row, starts.map(|start| start % rows.row_elements)).load(0, &mut w);
        weigh(&mut w, variance, &y);
    } else {
        for (w, &x) in w.iter_mut().zip(&y) {
            *w = B::own_importance(x, variance);
        }
    }
    let mut signs = [[0; MAX_WIDTH]; 4];
    for ((y, w), signs) in y.as_chunks_mut().0.iter_mut().zip(w.as_chunks().0).zip(&mut signs) {
        split_signs(y, w, B::MODEL.parity).store_codes(signs);
    }
    let (range, scale, left_out) = begin::<L, B, SUB, N>(&y, &w);
    // Any number will do where nothing is searched for.
    let range = L::select(left_out, L::splat(1.0), range);
    let left_out = L::bits(left_out);
    let lanes = !left_out & (u32::MAX >> (32 - count));
    let found =
        search::<L, SUB, N>(grid, B::MODEL.trials, &SubBlocks::new(&y, &w, lanes), range, scale, room);
    Results { found, signs, left_out }
}

/// What the trials take to the largest level, the scale if no trial is better than nothing, and where nothing is
/// searched for.
#[inline(always)]
fn begin<L: Lanes, B: GridBlock<SUB, N>, const SUB: usize, const N: usize>(
    y: &[L; SUB],
    w: &[L; SUB],
) -> (L, L, L::Mask) {
    let largest = largest_since_nan(y);
    let negligible = largest.lt(L::splat(B::MODEL.negligible));
    match B::MODEL.start {
        Start::Largest => (largest, largest / L::splat(largest_level::<N>()), negligible),
        Start::Fitted => {
            let scale = nonnegative(y, w, 4.0).scale;
            let range = scale * L::splat(3.0);
            let nothing = range.lt(L::zero()) | range.eq(L::zero());
            (range, scale, negligible | nothing)
        }
    }
}

impl<const SUB: usize> Results<SUB> {
    /// Puts the sub-block in a lane where it belongs, and returns its scale. `None` where weights have no nearest
    /// point.
    #[inline(always)]
    fn place<const N: usize>(
        &self,
        lane: usize,
        grid: &Grid<N>,
        number: usize,
        parity: bool,
        fitted: &mut Fitted,
    ) -> Option<f32> {
        if self.left_out >> lane & 1 == 1 {
            fitted.left_out[number] = true;
            return Some(0.0);
        }
        let scale = self.found.scales[lane];
        if self.found.failed >> lane & 1 == 1 || scale.is_nan() {
            return None;
        }
        let indices = &mut fitted.indices[number * (SUB / N)..][..SUB / N];
        for (index, points) in indices.iter_mut().zip(&self.found.points) {
            *index = grid.index(points[lane])?;
        }
        let stored = if parity { 127 } else { 255 };
        let turned = if scale < 0.0 { stored } else { 0 };
        let signs = &mut fitted.signs[number * (SUB / 8)..][..SUB / 8];
        for (signs, found) in signs.iter_mut().zip(&self.signs) {
            *signs = found[lane] ^ turned;
        }
        Some(scale.abs())
    }
}

impl Fitted {
    /// Quantizes the scales of sub-blocks.
    #[inline(always)]
    fn quantize(&mut self, scales: &[f32; 16], parity: bool) {
        let largest = primitives::largest_since_nan(*scales);
        if largest == 0.0 {
            if parity {
                (self.indices, self.signs) = ([0; 64], [0; 32]);
            }
            return;
        }
        self.scale = largest / 31.0;
        let per_scale = 1.0 / self.scale;
        for (code, scale) in self.scale_codes.iter_mut().zip(scales) {
            *code = round_even(0.5 * (per_scale * scale - 1.0)).clamp(0, 15) as u8;
        }
    }
}
