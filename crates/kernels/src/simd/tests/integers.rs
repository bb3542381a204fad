//! Arithmetic on integers.

use super::{Input, each, same};
use crate::simd::Simd;

pub(super) fn check<S: Simd>(simd: S, input: &Input) {
    let Input { a, b, .. } = *input;
    let ([word_a, word_b, _], [int_a, int_b, _]) = (input.words(), input.ints());
    let (x, y) = (simd.load(&a), simd.load(&b));

    same(simd, "and", simd.and(x, y), each(a, b, |a, b| a & b));
    same(simd, "or", simd.or(x, y), each(a, b, |a, b| a | b));
    same(simd, "three_times", simd.three_times(x), a.map(|byte| byte.wrapping_mul(3)));
    same(simd, "add_words", simd.add_words(x, y), each(word_a, word_b, i16::wrapping_add));
    same(simd, "subtract_bytes", simd.subtract_bytes(x, y), each(a, b, u8::wrapping_sub));
    same(simd, "multiply_words", simd.multiply_words(x, y), each(word_a, word_b, i16::wrapping_mul));
    same(simd, "add", simd.add(x, y), each(int_a, int_b, i32::wrapping_add));
    same(simd, "subtract", simd.subtract(x, y), each(int_a, int_b, i32::wrapping_sub));
    same(simd, "multiply_ints", simd.multiply_ints(x, y), each(int_a, int_b, i32::wrapping_mul));

    macro_rules! shifts {
        ($($bits:literal)*) => {$(
            same(simd, "shift_right_ints", simd.shift_right_ints::<$bits>(x), int_a.map(|int| int >> $bits));
            same(simd, "shift_left_ints", simd.shift_left_ints::<$bits>(x), int_a.map(|int| int << $bits));
        )*};
    }
    shifts!(0 1 2 4 5 7 16 31);

    macro_rules! bits {
        ($($from:literal $count:literal $to:literal;)*) => {$(
            let moved = a.map(|byte| ((u32::from(byte) >> $from & ((1 << $count) - 1)) << $to) as u8);
            same(simd, concat!("bits from ", $from, " to ", $to), simd.bits::<$from, $count, $to>(x), moved);
        )*};
    }
    bits! {
        0 8 0; 0 4 0; 4 4 0; 0 4 4; 1 7 0; 0 7 1; 2 6 2;
        0 2 0; 2 2 0; 4 2 0; 6 2 0; 0 2 4; 2 2 4; 4 2 4; 6 2 4; 2 2 2; 0 2 6;
        0 1 0; 1 1 0; 7 1 0; 0 1 4; 1 1 4; 2 1 4; 3 1 4; 4 1 4; 5 1 4; 6 1 4; 7 1 4; 2 1 6; 0 1 7;
    }
}
