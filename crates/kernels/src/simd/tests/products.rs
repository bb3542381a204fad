//! Sums of products. What an operation asks of its operands is made of the input.

use std::any::type_name;
use std::array::from_fn;

use briq_format::block::{MXFP4, Q4_0};
use briq_format::scalar::F16;
use zerocopy::transmute;

use super::{Input, bytes, each, same};
use crate::simd::{Bits, EightBlocks, Simd, k_numbers};

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

    small_products(simd, input, b);
    scaled_products(simd, input, start);
    if S::IS_WIDE {
        wide_products(simd, input);
    }
    sums_of_eight(simd, [a, b, c].map(|bytes| bytes.map(|byte| byte.max(-127))));
}

/// What is added eight times before it is summed up.
fn small_products<S: Simd>(simd: S, input: &Input, signed: [i8; 32]) {
    let codes = input.a.map(|byte| (byte % 13).cast_signed());
    let register = simd.load_signed(&signed);
    let mut sums = simd.zero();
    let (mut fours, few) = (simd.zero(), codes.map(|code| code % 4));
    for _ in 0..8 {
        fours = simd.add_small(fours, simd.load_signed(&few.map(|code| 4 * code)), register);
    }
    let mut digit_sums = [simd.zero(); 2];
    for _ in 0..8 {
        sums = simd.add_small(sums, simd.load_signed(&codes), register);
        let fractions = simd.fractions(simd.load(&input.c));
        digit_sums = simd.add_digits(digit_sums, fractions, simd.three_times(fractions), register);
    }
    assert_eq!(
        total(simd, simd.small_sums(sums)),
        8 * dot(codes, signed),
        "add_small with {}",
        type_name::<S>()
    );
    let found = total(simd, simd.small_sums_and_quarters(sums, fours));
    let expected = 8 * dot(codes, signed) + 8 * dot(few, signed);
    assert_eq!(found, expected, "small_sums_and_quarters with {}", type_name::<S>());
    let digits = input.c.map(|fraction| (u16::from(fraction) * 3 / 256) as i8);
    let found = total(simd, simd.digit_sums(digit_sums));
    assert_eq!(found, 8 * dot(digits, signed), "add_digits with {}", type_name::<S>());
}

/// Two runs of 32 products at once, with scales for each 16 or each 32.
fn scaled_products<S: Simd>(simd: S, input: &Input, start: [i32; 8]) {
    let codes = [input.a, input.b].map(|bytes| bytes.map(|byte| (byte % 65).cast_signed()));
    let signed = [input.b, input.c].map(|bytes| bytes.map(|byte| byte.cast_signed().max(-127)));
    let registers = |runs: [[i8; 32]; 2]| runs.map(|run| simd.load_signed(&run));
    let sum = |run: usize, half: usize| {
        let products =
            (16 * half..16 * half + 16).map(|i| i32::from(codes[run][i]) * i32::from(signed[run][i]));
        products.sum::<i32>()
    };
    let expected = |pair: usize, scale: &dyn Fn(usize) -> i32| {
        let scaled = (0..4).map(|i| sum(i / 2, i % 2).wrapping_mul(scale(4 * pair + i)));
        start.into_iter().chain(scaled).fold(0, i32::wrapping_add)
    };

    let words = input.words()[2];
    let scales = simd.scales_by_16(simd.load_words(&words));
    let (scales_by_32, minimums) = simd.k_scales(input.sixteen());
    let [scales_of_runs, expected_minimums] = k_numbers(input.sixteen());
    same(simd, "minimums of k_scales", minimums, expected_minimums.map(i32::from));
    let numbers = simd.k_numbers(input.sixteen());
    same(simd, "scales of k_numbers", numbers[0], scales_of_runs.map(i32::from));
    same(simd, "minimums of k_numbers", numbers[1], expected_minimums.map(i32::from));
    for pair in 0..4 {
        let ints = simd.load_ints(&start);
        let found = simd.add_pair(ints, registers(codes), registers(signed), &scales, pair);
        assert_eq!(
            total(simd, found),
            expected(pair, &|i| words[i].into()),
            "{pair} with {}",
            type_name::<S>()
        );
        let found = simd.add_pair(ints, registers(codes), registers(signed), &scales_by_32, pair);
        assert_eq!(
            total(simd, found),
            expected(pair, &|i| scales_of_runs[i / 2].into()),
            "{pair} with {}",
            type_name::<S>()
        );
    }
}

/// 256 weights in registers of 64 bytes: no lane's sum is too large to be exact.
fn wide_products<S: Simd>(simd: S, input: &Input) {
    let signed: [i8; 256] =
        from_fn(|i| input.c[(i + i / 32) % 32].rotate_left(i as u32 / 32).cast_signed().max(-127));
    let check = |operation: &str, wide, expected: f64| {
        let mut found = [0.0; 8];
        simd.store_floats(simd.folded(wide), &mut found);
        let found: f64 = found.iter().map(|&float| f64::from(float)).sum();
        assert_eq!(found, expected, "{operation} with {}", type_name::<S>());
    };
    let low: [u8; 128] = transmute!([input.a, input.b, input.c, input.a.map(|byte| byte.rotate_left(3))]);
    let high: [u8; 64] = transmute!([input.b.map(|byte| byte.rotate_left(5)), input.c]);
    let (twos, single) = (&low.as_chunks::<64>().0[1], &high.as_chunks::<32>().0[1]);
    let scales: [i8; 16] = transmute!(*input.sixteen());
    let start: [i32; 8] = from_fn(|i| i32::from(scales[i]) << 8);
    let [scales_of_runs, expected_minimums] = k_numbers(input.sixteen());
    for bits in [
        Bits::Twos(twos),
        Bits::Threes(twos, single),
        Bits::Fours(&low),
        Bits::Fives(&low, single),
        Bits::Sixes(&low, &high),
    ] {
        // The sum of 256 products, each times the scale of its weight.
        let expected = |scale: &dyn Fn(usize) -> i32| -> i32 {
            (0..256).map(|at| scale(at) * code(bits, at) * i32::from(signed[at])).sum()
        };
        let started = |products: i32| -0.5 * f64::from(products + start.iter().sum::<i32>());
        let (mut sum, ints) = (simd.wide_zeros(), simd.load_ints(&start));
        simd.add_codes(&mut sum, ints, bits, Some(simd.words(&scales)), &signed, &-0.5);
        check("add_codes", sum, started(expected(&|at| scales[at / 16].into())));
        let mut sum = simd.wide_zeros();
        simd.add_codes(&mut sum, ints, bits, None, &signed, &-0.5);
        check("add_codes without scales", sum, started(expected(&|_| 1)));
        let mut sum = simd.wide_zeros();
        let minimums = simd.add_k_codes(&mut sum, input.sixteen(), bits, &signed, &-0.5);
        same(simd, "minimums of add_k_codes", minimums, expected_minimums.map(i32::from));
        check("add_k_codes", sum, -0.5 * f64::from(expected(&|at| scales_of_runs[at / 32].into())));
    }

    scaled_nibbles(simd, input, &low, &signed, check);
}

/// Eight blocks of nibbles. Scales are powers of two, with which no sum is rounded.
fn scaled_nibbles<S: Simd>(
    simd: S,
    input: &Input,
    nibbles: &[u8; 128],
    signed: &[i8; 256],
    check: impl Fn(&str, S::Wide, f64),
) {
    let power = |i: usize| [0.5, 1.0, 2.0, -1.0][usize::from(input.b[i] % 4)];
    let (scales, zero_points): ([f32; 8], [[i32; 16]; 2]) =
        (from_fn(|i| power(8 + i)), from_fn(|h| input.words()[1 + h].map(|word| i32::from(word >> 4))));
    let quants = nibbles.as_chunks::<16>().0;
    let expected = |code: &dyn Fn(u8) -> u8, doublings: i32, scale: &dyn Fn(usize) -> f32| -> f64 {
        let blocks = (0..8).map(|block| {
            let products = (0..32).map(|i| {
                let nibble = quants[block][i % 16] >> (i / 16 * 4) & 15;
                let signed = signed[block / 4 * 128 + i / 16 * 64 + block % 4 * 16 + i % 16];
                i32::from(code(nibble)) * i32::from(signed)
            });
            let zero_points = zero_points[block / 4].as_chunks::<4>().0[block % 4];
            let products = products.chain(zero_points.map(|point| point << doublings));
            f64::from(scale(block) * scales[block]) * f64::from(products.sum::<i32>())
        });
        blocks.sum()
    };
    let halves: [Q4_0; 8] = from_fn(|i| Q4_0 { scale: F16::from_f32(power(i)), quants: quants[i] });
    let powers: [MXFP4; 8] = from_fn(|i| MXFP4 { exponent: 126 + input.b[i] % 4, quants: quants[i] });
    let (halves, powers) = (transmute!(halves), transmute!(powers));
    let levels: [u8; 16] = *input.sixteen();
    let table = simd.table(&levels.map(u8::cast_signed));
    for doublings in [0, 1, 4] {
        let zero_points = (&zero_points, doublings);
        let mut sum = simd.wide_zeros();
        simd.add_scaled_nibbles(&mut sum, EightBlocks::Halves(&halves), None, signed, zero_points, &scales);
        check("codes behind halves", sum, expected(&|nibble| nibble, doublings, &power));
        let mut sum = simd.wide_zeros();
        let blocks = EightBlocks::Powers(&powers);
        simd.add_scaled_nibbles(&mut sum, blocks, Some(table), signed, zero_points, &scales);
        let power = |i: usize| 2f32.powi(i32::from(powers[17 * i]) - 128);
        check(
            "levels behind powers",
            sum,
            expected(&|nibble| levels[usize::from(nibble)], doublings, &power),
        );
    }
}

/// The code at a place of a super-block.
fn code(bits: Bits<'_>, at: usize) -> i32 {
    let (half, run, i) = (at / 128, at / 32, at % 32);
    let twos = |bytes: &[u8; 64]| bytes[32 * half + i] >> (2 * (run % 4)) & 3;
    let single = |bytes: &[u8; 32]| bytes[i] >> run & 1;
    let nibble = |bytes: &[u8; 128]| bytes[run / 2 * 32 + i] >> (4 * (run % 2)) & 15;
    let code = match bits {
        Bits::Twos(low) => twos(low),
        Bits::Threes(low, high) => twos(low) | single(high) << 2,
        Bits::Fours(low) => nibble(low),
        Bits::Fives(low, high) => nibble(low) | single(high) << 4,
        Bits::Sixes(low, high) => low[64 * half + at % 64] >> (4 * (run % 4 / 2)) & 15 | twos(high) << 4,
    };
    code.into()
}

/// The sum of the ints of a register.
fn total<S: Simd>(simd: S, ints: S::Ints) -> i32 {
    let ints: [i32; 8] = transmute!(bytes(simd, ints));
    ints.into_iter().fold(0, i32::wrapping_add)
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
