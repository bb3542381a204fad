//! What decoders share: how they are run, and the few forms that a run of weights has.
//!
//! A type says how its codes come out of a block and which numbers scale them. Whatever is a loop over weights is
//! here.

use briq_format::block::Block;

use crate::lanes::{Isa, Kernel, Lanes, Lines, MAX_WIDTH, before_lines, dispatch, make_past_caches};
use crate::row::Decode;

/// A type that is decoded over lanes, a lane per weight.
pub(crate) trait DecodeLanes: Block {
    /// As [`Decode::decode`]. Mark it, and all it calls, `#[inline(always)]`.
    fn decode_lanes<L: Lanes>(blocks: &[Self], weights: &mut [f32]);
}

impl<B: DecodeLanes> Decode for B {
    fn decode(blocks: &[Self], weights: &mut [f32]) {
        let isa = Isa::best();
        if weights.len() >= LONG {
            decode_past_caches(isa, blocks, weights);
        } else if B::ELEMENTS == 1 {
            // Numbers can begin where a line of the cache does.
            let first = before_lines(weights).min(blocks.len());
            let (first_weights, weights) = weights.split_at_mut(first);
            let (first_blocks, blocks) = blocks.split_at(first);
            dispatch(isa, DecodeBlocks { blocks: first_blocks, weights: first_weights });
            dispatch(isa, DecodeBlocks { blocks, weights });
        } else {
            dispatch(isa, DecodeBlocks { blocks, weights });
        }
    }
}

/// From how many weights on they go past the caches: 32 MiB, what the last one holds for a few cores. Measured on Zen 4
/// with one thread and two, 16 million weights of types that memory bounds take a tenth to a quarter less time so; a
/// quarter of them take more.
const LONG: usize = 8 << 20;

/// Decodes weights past the caches.
fn decode_past_caches<B: DecodeLanes>(isa: Isa, mut blocks: &[B], weights: &mut [f32]) {
    let decoded = blocks.len().min(weights.len() / B::ELEMENTS) * B::ELEMENTS;
    make_past_caches(isa, &mut weights[..decoded], |weights| {
        let (now, later) = blocks.split_at(weights.len() / B::ELEMENTS);
        dispatch(isa, DecodeBlocks { blocks: now, weights });
        blocks = later;
    });
}

struct DecodeBlocks<'a, B> {
    blocks: &'a [B],
    weights: &'a mut [f32],
}

impl<B: DecodeLanes> Kernel for DecodeBlocks<'_, B> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        B::decode_lanes::<L>(self.blocks, self.weights);
    }
}

/// The steps of sixteen sub-blocks: their scales times `unit`.
#[inline(always)]
pub(crate) fn steps<L: Lanes>(unit: L, scales: &[i8; 16]) -> [f32; 16] {
    let mut steps = [0.0; 16];
    scaled(scales, unit, &mut steps);
    steps
}

/// Weights that are codes times `step`.
#[inline(always)]
pub(crate) fn scaled<L: Lanes>(codes: &[i8], step: L, weights: &mut [f32]) {
    for (codes, weights) in codes.chunks_exact(L::WIDTH).zip(weights.chunks_exact_mut(L::WIDTH)) {
        (L::from_signed_bytes(codes) * step).store(weights);
    }
}

/// The same for many codes, with stores that do not cross lines of the cache: what a register reaches beyond the first
/// line and the last goes in pieces. Measured on Zen 4, stores that cross lines take a third more time while weights
/// stay in a cache of the second level.
#[inline(always)]
pub(crate) fn scaled_by_lines<L: Lanes>(codes: &[i8], step: L, weights: &mut [f32]) {
    let length = codes.len().min(weights.len());
    let first = weights.as_ptr().align_offset(size_of::<f32>() * L::WIDTH);
    if length < 2 * L::WIDTH || first >= L::WIDTH {
        return scaled(codes, step, weights);
    }
    let last = (length - first) % L::WIDTH;
    // Where it lay across lines, what is stored could not be loaded at once.
    let mut piece = Lines([0.0; MAX_WIDTH]);
    let piece = &mut piece.0;
    scaled(&codes[..L::WIDTH], step, piece);
    copy_few(&piece[..first], &mut weights[..first]);
    scaled(&codes[first..length], step, &mut weights[first..length]);
    scaled(&codes[length - L::WIDTH..length], step, piece);
    copy_few(&piece[L::WIDTH - last..L::WIDTH], &mut weights[length - last..length]);
}

/// Copies less than a register without calling anybody.
#[inline(always)]
fn copy_few(from: &[f32], to: &mut [f32]) {
    let mut done = 0;
    done += copy_first::<8>(&from[done..], &mut to[done..]);
    done += copy_first::<4>(&from[done..], &mut to[done..]);
    done += copy_first::<2>(&from[done..], &mut to[done..]);
    copy_first::<1>(&from[done..], &mut to[done..]);
}

/// Copies the first `N`, if there are so many, and says how many.
#[inline(always)]
fn copy_first<const N: usize>(from: &[f32], to: &mut [f32]) -> usize {
    match (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
        (Some(from), Some(to)) => {
            *to = *from;
            N
        }
        _ => 0,
    }
}

/// Weights that are codes times `step` plus `minimum`. Where neither term is a number, the weight is the first one's
/// NaN.
#[inline(always)]
pub(crate) fn raised<L: Lanes>(codes: &[i8], step: L, minimum: L, weights: &mut [f32]) {
    for (codes, weights) in codes.chunks_exact(L::WIDTH).zip(weights.chunks_exact_mut(L::WIDTH)) {
        let scaled = L::from_signed_bytes(codes) * step;
        // Which of two NaN a sum keeps depends on their order, and compilers turn sums round; differences stay as they
        // are written.
        L::select(scaled.eq(scaled), scaled + minimum, scaled).store(weights);
    }
}

/// Weights that are codes times `step` minus `drop`.
#[inline(always)]
pub(crate) fn lowered<L: Lanes>(codes: &[i8], step: L, drop: L, weights: &mut [f32]) {
    for (codes, weights) in codes.chunks_exact(L::WIDTH).zip(weights.chunks_exact_mut(L::WIDTH)) {
        (step * L::from_signed_bytes(codes) - drop).store(weights);
    }
}

/// Weights that are the levels of codes below 16 times `step`.
#[inline(always)]
pub(crate) fn levelled<L: Lanes>(levels: &[i8; 16], codes: &[u8], step: L, weights: &mut [f32]) {
    for (codes, weights) in codes.chunks_exact(L::WIDTH).zip(weights.chunks_exact_mut(L::WIDTH)) {
        (L::from_levels(levels, codes) * step).store(weights);
    }
}

/// Weights that are magnitudes times `step`, negative where their bit of `signs` is set: bit 0 of the first byte
/// for the first. A step that is not a number also takes the sign. At most 32.
#[inline(always)]
pub(crate) fn signed<L: Lanes>(magnitudes: &[u8], step: L, signs: u32, weights: &mut [f32]) {
    let runs = magnitudes.chunks_exact(L::WIDTH).zip(weights.chunks_exact_mut(L::WIDTH));
    for (run, (magnitudes, weights)) in runs.enumerate() {
        let weight = step * L::from_bytes(magnitudes);
        L::select(L::mask(signs >> (run * L::WIDTH)), -weight, weight).store(weights);
    }
}

#[cfg(test)]
mod tests {
    use briq_format::{block, for_each_type};
    use proptest::prelude::*;

    use super::*;
    use crate::dispatch::view;

    /// Any bytes, scales that are not finite among them.
    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![4 => any::<u8>(), 1 => Just(0xFF), 1 => Just(0x7C), 1 => Just(0)];
        proptest::collection::vec(byte, 3 * 292..4 * 292)
    }

    fn bits<B: DecodeLanes>(isa: Isa, blocks: &[B], first: usize) -> Vec<u32> {
        let mut weights = vec![0.5; first + blocks.len() * B::ELEMENTS + 1];
        dispatch(isa, DecodeBlocks { blocks, weights: &mut weights[first..] });
        let mut past_caches = vec![0.5; weights.len()];
        decode_past_caches(isa, blocks, &mut past_caches[first..]);
        let bits: Vec<u32> = weights.into_iter().map(f32::to_bits).collect();
        assert!(past_caches.into_iter().map(f32::to_bits).eq(bits.iter().copied()), "{} with {isa}", B::TYPE);
        bits
    }

    fn instruction_sets_agree<B: DecodeLanes>(bytes: &[u8], first: usize) {
        let blocks = view::<B>(&bytes[..bytes.len() / size_of::<B>() * size_of::<B>()]).unwrap();
        let mut available = Isa::available().into_iter();
        let expected = bits(available.next().unwrap(), blocks, first);
        let half = 0.5_f32.to_bits();
        assert!(expected[..first].iter().all(|&bits| bits == half) && expected.last() == Some(&half));
        for isa in available {
            assert!(bits(isa, blocks, first) == expected, "{} with {isa}", B::TYPE);
        }
    }

    /// The bits that ggml's decoder gives.
    #[test]
    fn of_two_that_are_no_numbers_the_scale_s_is_kept() {
        let mut bytes = [0; 20];
        bytes[..4].copy_from_slice(&[0x02, 0x7E, 0x01, 0xFE]);
        let blocks = view::<block::Q4_1>(&bytes).unwrap();
        for isa in Isa::available() {
            assert_eq!(bits(isa, blocks, 0)[..32], [0x7FC0_4000; 32], "{isa}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Also where the weights begin at any place of a cache line, and end before their slice does.
        #[test]
        fn weights_do_not_depend_on_the_instruction_set(bytes in bytes(), first in 0_usize..20) {
            macro_rules! check {
                ($($name:ident)*) => {
                    $(instruction_sets_agree::<block::$name>(&bytes, first);)*
                };
            }
            for_each_type!(check);
        }

        #[test]
        fn a_longer_side_is_left_as_it_is(bytes in bytes(), weights in 0_usize..600) {
            macro_rules! check {
                ($($name:ident)*) => {
                    $({
                        let whole = bytes.len() / size_of::<block::$name>() * size_of::<block::$name>();
                        let blocks = view::<block::$name>(&bytes[..whole]).unwrap();
                        let elements = block::$name::ELEMENTS;
                        let (mut all, mut few) = (vec![0.5; blocks.len() * elements], vec![0.5; weights]);
                        Decode::decode(blocks, &mut all);
                        Decode::decode(blocks, &mut few);
                        let decoded = (weights / elements * elements).min(all.len());
                        prop_assert!(few[..decoded].iter().zip(&all).all(|(a, b)| a.to_bits() == b.to_bits()));
                        prop_assert!(few[decoded..].iter().all(|weight| *weight == 0.5), "{}", stringify!($name));
                    })*
                };
            }
            for_each_type!(check);
        }
    }
}
