//! Sums of products. What an operation asks of its operands is made of the input.

use std::array::from_fn;

use zerocopy::transmute;

use super::{Input, bytes, each, same};
use crate::simd::Simd;

pub(super) fn check<S: Simd>(simd: S, input: &Input) {
    let [a, b, c] = [input.a, input.b, input.c].map(|bytes| bytes.map(u8::cast_signed));
    let codes = a.map(|code| code & 0x7F);
    let (code_register, register) = (simd.load_signed(&codes), simd.load_signed(&b));
    same(simd, "products", simd.products(code_register, register), products(codes, b));
    // The one product that no word holds the sign of.
    let b_beside_a = each(a, b, |a, b| if a < 0 && b == i8::MIN { i8::MAX } else { b });
    let found = simd.signed_products(simd.load_signed(&a), simd.load_signed(&b_beside_a));
    same(simd, "signed_products", found, products(a, b_beside_a));

    let ([start, ..], [_, words, scales]) = (input.ints(), input.words());
    let sums = from_fn::<_, 8, _>(|i| {
        let product = |j: usize| i32::from(words[j]) * i32::from(scales[j]);
        start[i].wrapping_add(product(2 * i).wrapping_add(product(2 * i + 1)))
    });
    let found = simd.add_scaled(simd.load_ints(&start), simd.load_words(&words), simd.load_words(&scales));
    same(simd, "add_scaled", found, sums);

    let pairs = products(codes, b);
    let sums: [i32; 8] =
        from_fn(|i| start[i].wrapping_add(i32::from(pairs[2 * i]) + i32::from(pairs[2 * i + 1])));
    same(simd, "add_dot", simd.add_dot(simd.load_ints(&start), code_register, register), sums);

    // A lane of eight is a sum of its own, up to the bias.
    let b_above = b.map(|byte| byte.max(-127));
    let found = simd.add_biased_dot(simd.zero(), simd.bias(simd.load_signed(&a)), simd.load_signed(&b_above));
    let negative_sums =
        from_fn(|i| -b_above[4 * i..4 * i + 4].iter().map(|&byte| i32::from(byte)).sum::<i32>());
    let pairs = products(a, b_above);
    let sums: [i32; 8] = from_fn(|i| i32::from(pairs[2 * i]) + i32::from(pairs[2 * i + 1]));
    same(simd, "add_biased_dot by four", simd.unbias(found, simd.load_ints(&negative_sums)), sums);

    sums_of_eight(simd, [a, b, c].map(|bytes| bytes.map(|byte| byte.max(-127))));
}

/// Eight dot products at once, plain, biased and of raised nibbles.
fn sums_of_eight<S: Simd>(simd: S, [a, b, c]: [[i8; 32]; 3]) {
    let rotated = |bytes: [i8; 32]| from_fn::<_, 8, _>(|i| from_fn::<_, 32, _>(|j| bytes[(i + j) % 32]));
    let registers = rotated(a).map(|bytes| simd.load_signed(&bytes));
    let plain = rotated(a).map(|bytes| {
        let ints: [i32; 8] = transmute!(bytes);
        ints.into_iter().fold(0, i32::wrapping_add)
    });
    same(simd, "sum_eight", simd.sum_eight(registers), plain);

    let weights = rotated(b);
    let negative_sums = simd.splat_int(-a.iter().map(|&byte| i32::from(byte)).sum::<i32>());
    let biased = weights.map(|weights| {
        let biased = simd.bias(simd.load_signed(&weights));
        simd.add_biased_dot(simd.zero(), biased, simd.load_signed(&a))
    });
    let found = simd.unbias(simd.sum_eight(biased), negative_sums);
    same(simd, "add_biased_dot", found, weights.map(|weights| dot(weights, a)));

    // A nibble stays below 16, raised or not: what is held against the definition is the sum.
    let packed: [u8; 16] = from_fn(|i| c[i].cast_unsigned());
    let nibbles: [i8; 32] = transmute!(bytes(simd, simd.load_nibbles(&packed)));
    let raised = simd.load_raised_nibbles(&packed);
    let found = rotated(a).map(|signed| simd.add_dot(simd.zero(), raised, simd.load_signed(&signed)));
    let expected = rotated(a).map(|signed| dot(nibbles, signed));
    same(simd, "sum_raised", simd.sum_raised(found), expected);
}

/// The sums of two neighbouring products.
fn products(a: [i8; 32], b: [i8; 32]) -> [i16; 16] {
    from_fn(|i| {
        let product = |j: usize| i16::from(a[j]) * i16::from(b[j]);
        product(2 * i) + product(2 * i + 1)
    })
}

fn dot(a: [i8; 32], b: [i8; 32]) -> i32 {
    a.iter().zip(b).map(|(&a, b)| i32::from(a) * i32::from(b)).sum()
}
