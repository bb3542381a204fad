//! Products of small matrices, where the processor has instructions for them.

use proptest::array::uniform;
use proptest::prelude::*;

use crate::simd::Cpu;
use crate::simd::matrices::{Amx, Bf16s, Bytes, Floats, Ints, ROWS, place};

/// Rows of 256 bytes, and the same of vectors, from a few that are repeated.
fn bytes() -> impl Strategy<Value = [[u8; 64]; 3]> {
    let edge = prop::sample::select(vec![0, 0x7F, 0x80, 0xFF]);
    uniform(prop_oneof![4 => uniform(any::<u8>()), 1 => edge.prop_map(|byte| [byte; 64])])
}

fn row(pattern: &[[u8; 64]; 3], row: usize) -> [u8; 256] {
    std::array::from_fn(|i| pattern[(i / 64 + row) % 3][(i + 5 * row) % 64])
}

/// Each four bytes of a vector where `to` says, beside those of the others.
fn side_by_side(vectors: &[[u8; 256]; ROWS], to: impl Fn(usize) -> usize) -> Bytes {
    let mut bytes = Bytes::ZERO;
    for (v, vector) in vectors.iter().enumerate() {
        for (four, quants) in vector.as_chunks::<4>().0.iter().enumerate() {
            bytes.0[to(four)][v / 8][v % 8 * 4..][..4].copy_from_slice(&quants.map(u8::cast_signed));
        }
    }
    bytes
}

fn dot(codes: impl Iterator<Item = i32>, vector: &[u8]) -> i32 {
    codes.zip(vector).map(|(code, &quant)| code * i32::from(quant.cast_signed())).sum()
}

fn with_matrices(test: impl Fn(Amx) -> Result<(), TestCaseError>) -> Result<(), TestCaseError> {
    // Nothing to test on a processor without them.
    Cpu::best().matrices().map_or(Ok(()), test)
}

proptest! {
    #[test]
    fn products_of_runs_are_those_of_their_bytes(a in bytes(), b in bytes(), start in uniform::<_, 16>(any::<i16>())) {
        with_matrices(|amx| {
            let (codes, vectors): ([_; ROWS], [_; ROWS]) =
                (std::array::from_fn(|r| row(&a, r)), std::array::from_fn(|r| row(&b, r)));
            let (first, second) = (side_by_side(&vectors, |four| four), Bytes::ZERO);
            let starts = [start.map(i32::from); 8];
            let mut products = [[Ints::ZERO; 8]; 2];
            amx.registers().of_runs(&codes, [&first, &second], [&starts; 2], &mut products);
            for (r, codes) in codes.iter().enumerate() {
                for (v, vector) in vectors.iter().enumerate() {
                    for (run, products) in products[0].iter().enumerate() {
                        let of_run = 32 * run..32 * run + 32;
                        let codes = codes[of_run.clone()].iter().map(|&code| i32::from(code));
                        let expected = i32::from(start[v]) + dot(codes, &vector[of_run]);
                        prop_assert_eq!(products.0[r][v / 8][v % 8], expected);
                    }
                    // The other group's activations are zeros.
                    prop_assert!(products[1].iter().all(|run| run.0[r][v / 8][v % 8] == i32::from(start[v])));
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn products_of_low_and_high_are_those_of_codes_and_scales(
        a in bytes(),
        b in bytes(),
        scales in uniform::<_, 16>(-255..=255_i16),
    ) {
        with_matrices(|amx| {
            let rows: [[u8; 256]; ROWS] = std::array::from_fn(|r| row(&a, r));
            let vectors: [_; ROWS] = std::array::from_fn(|v| row(&b, v));
            let quants = side_by_side(&vectors, |four| place(four / 8, four % 8));
            let (mut low, mut high) = ([[0; 256]; ROWS], [[0; 256]; ROWS]);
            for r in 0..ROWS {
                let codes = std::array::from_fn(|run| std::array::from_fn(|i| rows[r][32 * run + i].cast_signed()));
                amx.spread(&codes, &scales, &mut low[r], &mut high[r]);
            }
            let (mut first, mut second) = ([Ints::ZERO; 2], [Ints::ZERO; 2]);
            amx.registers().of_low_and_high(&low, &high, [&quants, &Bytes::ZERO], [&mut first, &mut second]);
            for (r, row) in rows.iter().enumerate() {
                for (v, vector) in vectors.iter().enumerate() {
                    let scale = |i: usize| i32::from(scales[i / 16]);
                    let codes = row.iter().enumerate().map(|(i, code)| i32::from(code.cast_signed()) * scale(i));
                    let found = [first, second].map(|[low, high]| [low, high].map(|half| half.0[r][v / 8][v % 8]));
                    prop_assert_eq!(found[0][0] + 256 * found[0][1], dot(codes, vector));
                    prop_assert_eq!(found[1], [0, 0]);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn products_of_bf16_are_exact_for_small_integers(a in bytes(), b in bytes()) {
        with_matrices(|amx| {
            let number = |byte: u8| f32::from(byte.cast_signed());
            let bits = |byte: u8| number(byte).to_bits() >> 16;
            let pair = |bytes: &[u8; 256], i: usize| (bits(bytes[2 * i]) | bits(bytes[2 * i + 1]) << 16).cast_signed();
            let (rows, vectors): ([_; ROWS], [_; ROWS]) =
                (std::array::from_fn(|r| row(&a, r)), std::array::from_fn(|v| row(&b, v)));
            let (mut left, mut right) = (Bf16s::ZERO, Bf16s::ZERO);
            for i in 0..ROWS {
                for j in 0..16 {
                    left.0[i][j / 8][j % 8] = pair(&rows[i], j);
                    right.0[j][i / 8][i % 8] = pair(&vectors[i], j);
                }
            }
            let (mut first, mut second) = (Floats::ZERO, Floats::ZERO);
            amx.registers().of_bf16(&left, [&right, &Bf16s::ZERO], [&mut first, &mut second]);
            for (r, row) in rows.iter().enumerate() {
                for (v, vector) in vectors.iter().enumerate() {
                    let expected = row[..32].iter().zip(&vector[..32]).map(|(&a, &b)| number(a) * number(b)).sum::<f32>();
                    prop_assert_eq!(first.0[r][v / 8][v % 8], expected);
                    prop_assert_eq!(second.0[r][v / 8][v % 8], 0.0);
                }
            }
            Ok(())
        })?;
    }
}
