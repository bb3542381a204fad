//! What the types of 32 weights share when an importance matrix is given: a search per block, with weights that
//! depend on the mean square of the whole row.

use briq_format::scalar::F16;

use crate::fit::{FromFit, Reach, Trials, affine, symmetric, weigh};
use crate::lanes::{Blocks, Isa, Kernel, Lanes, MAX_WIDTH, Pair, dispatch, numbers};
use crate::row::Rows;

/// The search of a type.
#[derive(Clone, Copy)]
pub(crate) enum Search {
    /// A scale; the code of zero is `half`.
    Symmetric { half: f32 },
    /// A scale and a minimum.
    Affine { largest_code: f32 },
}

/// Encodes the blocks of rows, twice as many at once as there are lanes.
pub(crate) fn encode_rows<B: FromFit>(search: Search, rows: &Rows<'_>, importance: &[f32], blocks: &mut [B]) {
    dispatch(Isa::best(), EncodeRows { search, rows, importance, blocks });
}

struct EncodeRows<'a, B> {
    search: Search,
    rows: &'a Rows<'a>,
    importance: &'a [f32],
    blocks: &'a mut [B],
}

impl<B: FromFit> Kernel for EncodeRows<'_, B> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { search, rows, importance, blocks } = self;
        let row_elements = rows.row_elements;
        // As many rows as keep all lanes busy: what their mean squares are made of is still in a cache when they are
        // encoded.
        let at_once = 2 * L::WIDTH;
        let weights = rows.weights.chunks((at_once * row_elements).max(1));
        for (weights, blocks) in weights.zip(blocks.chunks_mut((at_once * (row_elements / 32)).max(1))) {
            encode_together::<L, B>(search, &Rows { weights, ..*rows }, importance, blocks);
        }
    }
}

/// Encodes rows, for whose blocks there are whole registers or that are the last.
#[inline(always)]
fn encode_together<L: Lanes, B: FromFit>(
    search: Search,
    rows: &Rows<'_>,
    importance: &[f32],
    blocks: &mut [B],
) {
    let row_elements = rows.row_elements;
    let variances = mean_squares::<L>(rows);
    let mut places =
        (0..variances.len()).flat_map(|row| (0..row_elements).step_by(32).map(move |at| (row, at)));
    let (mut x, mut w) = ([Pair::<L>::zero(); 32], [Pair::zero(); 32]);
    for (batch, blocks) in blocks.chunks_mut(2 * L::WIDTH).enumerate() {
        let first = batch * 2 * L::WIDTH;
        let (mut variance, mut in_row) = ([0.0; 2 * MAX_WIDTH], [0; 2 * MAX_WIDTH]);
        for ((variance, at), (row, start)) in
            variance.iter_mut().zip(&mut in_row).zip(places.by_ref().take(blocks.len()))
        {
            (*variance, *at) = (variances[row], start);
        }
        let variance = Pair::load(&variance);
        let weights = Blocks::<32>::new(rows.weights, (first..first + blocks.len()).map(|block| block * 32));
        let importance = Blocks::<32>::new(importance, in_row.into_iter().take(blocks.len()));
        for (i, (x, w)) in x.as_chunks_mut().0.iter_mut().zip(w.as_chunks_mut().0).enumerate() {
            (*x, *w) = (weights.four(4 * i), importance.four(4 * i));
            weigh::<_, 4>(w, variance, x);
        }
        let (scale, minimum, rules, reach) = match search {
            Search::Symmetric { half } => {
                let fit = symmetric(&x, &w, half);
                (fit.scale, Pair::zero(), fit.rules(), Reach::around_zero(half))
            }
            Search::Affine { largest_code } => {
                let fit = affine(&x, &w, largest_code, &Trials::WITH_IMPORTANCE);
                (fit.scale, fit.minimum, fit.rules(), Reach::from_zero(largest_code))
            }
        };
        let (mut scales, mut minimums) = ([0; 2 * MAX_WIDTH], [0; 2 * MAX_WIDTH]);
        scale.store_halves(&mut scales);
        minimum.store_halves(&mut minimums);
        for (i, block) in blocks.iter_mut().enumerate() {
            let mut codes = [0; 32];
            rules.codes::<L>(i, reach, weights.block(i), &mut codes);
            *block = B::from_fit(F16::from_bits(scales[i]), F16::from_bits(minimums[i]), &codes);
        }
    }
}

/// The mean squares of the rows, as many at once as there are lanes.
#[inline(always)]
fn mean_squares<L: Lanes>(rows: &Rows<'_>) -> Vec<f32> {
    let row_elements = rows.row_elements;
    let count = rows.weights.len() / row_elements;
    let mut means = Vec::with_capacity(count);
    let mut x = [L::zero(); 32];
    for first in (0..count).step_by(L::WIDTH) {
        let at_once = first..count.min(first + L::WIDTH);
        let mut sum = L::zero();
        for start in (0..row_elements).step_by(32) {
            let starts = at_once.clone().map(|row| row * row_elements + start);
            Blocks::<32>::new(rows.weights, starts).load(0, &mut x);
            for &x in &x {
                sum = sum + x * x;
            }
        }
        means.extend(numbers(sum / L::splat(row_elements as f32)).iter().take(at_once.len()));
    }
    means
}
