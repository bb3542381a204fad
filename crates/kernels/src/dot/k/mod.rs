//! The super-blocks of 256 weights with scales of their own for each 16 or 32: Q2_K to Q6_K.
//!
//! A sub-block's scale multiplies sums of two products, which fit a word, so that scaling and summing is one operation.

mod affine;
mod q2_k;
mod symmetric;

use crate::activations::Tile;
use crate::simd::Simd;

/// The sums of products of a super-block in eight lanes, element `i` in lane `i % 8`, where each group of
/// `256 / GROUPS` weights is multiplied by its scale.
fn lanes<const GROUPS: usize>(weights: &[i8; 256], scales: &[i32; GROUPS], activations: &Tile) -> [i32; 8] {
    let mut lanes = [0; 8];
    for (i, (weight, activation)) in weights.iter().zip(activations.quants).enumerate() {
        lanes[i % 8] += scales[i * GROUPS / 256] * i32::from(*weight) * i32::from(activation);
    }
    lanes
}

/// Adds the lanes of a super-block, scaled, to those of a row.
fn add_lanes(sums: &mut [f32; 8], scale: f32, products: [i32; 8]) {
    for (sum, products) in sums.iter_mut().zip(products) {
        *sum += scale * products as f32;
    }
}

/// The low and the high nibbles of 32 bytes.
#[inline(always)]
fn nibbles<S: Simd>(simd: S, bytes: &[u8; 32]) -> [S::Ints; 2] {
    let bytes = simd.load(bytes);
    // What comes over from other bytes is masked. Where bits can be moved inside bytes, that takes the time of a
    // product.
    [simd.bits::<0, 4, 0>(bytes), simd.bits::<0, 4, 0>(simd.shift_right_ints::<4>(bytes))]
}

/// The codes of 128 bytes: of each 32 the low nibbles, then the high ones.
#[inline(always)]
fn all_nibbles<S: Simd>(simd: S, bytes: &[u8; 128]) -> [S::Ints; 8] {
    let bytes = runs(bytes);
    let mut codes = [simd.zero(); 8];
    unrolled!(i in 0 1 2 3 => {
        [codes[2 * i], codes[2 * i + 1]] = nibbles(simd, &bytes[i]);
    });
    codes
}

/// The codes of 64 bytes: of each 32 the [`planes`].
#[inline(always)]
pub(super) fn all_planes<S: Simd>(simd: S, bytes: &[u8; 64]) -> [S::Ints; 8] {
    let bytes = runs(bytes);
    let ([a, b, c, d], [e, f, g, h]) = (planes(simd, &bytes[0]), planes(simd, &bytes[1]));
    [a, b, c, d, e, f, g, h]
}

/// The runs of 32 bytes of a field.
#[inline(always)]
pub(super) fn runs<const N: usize>(bytes: &[u8; N]) -> &[[u8; 32]] {
    bytes.as_chunks().0
}

/// The four planes of 2 bits of 32 bytes. The second stays where it is, as four times its value, and the third is moved
/// there: a mask is cheaper than moving bits.
#[inline(always)]
pub(super) fn planes<S: Simd>(simd: S, bytes: &[u8; 32]) -> [S::Ints; 4] {
    let bytes = simd.load(bytes);
    [
        simd.bits::<0, 2, 0>(bytes),
        simd.bits::<2, 2, 2>(bytes),
        simd.bits::<4, 2, 2>(bytes),
        simd.bits::<6, 2, 0>(bytes),
    ]
}

/// What the scale of each 16 codes is multiplied with where these lie in [`planes`], so that all products have four
/// times their value.
pub(super) const LEVELLED: [i16; 16] = [4, 4, 1, 1, 1, 1, 4, 4, 4, 4, 1, 1, 1, 1, 4, 4];
