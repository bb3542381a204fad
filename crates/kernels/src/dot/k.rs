//! The super-blocks of 256 weights with scales of their own for each 16 or 32: Q2_K to Q6_K.
//!
//! A sub-block's scale multiplies sums of two products, which fit a word, so that scaling and summing is one operation.

use briq_codec::points::q3_k_scales;
use briq_codec::{Quants, k_scales};
use briq_format::TensorType;
use briq_format::block::{Q2_K, Q3_K, Q4_K, Q5_K, Q6_K};
use briq_format::scalar::F16;
use zerocopy::{Immutable, IntoBytes};

use super::{Dot, add_scaled, chains, integer_dot, joined, quants, sums, tiles_at};
use crate::activations::Tile;
use crate::simd::Simd;

/// The sums of products of a super-block in eight lanes, element `i` in lane `i % 8`, where each group of
/// `256 / GROUPS` weights is multiplied by its scale.
fn lanes<const GROUPS: usize>(weights: &[i8; 256], scales: &[i32; GROUPS], activations: &Tile) -> [i32; 8] {
    let mut lanes = [0; 8];
    for (i, (weight, activation)) in weights.iter().zip(&activations.quants).enumerate() {
        lanes[i % 8] += scales[i * GROUPS / 256] * i32::from(*weight) * i32::from(*activation);
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
    let (units, scales, minimums) = simd.k_header(header);
    let mut products = [[simd.zero(); 4]; C];
    unrolled!(run in 0 1 2 3 4 5 6 7 => {
        for c in 0..C {
            let pairs = simd.products(codes[run], quants(simd, tiles[c], run));
            products[c][run % chains(C)] = simd.add_scaled(products[c][run % chains(C)], pairs, scales[run]);
        }
    });
    for c in 0..C {
        let tile = tiles[c];
        let products = simd.to_floats(joined::<S, C>(simd, products[c]));
        let rise = simd.to_floats(simd.multiply_ints(minimums, simd.load_ints(&tile.negative_sums)));
        let [scale, minimum] = simd.scaled_pair(units, tile.scales[0]);
        sums[c][0] = simd.multiply_add(products, scale, sums[c][0]);
        sums[c][1] = simd.multiply_add(rise, minimum, sums[c][1]);
    }
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
    [simd.bits::<0, 4, 0>(bytes), simd.bits::<4, 4, 0>(bytes)]
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
        let mut sums = [[simd.zeros(); 2]; C];
        for (place, block) in row.iter().enumerate() {
            let mut codes = [simd.zero(); 8];
            let bytes = runs(&block.quants);
            unrolled!(i in 0 1 2 3 => {
                [codes[2 * i], codes[2 * i + 1]] = nibbles(simd, &bytes[i]);
            });
            add_affine(simd, header(block), codes, tiles_at(columns, place), &mut sums);
        }
        both(simd, sums)
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
        for (place, block) in row.iter().enumerate() {
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

/// Codes with a scale per 16 and a zero point `2^ZERO`: the sum of scales times codes less the zero point, times quants.
/// With `PLANES` the codes are where [`planes`] leaves them.
#[inline(always)]
fn add_sixteens<S: Simd, const C: usize, const ZERO: i32, const PLANES: bool>(
    simd: S,
    (scale, scales): (F16, S::Ints),
    codes: [S::Ints; 8],
    tiles: [&Tile; C],
    sums: &mut [S::Floats; C],
) {
    let spread = simd.by_sixteen(scales);
    let scale = simd.half(scale.to_bits());
    let mut products = [[simd.zero(); 4]; C];
    for c in 0..C {
        // What the zero point adds is taken off for all at once.
        let negative_sums = simd.load_words(&tiles[c].negative_sums_16);
        let excess = simd.add_scaled(simd.zero(), scales, negative_sums);
        products[c][0] = simd.shift_left_ints::<ZERO>(excess);
    }
    unrolled!(run in 0 1 2 3 4 5 6 7 => {
        let chain = if PLANES { run % 4 } else { run % chains(C) };
        for c in 0..C {
            let pairs = simd.products(codes[run], quants(simd, tiles[c], run));
            products[c][chain] = simd.add_scaled(products[c][chain], pairs, spread[run]);
        }
    });
    for c in 0..C {
        let products = match PLANES {
            true => join_planes(simd, products[c]),
            false => joined::<S, C>(simd, products[c]),
        };
        sums[c] = add_scaled(simd, sums[c], products, scale * tiles[c].scales[0]);
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
        for (place, block) in row.iter().enumerate() {
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
            let scales = (block.scale, simd.words(&block.scales));
            add_sixteens::<S, C, 5, false>(simd, scales, codes, tiles_at(columns, place), &mut totals);
        }
        sums(simd, totals)
    }
}

/// The four planes of 2 bits of 32 bytes. The second and the third stay where they are: [`join_planes`] takes their
/// products down at the end, which is cheaper than moving codes. In the place of the fourth, two products would not fit a
/// word.
#[inline(always)]
pub(super) fn planes<S: Simd>(simd: S, bytes: &[u8; 32]) -> [S::Ints; 4] {
    let bytes = simd.load(bytes);
    [
        simd.bits::<0, 2, 0>(bytes),
        simd.bits::<2, 2, 2>(bytes),
        simd.bits::<4, 2, 4>(bytes),
        simd.bits::<6, 2, 0>(bytes),
    ]
}

/// The sum of the products with each of the four planes.
#[inline(always)]
pub(super) fn join_planes<S: Simd>(simd: S, [a, b, c, d]: [S::Ints; 4]) -> S::Ints {
    simd.add(simd.add(a, d), simd.add(simd.shift_right_ints::<2>(b), simd.shift_right_ints::<4>(c)))
}

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
        for (place, block) in row.iter().enumerate() {
            let high = simd.load(&block.high_bits);
            let high = [
                simd.bits::<0, 1, 2>(high),
                simd.bits::<1, 1, 4>(high),
                simd.bits::<2, 1, 6>(high),
                simd.bits::<3, 1, 2>(high),
                simd.bits::<4, 1, 2>(high),
                simd.bits::<5, 1, 4>(high),
                simd.bits::<6, 1, 6>(high),
                simd.bits::<7, 1, 2>(high),
            ];
            let mut codes = [simd.zero(); 8];
            let bytes = runs(&block.low_bits);
            let planes = [planes(simd, &bytes[0]), planes(simd, &bytes[1])];
            unrolled!(run in 0 1 2 3 4 5 6 7 => {
                codes[run] = simd.or(planes[run / 4][run % 4], high[run]);
            });
            let scales = simd.add_words(q3_k_words(simd, &block.scales), simd.splat_word(-32));
            let scales = (block.scale, scales);
            add_sixteens::<S, C, 2, true>(simd, scales, codes, tiles_at(columns, place), &mut totals);
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
            let sixteens = weights.quants();
            let sixteens = sixteens.as_chunks::<16>().0.iter().zip(tile.quants.as_chunks::<16>().0);
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
        for (place, block) in row.iter().enumerate() {
            let tiles = tiles_at(columns, place);
            let (mut scales, mut minimums) = ([0; 16], [0; 16]);
            for i in 0..16 {
                let packed = block.scales_and_minimums[i];
                (scales[i], minimums[i]) = ((packed & 15).cast_signed(), (packed >> 4).cast_signed());
            }
            let (spread, minimums) = (simd.by_sixteen(simd.words(&scales)), simd.words(&minimums));
            let (scale, minimum) = (simd.half(block.scale.to_bits()), simd.half(block.minimum.to_bits()));
            let mut products = [[simd.zero(); 4]; C];
            let bytes = runs(&block.quants);
            let planes = [planes(simd, &bytes[0]), planes(simd, &bytes[1])];
            unrolled!(run in 0 1 2 3 4 5 6 7 => {
                for c in 0..C {
                    let pairs = simd.products(planes[run / 4][run % 4], quants(simd, tiles[c], run));
                    products[c][run % 4] = simd.add_scaled(products[c][run % 4], pairs, spread[run]);
                }
            });
            for c in 0..C {
                let tile = tiles[c];
                let rise = simd.add_scaled(simd.zero(), minimums, simd.load_words(&tile.negative_sums_16));
                let products = join_planes(simd, products[c]);
                sums[c][0] = add_scaled(simd, sums[c][0], products, scale * tile.scales[0]);
                sums[c][1] = add_scaled(simd, sums[c][1], rise, minimum * tile.scales[0]);
            }
        }
        both(simd, sums)
    }
}
