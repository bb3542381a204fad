//! Arithmetic on floats, and what becomes one.

use std::any::type_name;
use std::array::from_fn;

use briq_format::scalar::{BF16, F16};
use zerocopy::transmute;

use super::{Input, each};
use crate::simd::Simd;

pub(super) fn check<S: Simd>(simd: S, input: &Input) {
    let bits = input.ints().map(|ints| ints.map(i32::cast_unsigned));
    let [a, b, c] = bits.map(|bits| bits.map(f32::from_bits));
    let [x, y, z] = [a, b, c].map(|floats| simd.load_floats(&floats));
    let halves: [u16; 8] = transmute!(*input.sixteen());
    let int = simd.load_ints(&input.ints()[0]);
    let half = |bits: u16| F16::from_bits(bits).to_f32();

    same(simd, "load_floats", x, a);
    same(simd, "multiply", simd.multiply(x, y), each(a, b, |a, b| a * b));
    same(simd, "add_floats", simd.add_floats(x, y), each(a, b, |a, b| a + b));
    let rounded_once = from_fn(|i| a[i].mul_add(b[i], c[i]));
    same(simd, "multiply_add", simd.multiply_add(x, y, z), rounded_once);

    same(simd, "zeros", simd.zeros(), [0.0; 8]);
    same(simd, "splat_float", simd.splat_float(a[0]), [a[0]; 8]);
    same(simd, "two_floats", simd.two_floats([a[0], b[0]]), from_fn(|i| [a[0], b[0]][i / 4]));
    same(simd, "reinterpret", simd.reinterpret(int), a);
    super::same(simd, "float_bits", simd.float_bits(x), bits[0]);
    same(simd, "to_floats", simd.to_floats(int), input.ints()[0].map(|int| int as f32));
    same(simd, "load_f16", simd.load_f16(&halves), halves.map(half));
    let blocks: [[u8; 4]; 8] = transmute!(input.a);
    let first = |block: [u8; 4]| half(u16::from_le_bytes([block[0], block[1]]));
    same(simd, "leading_halves", simd.leading_halves(&blocks), blocks.map(first));
    let block =
        |i: usize| from_fn(|j| if j < 2 { halves[i].to_le_bytes()[j] } else { input.b[(i + j) % 32] });
    let blocks: [[u8; 34]; 8] = from_fn(block);
    same(simd, "leading_halves", simd.leading_halves(&blocks), halves.map(half));
    same(simd, "low_halves", simd.low_halves(int), bits[0].map(|bits| half(bits as u16)));
    same(simd, "high_halves", simd.high_halves(int), bits[0].map(|bits| half((bits >> 16) as u16)));
    assert_eq!(plain(simd.half(halves[0])), plain(half(halves[0])), "half with {}", type_name::<S>());

    let four: [u16; 4] = from_fn(|i| halves[i]);
    let scaled = simd.scaled_halves(&transmute!(four.map(u16::to_le_bytes)), a[0]);
    for (found, expected) in scaled.into_iter().zip(four.map(|bits| half(bits) * a[0])) {
        same(simd, "scaled_halves", simd.everywhere(&found), [expected; 8]);
    }

    // Whole numbers of 8 bits are exact in any order; so is one number of any bits, times 1, among zeros.
    let mut single = [[0.0; 32], [1.0; 32]];
    single[0][input.bits as usize % 32] = a[0];
    for [x, y] in [[input.a, input.b].map(|bytes| bytes.map(f32::from)), single] {
        let sum = |of_x: fn(f32) -> f32, of_y: fn(f32) -> f32| {
            (0..32).map(|i| of_x(x[i]) * of_y(y[i])).sum::<f32>()
        };
        let total = |wide| simd.sum(simd.folded(wide));
        let start = simd.wide_zeros();

        let [m, n] = [x, y].map(|floats| transmute!(floats.map(f32::to_le_bytes)));
        let found = total(simd.add_wide(start, simd.add_f32(start, &m, &n)));
        let same: fn(f32) -> f32 = |float| float;
        assert_eq!(plain(found), plain(sum(same, same)), "add_f32 with {}", type_name::<S>());

        let halves = transmute!(x.map(F16::from_f32));
        let expected = sum(|float| F16::from_f32(float).to_f32(), same);
        assert_eq!(
            plain(total(simd.add_f16(start, &halves, &n))),
            plain(expected),
            "add_f16 with {}",
            type_name::<S>()
        );

        let [m, n] = [x, y].map(|floats| transmute!(floats.map(BF16::from_f32)));
        let narrowed: fn(f32) -> f32 = |float| BF16::from_f32(float).to_f32();
        let expected = sum(narrowed, narrowed);
        if !simd.multiplies_bf16() || expected == 0.0 || !expected.is_subnormal() {
            assert_eq!(
                plain(total(simd.add_bf16(start, &m, &n))),
                plain(expected),
                "add_bf16 with {}",
                type_name::<S>()
            );
        }
    }

    // Sums of small whole numbers are exact in any order.
    let whole = input.eight().map(f32::from);
    let sum = simd.sum(simd.load_floats(&whole));
    assert_eq!(sum, whole.iter().sum::<f32>(), "sum with {}", type_name::<S>());
}

/// Holds a register against the floats that it should be.
fn same<S: Simd>(simd: S, operation: &str, found: S::Floats, expected: [f32; 8]) {
    let mut floats = [0.0; 8];
    simd.store_floats(found, &mut floats);
    assert_eq!(floats.map(plain), expected.map(plain), "{operation} with {}", type_name::<S>());
}

/// The bits. A NaN is one like any other.
fn plain(float: f32) -> u32 {
    if float.is_nan() { u32::MAX } else { float.to_bits() }
}
