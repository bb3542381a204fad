//! The super-blocks of 256 weights with scales of their own for each 16 or 32: Q2_K to Q6_K and IQ4_XS.
//!
//! A sub-block's scale multiplies sums of two products, which fit a word, so that scaling and summing is one operation.

use briq_codec::points::{IQ4_LEVELS, q3_k_scales};
use briq_codec::{Quants, k_scales};
use briq_format::TensorType;
use briq_format::block::{IQ4_XS, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K};
use briq_format::scalar::F16;

use super::{Dot, integer_dot, tiles_at};
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

/// The quants of part of a tile.
#[inline(always)]
pub(super) fn quants<S: Simd>(simd: S, tile: &Tile, run: usize) -> S::Ints {
    simd.load_signed(&tile.quants_32()[run])
}

/// The sums of all columns.
#[inline(always)]
pub(super) fn sums<S: Simd, const C: usize>(simd: S, sums: [S::Floats; C]) -> [f32; C] {
    let mut products = [0.0; C];
    for c in 0..C {
        products[c] = simd.sum(sums[c]);
    }
    products
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

/// Q4_K and Q5_K: what both do with a super-block, whose codes are already there.
#[inline(always)]
fn add_affine<S: Simd, const C: usize>(
    simd: S,
    (scale, minimum, packed): (F16, F16, &[u8; 12]),
    codes: [S::Ints; 8],
    tiles: [&Tile; C],
    sums: &mut [[S::Floats; 2]; C],
) {
    let unpacked = k_scales::unpack(packed);
    let scales = simd.by_thirty_two(unpacked.scales.map(u8::cast_signed));
    let minimums = simd.ints(unpacked.minimums);
    let (scale, minimum) = (simd.half(scale.to_bits()), simd.half(minimum.to_bits()));
    let mut products = [[simd.zero(); 2]; C];
    for run in 0..8 {
        for c in 0..C {
            let pairs = simd.products(codes[run], quants(simd, tiles[c], run));
            products[c][run % 2] = simd.add_scaled(products[c][run % 2], pairs, scales[run]);
        }
    }
    for c in 0..C {
        let tile = tiles[c];
        let products = simd.to_floats(simd.add(products[c][0], products[c][1]));
        let rise = simd.to_floats(simd.multiply_ints(minimums, simd.load_ints(&tile.negative_sums)));
        let (scale, minimum) = (scale * tile.scales[0], minimum * tile.scales[0]);
        sums[c][0] = simd.multiply_add(products, simd.splat_float(scale), sums[c][0]);
        sums[c][1] = simd.multiply_add(rise, simd.splat_float(minimum), sums[c][1]);
    }
}

/// The low and the high nibbles of 32 bytes.
#[inline(always)]
fn nibbles<S: Simd>(simd: S, bytes: &[u8; 32]) -> [S::Ints; 2] {
    let bytes = simd.load(bytes);
    let low = simd.splat(15);
    [simd.and(bytes, low), simd.and(simd.shift_right::<4>(bytes), low)]
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
            for (i, bytes) in runs(&block.quants).iter().enumerate() {
                [codes[2 * i], codes[2 * i + 1]] = nibbles(simd, bytes);
            }
            let header = (block.scale, block.minimum, &block.scales_and_minimums);
            add_affine(simd, header, codes, tiles_at(columns, place), &mut sums);
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
        let fifth = simd.splat(16);
        for (place, block) in row.iter().enumerate() {
            let high = simd.load(&block.high_bits);
            // Bit `run` of a byte, moved to where the fifth bit of a code is.
            let high = [
                simd.shift_left::<4>(high),
                simd.shift_left::<3>(high),
                simd.shift_left::<2>(high),
                simd.shift_left::<1>(high),
                high,
                simd.shift_right::<1>(high),
                simd.shift_right::<2>(high),
                simd.shift_right::<3>(high),
            ];
            let mut codes = [simd.zero(); 8];
            for (i, bytes) in runs(&block.low_bits).iter().enumerate() {
                let [low, upper] = nibbles(simd, bytes);
                codes[2 * i] = simd.or(low, simd.and(high[2 * i], fifth));
                codes[2 * i + 1] = simd.or(upper, simd.and(high[2 * i + 1], fifth));
            }
            let header = (block.scale, block.minimum, &block.scales_and_minimums);
            add_affine(simd, header, codes, tiles_at(columns, place), &mut sums);
        }
        both(simd, sums)
    }
}

/// Codes with a scale per 16 and a zero point `2^ZERO`: the sum of scales times codes less the zero point, times quants.
#[inline(always)]
fn add_sixteens<S: Simd, const C: usize, const ZERO: i32>(
    simd: S,
    (scale, scales): (F16, S::Ints),
    codes: [S::Ints; 8],
    tiles: [&Tile; C],
    sums: &mut [S::Floats; C],
) {
    let spread = simd.by_sixteen(scales);
    let scale = simd.half(scale.to_bits());
    let mut products = [[simd.zero(); 2]; C];
    for c in 0..C {
        // What the zero point adds is taken off for all at once.
        let negative_sums = simd.load_words(&tiles[c].negative_sums_16);
        let excess = simd.add_scaled(simd.zero(), scales, negative_sums);
        products[c][0] = simd.shift_left_ints::<ZERO>(excess);
    }
    for run in 0..8 {
        for c in 0..C {
            let pairs = simd.products(codes[run], quants(simd, tiles[c], run));
            products[c][run % 2] = simd.add_scaled(products[c][run % 2], pairs, spread[run]);
        }
    }
    for c in 0..C {
        let products = simd.to_floats(simd.add(products[c][0], products[c][1]));
        sums[c] = simd.multiply_add(products, simd.splat_float(scale * tiles[c].scales[0]), sums[c]);
    }
}

impl Dot for Q6_K {
    const PARTNER: TensorType = TensorType::Q8_K;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let mut sums = [0.0; 8];
        for (weights, tile) in row.iter().zip(column) {
            let products = lanes(&weights.quants(), &weights.scales.map(i32::from), tile);
            add_lanes(&mut sums, weights.scale.to_f32() * tile.scales[0], products);
        }
        sums.iter().fold(0.0, |sum, lane| sum + lane)
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let mut totals = [simd.zeros(); C];
        let high_bits = simd.splat(0x30);
        for (place, block) in row.iter().enumerate() {
            let (low, high) = (runs(&block.low_bits), runs(&block.high_bits));
            let mut codes = [simd.zero(); 8];
            for half in 0..2 {
                let high = simd.load(&high[half]);
                let [a, c] = nibbles(simd, &low[2 * half]);
                let [b, d] = nibbles(simd, &low[2 * half + 1]);
                codes[4 * half] = simd.or(a, simd.and(simd.shift_left::<4>(high), high_bits));
                codes[4 * half + 1] = simd.or(b, simd.and(simd.shift_left::<2>(high), high_bits));
                codes[4 * half + 2] = simd.or(c, simd.and(high, high_bits));
                codes[4 * half + 3] = simd.or(d, simd.and(simd.shift_right::<2>(high), high_bits));
            }
            let scales = (block.scale, simd.words(&block.scales));
            add_sixteens::<S, C, 5>(simd, scales, codes, tiles_at(columns, place), &mut totals);
        }
        sums(simd, totals)
    }
}

/// The four planes of 2 bits of 32 bytes, each bit pair at the low end of its byte.
#[inline(always)]
pub(super) fn planes<S: Simd>(simd: S, bytes: &[u8; 32]) -> [S::Ints; 4] {
    let bytes = simd.load(bytes);
    let low = simd.splat(3);
    [
        simd.and(bytes, low),
        simd.and(simd.shift_right::<2>(bytes), low),
        simd.and(simd.shift_right::<4>(bytes), low),
        simd.and(simd.shift_right::<6>(bytes), low),
    ]
}

impl Dot for Q3_K {
    const PARTNER: TensorType = TensorType::Q8_K;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let mut sums = [0.0; 8];
        for (weights, tile) in row.iter().zip(column) {
            let scales = q3_k_scales(&weights.scales).map(|scale| i32::from(scale) - 32);
            let products = lanes(&weights.quants(), &scales, tile);
            add_lanes(&mut sums, weights.scale.to_f32() * tile.scales[0], products);
        }
        sums.iter().fold(0.0, |sum, lane| sum + lane)
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let mut totals = [simd.zeros(); C];
        let third = simd.splat(4);
        for (place, block) in row.iter().enumerate() {
            let high = simd.load(&block.high_bits);
            let high = [
                simd.shift_left::<2>(high),
                simd.shift_left::<1>(high),
                high,
                simd.shift_right::<1>(high),
                simd.shift_right::<2>(high),
                simd.shift_right::<3>(high),
                simd.shift_right::<4>(high),
                simd.shift_right::<5>(high),
            ];
            let mut codes = [simd.zero(); 8];
            for (half, bytes) in runs(&block.low_bits).iter().enumerate() {
                let planes = planes(simd, bytes);
                for plane in 0..4 {
                    let run = 4 * half + plane;
                    codes[run] = simd.or(planes[plane], simd.and(high[run], third));
                }
            }
            let mut scales = [0; 16];
            let packed = q3_k_scales(&block.scales);
            for i in 0..16 {
                scales[i] = packed[i].wrapping_sub(32).cast_signed();
            }
            let scales = (block.scale, simd.words(&scales));
            add_sixteens::<S, C, 2>(simd, scales, codes, tiles_at(columns, place), &mut totals);
        }
        sums(simd, totals)
    }
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
            let mut products = [[simd.zero(); 2]; C];
            for (half, bytes) in runs(&block.quants).iter().enumerate() {
                let planes = planes(simd, bytes);
                for plane in 0..4 {
                    let run = 4 * half + plane;
                    for c in 0..C {
                        let pairs = simd.products(planes[plane], quants(simd, tiles[c], run));
                        products[c][run % 2] = simd.add_scaled(products[c][run % 2], pairs, spread[run]);
                    }
                }
            }
            for c in 0..C {
                let tile = tiles[c];
                let rise = simd.add_scaled(simd.zero(), minimums, simd.load_words(&tile.negative_sums_16));
                let products = simd.to_floats(simd.add(products[c][0], products[c][1]));
                let (scale, minimum) = (scale * tile.scales[0], minimum * tile.scales[0]);
                sums[c][0] = simd.multiply_add(products, simd.splat_float(scale), sums[c][0]);
                sums[c][1] = simd.multiply_add(simd.to_floats(rise), simd.splat_float(minimum), sums[c][1]);
            }
        }
        both(simd, sums)
    }
}

/// The eight scales of IQ4_XS, less their zero point.
#[inline(always)]
fn iq4_xs_scales(block: &IQ4_XS) -> [i8; 8] {
    let high = block.scales_high.get();
    let mut scales = [0; 8];
    for b in 0..8 {
        let low = block.scales_low[b / 2] >> (4 * (b % 2)) & 15;
        scales[b] = (low | ((high >> (2 * b)) as u8 & 3) << 4).cast_signed() - 32;
    }
    scales
}

impl Dot for IQ4_XS {
    const PARTNER: TensorType = TensorType::Q8_K;
    type Element = Tile;

    fn scalar(row: &[Self], column: &[Tile]) -> f32 {
        let mut sum = 0.0;
        for (weights, tile) in row.iter().zip(column) {
            let scale = weights.scale.to_f32() * tile.scales[0];
            let levels = weights.quants();
            let groups = levels.as_chunks::<32>().0.iter().zip(tile.quants_32());
            for ((levels, quants), group_scale) in groups.zip(iq4_xs_scales(weights)) {
                sum += scale * f32::from(group_scale) * integer_dot(levels, quants) as f32;
            }
        }
        sum
    }

    #[inline(always)]
    fn vector<S: Simd, const C: usize>(simd: S, row: &[Self], columns: [&[Tile]; C]) -> [f32; C] {
        let mut totals = [simd.zeros(); C];
        let table = simd.table(&IQ4_LEVELS);
        for (place, block) in row.iter().enumerate() {
            let tiles = tiles_at(columns, place);
            let scales = simd.by_thirty_two(iq4_xs_scales(block));
            let scale = simd.half(block.scale.to_bits());
            let mut products = [[simd.zero(); 2]; C];
            for (run, bytes) in block.quants.as_chunks::<16>().0.iter().enumerate() {
                let levels = simd.look_up(table, simd.load_nibbles(bytes));
                for c in 0..C {
                    let pairs = simd.signed_products(levels, quants(simd, tiles[c], run));
                    products[c][run % 2] = simd.add_scaled(products[c][run % 2], pairs, scales[run]);
                }
            }
            for c in 0..C {
                let products = simd.to_floats(simd.add(products[c][0], products[c][1]));
                totals[c] =
                    simd.multiply_add(products, simd.splat_float(scale * tiles[c].scales[0]), totals[c]);
            }
        }
        sums(simd, totals)
    }
}
