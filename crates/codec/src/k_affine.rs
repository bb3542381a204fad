//! What Q4_K and Q5_K share: super-blocks of eight sub-blocks, each with a scale and a minimum of 6 bits.
//!
//! Encoding goes outside in: every sub-block is fitted alone, the eight scales and minimums are quantized, and the
//! weights are rounded once more, now with the scales that a decoder will see.

use briq_format::block::Block;
use briq_format::scalar::F16;

use crate::decoder::lowered;
use crate::fit::{
    Affine, CodeRules, Found, Reach, Scaled, Stored, Trials, affine, importance_weights, nonnegative,
};
use crate::k_scales::{self, ScalesAndMinimums};
use crate::lanes::{
    CodeTile, Isa, Kernel, Lanes, MAX_WIDTH, Pair, Tile, dispatch, numbers, sum, sum_of_squares,
};
use crate::row::Rows;

/// What differs between the types.
pub(crate) struct Model {
    pub(crate) largest_code: f32,
    pub(crate) trials_without_importance: Trials,
    /// The cap on the scales and minimums that the search with importance finds.
    pub(crate) largest_searched_scale: f32,
}

/// A super-block before its codes are placed.
pub(crate) struct SuperBlock {
    pub(crate) scale: F16,
    pub(crate) minimum: F16,
    pub(crate) scales_and_minimums: [u8; 12],
    pub(crate) codes: [u8; 256],
}

/// Encodes the super-blocks of rows, as many at once as there are lanes; `place` makes a block of each.
pub(crate) fn encode_rows<B>(model: &Model, rows: &Rows<'_>, blocks: &mut [B], place: fn(&SuperBlock) -> B) {
    dispatch(Isa::best(), EncodeRows { model, rows, blocks, place });
}

struct EncodeRows<'a, B> {
    model: &'a Model,
    rows: &'a Rows<'a>,
    blocks: &'a mut [B],
    place: fn(&SuperBlock) -> B,
}

impl<B> Kernel for EncodeRows<'_, B> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Self { model, rows, blocks, place } = self;
        let (mut x, mut importance) = (Tile::new(), Tile::new());
        let weights = rows.weights.as_chunks().0.chunks(L::WIDTH);
        for (batch, (blocks, weights)) in blocks.chunks_mut(L::WIDTH).zip(weights).enumerate() {
            let starts = (batch * L::WIDTH..batch * L::WIDTH + blocks.len()).map(|block| block * 256);
            x.fill::<L>(rows.weights, starts.clone());
            let fits = match rows.importance {
                None => fit::<L>(model, &x),
                Some(row) => {
                    importance.fill::<L>(row, starts.map(|start| start % rows.row_elements));
                    fit_with_importance::<L>(model, &x, &importance)
                }
            };
            place_all(model, weights, &fits, blocks, place);
        }
    }
}

/// Super-blocks side by side, before the scales are stored.
struct Fits<L: Lanes> {
    /// Two sub-blocks each.
    sub_blocks: [Affine<Pair<L>>; 4],
    scale: L,
    minimum: L,
    scales: [L; 8],
    minimums: [L; 8],
}

/// Weighs the error by magnitude, and takes the largest scale and minimum to 63.
#[inline(always)]
fn fit<L: Lanes>(model: &Model, x: &Tile<256>) -> Fits<L> {
    let mut sub_blocks = [Affine::none(); 4];
    for (pair, fit) in sub_blocks.iter_mut().enumerate() {
        let x = x.load_pair::<L, 32>(pair * 64);
        let root_mean_square = (sum_of_squares(&x) / Pair::splat(32.0)).sqrt();
        let mut w = x;
        for w in &mut w {
            *w = root_mean_square + w.abs();
        }
        *fit = affine(&x, &w, model.largest_code, &model.trials_without_importance);
    }
    let (scale, scales) = to_sixty_three(&scales(&sub_blocks));
    let (minimum, minimums) = to_sixty_three(&drops(&sub_blocks));
    Fits { sub_blocks, scale, minimum, scales, minimums }
}

/// Weighs the error by importance, and searches the scales and minimums too.
#[inline(always)]
fn fit_with_importance<L: Lanes>(model: &Model, x: &Tile<256>, importance: &Tile<256>) -> Fits<L> {
    let variance = L::splat(2.0) * sum_of_squares(&x.load::<L, 256>(0)) / L::splat(256.0);
    let mut sub_blocks = [Affine::none(); 4];
    let mut sums = [L::zero(); 8];
    for (pair, fit) in sub_blocks.iter_mut().enumerate() {
        let x = x.load_pair::<L, 32>(pair * 64);
        let w = importance_weights(&importance.load_pair(pair * 64), Pair(variance, variance), &x);
        let sum = sum(&w);
        (sums[2 * pair], sums[2 * pair + 1]) = (sum.0, sum.1);
        *fit = affine(&x, &w, model.largest_code, &Trials::WITH_IMPORTANCE);
    }
    let Scaled { scale, codes: mut scales } = nonnegative(&scales(&sub_blocks), &sums, 63.0);
    let Scaled { scale: minimum, codes: mut minimums } = nonnegative(&drops(&sub_blocks), &sums, 63.0);
    cap(&mut scales, model.largest_searched_scale);
    cap(&mut minimums, model.largest_searched_scale);
    Fits { sub_blocks, scale, minimum, scales, minimums }
}

/// The scales of the sub-blocks.
#[inline(always)]
fn scales<L: Lanes>(sub_blocks: &[Affine<Pair<L>>; 4]) -> [L; 8] {
    let mut scales = [L::zero(); 8];
    for (scales, fit) in scales.as_chunks_mut().0.iter_mut().zip(sub_blocks) {
        *scales = [fit.scale.0, fit.scale.1];
    }
    scales
}

/// The minimums of the sub-blocks as they are stored: how far below zero.
#[inline(always)]
fn drops<L: Lanes>(sub_blocks: &[Affine<Pair<L>>; 4]) -> [L; 8] {
    let mut drops = [L::zero(); 8];
    for (drops, fit) in drops.as_chunks_mut().0.iter_mut().zip(sub_blocks) {
        *drops = [-fit.minimum.0, -fit.minimum.1];
    }
    drops
}

#[inline(always)]
fn cap<L: Lanes>(codes: &mut [L; 8], largest: f32) {
    let largest = L::splat(largest);
    for code in codes {
        *code = L::select(code.gt(largest), largest, *code);
    }
}

/// Stores the scales, rounds the weights with them as a decoder will see them, and makes the blocks. Where a
/// stored scale is zero, the codes of the fit remain.
#[inline(always)]
fn place_all<L: Lanes, B>(
    model: &Model,
    weights: &[[f32; 256]],
    fits: &Fits<L>,
    blocks: &mut [B],
    place: fn(&SuperBlock) -> B,
) {
    let (scales, minimums) = (numbers(fits.scale), numbers(fits.minimum));
    let (scale_codes, minimum_codes) = (code_tile(&fits.scales), code_tile(&fits.minimums));
    let mut found = [CodeRules::NONE; 4];
    for (rules, fit) in found.iter_mut().zip(&fits.sub_blocks) {
        *rules = fit.rules();
    }
    let (mut steps, mut drops) = ([[0.0; MAX_WIDTH]; 8], [[0.0; MAX_WIDTH]; 8]);
    for (lane, (block, weights)) in blocks.iter_mut().zip(weights).enumerate() {
        let (scale, minimum) = (F16::from_f32(scales[lane]), F16::from_f32(minimums[lane]));
        let unpacked =
            ScalesAndMinimums { scales: scale_codes.block(lane), minimums: minimum_codes.block(lane) };
        let scales_and_minimums = k_scales::pack(&unpacked);
        let decoded = Steps::new::<L>(scale, minimum, &scales_and_minimums);
        for group in 0..8 {
            (steps[group][lane], drops[group][lane]) = (decoded.steps[group], decoded.drops[group]);
        }
        let stored = Stored { steps: &steps, drops: &drops };
        let codes =
            stored.codes::<L>(lane, Reach::from_zero(model.largest_code), &Found::Rules(&found), weights);
        *block = place(&SuperBlock { scale, minimum, scales_and_minimums, codes });
    }
}

/// A block that is decoded by its steps.
pub(crate) trait AffineBlock: Block {
    /// What its codes count in.
    fn steps<L: Lanes>(&self) -> Steps;

    /// The weights, by these steps.
    fn decode_with<L: Lanes>(&self, steps: &Steps, weights: &mut [f32; 256]);
}

/// Blocks whose steps are collected before their weights are made.
const COLLECTED: usize = 8;

/// Decodes blocks. Steps that come from memory reach all lanes on the way; moving them there from within a register
/// takes as long as half of the weights.
#[inline(always)]
pub(crate) fn decode_blocks<L: Lanes, B: AffineBlock>(blocks: &[B], weights: &mut [f32]) {
    let mut collected = [const { Steps { steps: [0.0; 8], drops: [0.0; 8] } }; COLLECTED];
    for (blocks, weights) in blocks.chunks(COLLECTED).zip(weights.chunks_mut(COLLECTED * 256)) {
        for (steps, block) in collected.iter_mut().zip(blocks) {
            *steps = block.steps::<L>();
        }
        for ((block, weights), steps) in blocks.iter().zip(weights.as_chunks_mut().0).zip(&collected) {
            block.decode_with::<L>(steps, weights);
        }
    }
}

/// Per sub-block the weight of a step, and what is subtracted.
pub(crate) struct Steps {
    steps: [f32; 8],
    drops: [f32; 8],
}

impl Steps {
    #[inline(always)]
    pub(crate) fn new<L: Lanes>(scale: F16, minimum: F16, packed: &[u8; 12]) -> Self {
        let ScalesAndMinimums { scales, minimums } = k_scales::unpack(packed);
        // All in one register, if it has sixteen lanes.
        let (codes, mut products) = ([scales, minimums], [[0.0; 8]; 2]);
        let runs = codes.as_flattened().chunks_exact(L::WIDTH);
        for (run, (codes, products)) in
            runs.zip(products.as_flattened_mut().chunks_exact_mut(L::WIDTH)).enumerate()
        {
            let is_scale = L::mask(0xFF >> (run * L::WIDTH));
            let unit = L::select(is_scale, L::splat_half(scale), L::splat_half(minimum));
            (unit * L::from_bytes(codes)).store(products);
        }
        let [steps, drops] = products;
        Self { steps, drops }
    }

    /// The weights of a block whose codes are the low nibbles of 32 bytes, then the high ones, and so on.
    #[inline(always)]
    pub(crate) fn decode_nibbles<L: Lanes>(&self, quants: &[u8; 128], weights: &mut [f32; 256]) {
        let groups = weights.as_chunks_mut::<64>().0.iter_mut().zip(quants.as_chunks::<32>().0);
        let each = self.steps.as_chunks::<2>().0.iter().zip(self.drops.as_chunks::<2>().0);
        for ((weights, codes), (steps, drops)) in groups.zip(each) {
            let tables = [table::<L>(steps[0], drops[0]), table::<L>(steps[1], drops[1])];
            let (low, high) = weights.split_at_mut(32);
            let runs = low.chunks_exact_mut(L::WIDTH).zip(high.chunks_exact_mut(L::WIDTH));
            for (codes, (low, high)) in codes.chunks_exact(L::WIDTH).zip(runs) {
                let codes = L::load_byte_codes(codes);
                L::look_up_16(&tables[0], codes).store(low);
                L::look_up_16(&tables[1], L::from_codes(codes, 4).to_codes()).store(high);
            }
        }
    }

    /// The weights of a block.
    #[inline(always)]
    pub(crate) fn decode<L: Lanes>(&self, quants: &[i8; 256], weights: &mut [f32; 256]) {
        let groups = weights.as_chunks_mut::<32>().0.iter_mut().zip(quants.as_chunks::<32>().0);
        for ((weights, quants), (step, drop)) in groups.zip(self.steps.iter().zip(&self.drops)) {
            lowered(quants, L::splat(*step), L::splat(*drop), weights);
        }
    }
}

/// The weights that the codes from 0 to 15 stand for.
#[inline(always)]
fn table<L: Lanes>(step: f32, drop: f32) -> [f32; 16] {
    const CODES: [i8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut table = [0.0; 16];
    lowered(&CODES, L::splat(step), L::splat(drop), &mut table);
    table
}

/// Codes that take the largest value to 63, and the value of a unit.
#[inline(always)]
fn to_sixty_three<L: Lanes>(values: &[L; 8]) -> (L, [L; 8]) {
    let mut largest = L::zero();
    for &value in values {
        largest = L::select(value.gt(largest), value, largest);
    }
    let units_per_value = L::select(largest.gt(L::zero()), L::splat(63.0) / largest, L::zero());
    let mut codes = *values;
    for code in &mut codes {
        *code = (units_per_value * *code).round_even_to_byte();
    }
    cap(&mut codes, 63.0);
    (largest / L::splat(63.0), codes)
}

#[inline(always)]
fn code_tile<L: Lanes>(codes: &[L; 8]) -> CodeTile<8> {
    let mut tile = CodeTile::new();
    tile.store(0, codes);
    tile
}
