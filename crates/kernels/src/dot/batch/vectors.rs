//! What is made of 256 activations of sixteen vectors.

use super::GROUPS;
use crate::activations::Tile;
use crate::simd::Simd;
use crate::simd::matrices::{Bf16s, Bytes, ROWS};

/// The tiles of a group of vectors.
pub(super) type Group<'a> = [&'a Tile; ROWS];

/// The tiles of each group at a place.
#[inline(always)]
pub(super) fn groups<'a>(columns: &[&'a [Tile]; super::VECTORS], place: usize) -> [Group<'a>; GROUPS] {
    let mut groups = [[&Tile::ZERO; ROWS]; GROUPS];
    for group in 0..GROUPS {
        for vector in 0..ROWS {
            groups[group][vector] = &columns[ROWS * group + vector][place];
        }
    }
    groups
}

/// Puts each four quants of the sixteen side by side, where `place` says.
#[inline(always)]
pub(super) fn take_quants<S: Simd>(
    simd: S,
    tiles: &Group<'_>,
    place: impl Fn(usize, usize) -> usize,
    bytes: &mut Bytes,
) {
    for side in 0..2 {
        for run in 0..8 {
            let mut lanes = [simd.zero(); 8];
            for lane in 0..8 {
                lanes[lane] = simd.load_signed(&tiles[8 * side + lane].quants_32()[run]);
            }
            let fours = simd.transpose(lanes);
            for i in 0..8 {
                simd.store_signed(fours[i], &mut bytes.0[place(run, i)][side]);
            }
        }
    }
}

/// Eight floats of each of the sixteen, as `floats(tile)` gives them.
#[inline(always)]
pub(super) fn take_floats<S: Simd>(
    simd: S,
    tiles: &Group<'_>,
    floats: impl Fn(&Tile) -> &[f32; 8],
    taken: &mut [[[f32; 8]; 2]; 8],
) {
    for side in 0..2 {
        let mut lanes = [simd.zero(); 8];
        for lane in 0..8 {
            lanes[lane] = simd.float_bits(simd.load_floats(floats(tiles[8 * side + lane])));
        }
        let lanes = simd.transpose(lanes);
        for i in 0..8 {
            simd.store_floats(simd.reinterpret(lanes[i]), &mut taken[i][side]);
        }
    }
}

/// The sums of each 16 quants with the sign turned, each as two bfloat16 numbers that add up to it: those of the even
/// sixteens first, then those of the odd ones.
#[inline(always)]
pub(super) fn take_sums<S: Simd>(simd: S, tiles: &Group<'_>, sums: &mut Bf16s) {
    for side in 0..2 {
        let (mut even, mut odd) = ([simd.zero(); 8], [simd.zero(); 8]);
        for lane in 0..8 {
            let words = simd.load_words(&tiles[8 * side + lane].negative_sums_16);
            even[lane] = halves(simd, simd.shift_right_ints::<16>(simd.shift_left_ints::<16>(words)));
            odd[lane] = halves(simd, simd.shift_right_ints::<16>(words));
        }
        let (even, odd) = (simd.transpose(even), simd.transpose(odd));
        for i in 0..8 {
            simd.store_ints(even[i], &mut sums.0[i][side]);
            simd.store_ints(odd[i], &mut sums.0[8 + i][side]);
        }
    }
}

/// Two bfloat16 numbers that add up to each int, which is at most 2048 either way: a multiple of 16, and the rest.
#[inline(always)]
fn halves<S: Simd>(simd: S, ints: S::Ints) -> S::Ints {
    let bits = |ints| simd.float_bits(simd.to_floats(ints));
    let most = bits(simd.and(ints, simd.splat_int(!15)));
    simd.or(most, simd.shift_right_ints::<16>(bits(simd.and(ints, simd.splat_int(15)))))
}

/// Each int, at most 256 and not negative, twice as a bfloat16 number.
#[inline(always)]
pub(super) fn twice<S: Simd>(simd: S, ints: S::Ints) -> S::Ints {
    let bits = simd.float_bits(simd.to_floats(ints));
    simd.or(bits, simd.shift_right_ints::<16>(bits))
}
