//! The super-blocks of 256 weights with scales of their own for each 16 or 32: Q2_K to Q6_K.
//!
//! A sub-block's scale multiplies sums of two products, which fit a word, so that scaling and summing is one operation.

use briq_codec::points::q3_k_scales;
use briq_codec::{Quants, k_scales};
use briq_format::TensorType;
use briq_format::block::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K};
use briq_format::scalar::F16;
use zerocopy::{Immutable, IntoBytes};

use super::{Dot, add_scaled, integer_dot, products, sums, tiles_at, trimmed};
use crate::activations::Tile;
use crate::simd::Simd;

/// The sums of products of a super-block in eight lanes, element `i` in lane `i % 8`, where each group of
/// `256 / GROUPS` weights is multiplied by its scale.
fn lanes<const GROUPS: usize>(weights: &[i8; 256], scales: &[i32; GROUPS], activations: &Tile) -> [i32; 8] {
    let mut lanes = [0; 8];
    for (i, (weight, activation)) in weights.iter().zip(activations.in_order()).enumerate() {
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

/// Q3_K and Q6_K one number at a time: a scale for each 16 weights, and no minimum.
fn symmetric<B: Quants<256>>(row: &[B], column: &[Tile], header: impl Fn(&B) -> (F16, [i32; 16])) -> f32 {
    let mut sums = [0.0; 8];
    for (weights, tile) in row.iter().zip(column) {
        let (scale, scales) = header(weights);
        let products = lanes(&weights.quants(), &scales, tile);
        add_lanes(&mut sums, scale.to_f32() * tile.scales[0], products);
    }
    sums.iter().fold(0.0, |sum, lane| sum + lane)
}

/// Q4_K and Q5_K one number at a time: the minimums times the sums of activations are taken off block by block.
fn affine<B: Quants<256>>(row: &[B], column: &[Tile], header: impl Fn(&B) -> (F16, F16, [u8; 12])) -> f32 {
    let mut sum = 0.0;
    let mut sums = [0.0; 8];
    for (weights, tile) in row.iter().zip(column) {
        let (scale, minimum, packed) = header(weights);
        let unpacked = k_scales::unpack(&packed);
        let products = lanes(&weights.quants(), &unpacked.scales.map(i32::from), tile);
        add_lanes(&mut sums, scale.to_f32() * tile.scales[0], products);
        let minimums = unpacked.minimums.iter().zip(&tile.negative_sums);
        let rise: i32 = minimums.map(|(&minimum, negative_sum)| i32::from(minimum) * negative_sum).sum();
        sum += minimum.to_f32() * tile.scales[0] * rise as f32;
    }
    sums.iter().fold(sum, |sum, lane| sum + lane)
}

/// Q4_K and Q5_K: what both do with a super-block, whose codes are already there. They begin with the same 16 bytes.
#[inline(always)]
fn add_affine<S: Simd, const C: usize>(
    simd: S,
    header: &[u8; 16],
    codes: [S::Ints; 8],
    tiles: [&Tile; C],
    sums: &mut [[S::Floats; 2]; C],
) {
    let (units, first, last) = taken_apart(header);
    let (scales, minimums) = simd.k_scales(first, last);
    let products = products(simd, scales, codes, tiles, [simd.zero(); C]);
    for c in 0..C {
        let tile = tiles[c];
        let rise = rise(simd, minimums, tile);
        let [scale, minimum] = simd.scaled_pair(units, tile.scales[0]);
        sums[c][0] = add_scaled(simd, sums[c][0], products[c], scale);
        sums[c][1] = add_scaled(simd, sums[c][1], rise, minimum);
    }
}

/// The products of minimums with the sums of activations, which fit words like them.
#[inline(always)]
fn rise<S: Simd>(simd: S, minimums: S::Ints, tile: &Tile) -> S::Ints {
    simd.add_scaled(simd.zero(), minimums, simd.load_ints(&tile.negative_sums))
}

/// Scale and minimum as one number, and the scales and minimums of each 32 weights for [`Simd::k_scales`], from the first
/// 16 bytes of a block. Plain numbers are taken apart while vectors compute.
#[inline(always)]
fn taken_apart(header: &[u8; 16]) -> (u32, u64, u64) {
    let both = u128::from_le_bytes(*header);
    let (units, first, last) = (both as u32, (both >> 32) as u64, (both >> 96) as u64);
    // The first four of each, and then the others: a nibble, and two bits from the top of the first.
    let low = first & 0x3F3F_3F3F_3F3F_3F3F;
    let high = (last | last << 28) & 0x0F0F_0F0F_0F0F_0F0F | first >> 2 & 0x3030_3030_3030_3030;
    (units, low, high)
}

/// Scale, minimum, and the scales and minimums of sub-blocks: the first 16 bytes of a block.
#[inline(always)]
fn header<B: IntoBytes + Immutable>(block: &B) -> &[u8; 16] {
    // Both blocks are longer: the fallback is never taken.
    block.as_bytes().first_chunk().unwrap_or(&[0; 16])
}

/// The low and the high nibbles of 32 bytes.
#[inline(always)]
fn nibbles<S: Simd>(simd: S, bytes: &[u8; 32]) -> [S::Ints; 2] {
    let bytes = simd.load(bytes);
    // What comes over from other bytes is masked. Where bits can be moved inside bytes, that takes the time of a product.
    [simd.bits::<0, 4, 0>(bytes), simd.bits::<0, 4, 0>(simd.shift_right_ints::<4>(bytes))]
}

/// The runs of 32 bytes of a field.
#[inline(always)]
pub(super) fn runs<const N: usize>(bytes: &[u8; N]) -> &[[u8; 32]] {
    bytes.as_chunks().0
}

impl Dot for Q4_K {
    const PARTNER: TensorType = TensorType::Q8_K;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        affine(row, column, |block| (block.scale, block.minimum, block.scales_and_minimums))
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let (mut sums, mut rises) = ([simd.wide_zeros(); C], [simd.zeros(); C]);
        let columns = trimmed(columns, row.len());
        for place in 0..row.len() {
            let block = &row[place];
            let tiles = tiles_at(columns, place);
            let (units, first, last) = taken_apart(header(block));
            let (mut quants, mut scales, mut minimum) = ([&tiles[0].quants; C], [0.0; C], [0.0; C]);
            for c in 0..C {
                quants[c] = &tiles[c].quants;
                [scales[c], minimum[c]] = simd.scaled_pair(units, tiles[c].scales[0]);
            }
            let minimums = simd.add_nibbles(&mut sums, &block.quants, [first, last], quants, scales);
            for c in 0..C {
                rises[c] = add_scaled(simd, rises[c], rise(simd, minimums, tiles[c]), minimum[c]);
            }
        }
        let mut parts = [[simd.zeros(); 2]; C];
        for c in 0..C {
            parts[c] = [simd.folded(sums[c]), rises[c]];
        }
        both(simd, parts)
    }
}

/// The sums of all columns, each in two parts.
#[inline(always)]
pub(super) fn both<S: Simd, const C: usize>(simd: S, parts: [[S::Floats; 2]; C]) -> [f32; C] {
    let mut products = [0.0; C];
    for c in 0..C {
        products[c] = simd.sum(simd.add_floats(parts[c][0], parts[c][1]));
    }
    products
}

impl Dot for Q5_K {
    const PARTNER: TensorType = TensorType::Q8_K;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        affine(row, column, |block| (block.scale, block.minimum, block.scales_and_minimums))
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let mut sums = [[simd.zeros(); 2]; C];
        let columns = trimmed(columns, row.len());
        for place in 0..row.len() {
            let block = &row[place];
            let high = simd.load(&block.high_bits);
            // Bit `run` of a byte, moved to where the fifth bit of a code is.
            let high = [
                simd.bits::<0, 1, 4>(high),
                simd.bits::<1, 1, 4>(high),
                simd.bits::<2, 1, 4>(high),
                simd.bits::<3, 1, 4>(high),
                simd.bits::<4, 1, 4>(high),
                simd.bits::<5, 1, 4>(high),
                simd.bits::<6, 1, 4>(high),
                simd.bits::<7, 1, 4>(high),
            ];
            let mut codes = [simd.zero(); 8];
            let bytes = runs(&block.low_bits);
            unrolled!(i in 0 1 2 3 => {
                let [low, upper] = nibbles(simd, &bytes[i]);
                codes[2 * i] = simd.or(low, high[2 * i]);
                codes[2 * i + 1] = simd.or(upper, high[2 * i + 1]);
            });
            add_affine(simd, header(block), codes, tiles_at(columns, place), &mut sums);
        }
        both(simd, sums)
    }
}

/// Codes with a scale per 16 and a zero point: the sum of scales times codes less the zero point, times quants.
/// Words are the scales as codes are multiplied with them, and those of the zero point.
#[inline(always)]
fn add_sixteens<S: Simd, const C: usize, const ZERO: i32>(
    simd: S,
    (scale, [scales, of_zero]): (f32, [S::Ints; 2]),
    codes: [S::Ints; 8],
    tiles: [&Tile; C],
    sums: &mut [S::Floats; C],
) {
    let mut excess = [simd.zero(); C];
    for c in 0..C {
        // What the zero point adds is taken off for all at once.
        let negative_sums = simd.load_words(&tiles[c].negative_sums_16);
        excess[c] = simd.shift_left_ints::<ZERO>(simd.add_scaled(simd.zero(), of_zero, negative_sums));
    }
    let products = products(simd, simd.scales_by_16(scales), codes, tiles, excess);
    for c in 0..C {
        sums[c] = add_scaled(simd, sums[c], products[c], scale * tiles[c].scales[0]);
    }
}

impl Dot for Q6_K {
    const PARTNER: TensorType = TensorType::Q8_K;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        symmetric(row, column, |block| (block.scale, block.scales.map(i32::from)))
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let mut totals = [simd.zeros(); C];
        let columns = trimmed(columns, row.len());
        for place in 0..row.len() {
            let block = &row[place];
            let (low, high) = (runs(&block.low_bits), runs(&block.high_bits));
            let mut codes = [simd.zero(); 8];
            unrolled!(half in 0 1 => {
                let high = simd.load(&high[half]);
                let [a, c] = nibbles(simd, &low[2 * half]);
                let [b, d] = nibbles(simd, &low[2 * half + 1]);
                codes[4 * half] = simd.or(a, simd.bits::<0, 2, 4>(high));
                codes[4 * half + 1] = simd.or(b, simd.bits::<2, 2, 4>(high));
                codes[4 * half + 2] = simd.or(c, simd.bits::<4, 2, 4>(high));
                codes[4 * half + 3] = simd.or(d, simd.bits::<6, 2, 4>(high));
            });
            let (scale, scales) = (simd.half(block.scale.to_bits()), simd.words(&block.scales));
            let scales = (scale, [scales; 2]);
            add_sixteens::<S, C, 5>(simd, scales, codes, tiles_at(columns, place), &mut totals);
        }
        sums(simd, totals)
    }
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

/// What the scale of each 16 codes is multiplied with where these lie in [`planes`], so that all products have four times
/// their value.
const LEVELLED: [i16; 16] = [4, 4, 1, 1, 1, 1, 4, 4, 4, 4, 1, 1, 1, 1, 4, 4];

impl Dot for Q3_K {
    const PARTNER: TensorType = TensorType::Q8_K;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let scales = |block: &Self| q3_k_scales(&block.scales).map(|scale| i32::from(scale) - 32);
        symmetric(row, column, |block| (block.scale, scales(block)))
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let mut totals = [simd.zeros(); C];
        let columns = trimmed(columns, row.len());
        for place in 0..row.len() {
            let block = &row[place];
            let high = simd.load(&block.high_bits);
            let high = [
                simd.bits::<0, 1, 2>(high),
                simd.bits::<1, 1, 4>(high),
                simd.bits::<2, 1, 4>(high),
                simd.bits::<3, 1, 2>(high),
                simd.bits::<4, 1, 2>(high),
                simd.bits::<5, 1, 4>(high),
                simd.bits::<6, 1, 4>(high),
                simd.bits::<7, 1, 2>(high),
            ];
            let mut codes = [simd.zero(); 8];
            let bytes = runs(&block.low_bits);
            let planes = [planes(simd, &bytes[0]), planes(simd, &bytes[1])];
            unrolled!(run in 0 1 2 3 4 5 6 7 => {
                codes[run] = simd.or(planes[run / 4][run % 4], high[run]);
            });
            let scales = simd.add_words(q3_k_words(simd, &block.scales), simd.splat_word(-32));
            let levelled = simd.multiply_words(scales, simd.load_words(&LEVELLED));
            let scales = (simd.half(block.scale.to_bits()) * 0.25, [levelled, scales]);
            // A zero point of 4, four times.
            add_sixteens::<S, C, 4>(simd, scales, codes, tiles_at(columns, place), &mut totals);
        }
        sums(simd, totals)
    }
}

/// The scales of Q3_K, 32 added, as words.
#[inline(always)]
fn q3_k_words<S: Simd>(simd: S, packed: &[u8; 12]) -> S::Ints {
    let [a, b, c, d, e, f, g, h, high @ ..] = *packed;
    let low = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let high = u64::from(u32::from_le_bytes(high));
    let (first, last) = (low & 0x0F0F_0F0F_0F0F_0F0F, low >> 4 & 0x0F0F_0F0F_0F0F_0F0F);
    // Bits 0 and 1, then 2 and 3 of the four bytes go to the first eight scales, the others to the last.
    let pair = |high: u64| (high & 0x0303_0303 | (high >> 2 & 0x0303_0303) << 32) << 4;
    simd.byte_words([first | pair(high), last | pair(high >> 4)])
}

impl Dot for Q2_K {
    const PARTNER: TensorType = TensorType::Q8_K;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let mut sum = 0.0;
        for (weights, tile) in row.iter().zip(column) {
            let (sixteens, quants) = (weights.quants(), tile.in_order());
            let sixteens = sixteens.as_chunks::<16>().0.iter().zip(quants.as_chunks::<16>().0);
            let (mut products, mut drop) = (0, 0);
            for (((weights, quants), packed), negative_sum) in
                sixteens.zip(weights.scales_and_minimums).zip(tile.negative_sums_16)
            {
                products += i32::from(packed & 15) * integer_dot(weights, quants);
                drop -= i32::from(packed >> 4) * i32::from(negative_sum);
            }
            let (scale, minimum) = (weights.scale.to_f32(), weights.minimum.to_f32());
            sum += tile.scales[0] * scale * products as f32 - tile.scales[0] * minimum * drop as f32;
        }
        sum
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let mut sums = [[simd.zeros(); 2]; C];
        let columns = trimmed(columns, row.len());
        for place in 0..row.len() {
            let block = &row[place];
            let tiles = tiles_at(columns, place);
            let packed = simd.byte_words(eights(&block.scales_and_minimums));
            // Products have four times their value, and so have the minimums.
            let (scales, minimums) = (simd.bits::<0, 4, 0>(packed), simd.bits::<4, 4, 2>(packed));
            let scales = simd.multiply_words(scales, simd.load_words(&LEVELLED));
            let bytes = runs(&block.quants);
            let ([a, b, c, d], [e, f, g, h]) = (planes(simd, &bytes[0]), planes(simd, &bytes[1]));
            let codes = [a, b, c, d, e, f, g, h];
            let products = products(simd, simd.scales_by_16(scales), codes, tiles, [simd.zero(); C]);
            // The block ends with scale and minimum, and is longer: the fallback is never taken.
            let units = u32::from_le_bytes(*block.as_bytes().last_chunk().unwrap_or(&[0; 4]));
            for c in 0..C {
                let tile = tiles[c];
                let rise = simd.add_scaled(simd.zero(), minimums, simd.load_words(&tile.negative_sums_16));
                let [scale, minimum] = simd.scaled_pair(units, tile.scales[0]);
                sums[c][0] = add_scaled(simd, sums[c][0], products[c], scale);
                sums[c][1] = add_scaled(simd, sums[c][1], rise, minimum);
            }
        }
        // The sums as well have four times their value.
        let mut products = both(simd, sums);
        for c in 0..C {
            products[c] *= 0.25;
        }
        products
    }
}

/// The two halves of 16 bytes.
#[inline(always)]
fn eights(bytes: &[u8; 16]) -> [u64; 2] {
    let both = u128::from_le_bytes(*bytes);
    [both as u64, (both >> 64) as u64]
}
