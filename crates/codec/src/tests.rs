//! Promises that hold for every type: how close a weight comes back, what zeros become, what lengths are taken.

use briq_format::TensorType::{self, *};
use briq_format::block;
use proptest::prelude::*;
use zerocopy::{FromZeros, Immutable, IntoBytes};

use crate::{
    Error, Rows, TryEncode, can_encode, decode, encode, has_grid, needs_importance, uses_importance,
};

fn encoded(ty: TensorType, weights: &[f32], importance: Option<&[f32]>) -> Vec<u8> {
    let mut blocks = vec![0xAA; ty.row_bytes(weights.len() as u64).unwrap() as usize];
    encode(ty, weights, weights.len(), importance, &mut blocks).unwrap();
    blocks
}

fn decoded(ty: TensorType, blocks: &[u8]) -> Vec<f32> {
    let mut weights = vec![f32::NAN; blocks.len() / ty.block_bytes() as usize * ty.block_elements() as usize];
    decode(ty, blocks, &mut weights).unwrap();
    weights
}

fn encoders() -> impl Iterator<Item = TensorType> {
    TensorType::ALL.iter().copied().filter(|&ty| can_encode(ty))
}

/// Weights between -1 and 1 times a magnitude that a 16-bit scale holds well.
fn row() -> impl Strategy<Value = Vec<f32>> {
    (proptest::collection::vec(-1.0_f32..=1.0, 512), -6..6_i32)
        .prop_map(|(row, magnitude)| row.iter().map(|weight| weight * 2f32.powi(magnitude)).collect())
}

proptest! {
    /// In steps, which are the range over the largest code: half a step of rounding, and half a step more where the
    /// far end of a symmetric range is cut off; a 16-bit scale and minimum are off by a 2048th, over all codes. The
    /// K types search, and give up to two steps of a single weight for the sum.
    #[test]
    fn a_weight_comes_back_within_its_step(row in row()) {
        for (ty, codes, steps) in [
            (Q8_0, 127.0, 0.5), (Q2_0, 1.0, 0.5), (TQ1_0, 1.0, 0.5), (TQ2_0, 1.0, 0.5), (MXFP4, 4.0, 1.0),
            (Q4_0, 8.0, 1.0), (Q4_1, 15.0, 0.5), (Q5_0, 16.0, 1.0), (Q5_1, 31.0, 0.5),
            (Q2_K, 3.0, 2.0), (Q3_K, 4.0, 2.0), (Q4_K, 15.0, 2.0), (Q5_K, 31.0, 2.0), (Q6_K, 32.0, 2.0),
            // The widest gap between levels is a 4.7th of the range above zero.
            (IQ4_NL, 4.7, 1.0), (IQ4_XS, 4.7, 1.0),
        ] {
            let slack = steps + 2.01 * codes / 2048.0;
            let decoded = decoded(ty, &encoded(ty, &row, None));
            let block = ty.block_elements() as usize;
            for (weights, decoded) in row.chunks(block).zip(decoded.chunks(block)) {
                let low = weights.iter().copied().fold(0.0, f32::min);
                let high = weights.iter().copied().fold(0.0, f32::max);
                let range = if matches!(ty, Q4_1 | Q5_1 | Q2_K | Q4_K | Q5_K) { high - low } else { high.max(-low) };
                for (weight, decoded) in weights.iter().zip(decoded) {
                    let error = (weight - decoded).abs();
                    prop_assert!(error <= slack * range / codes, "{ty}: {weight} became {decoded}, range {range}");
                }
            }
        }
    }

    /// The types with grids choose weights together: only the whole is near.
    #[test]
    fn rows_come_back_but_for_a_part_of_their_magnitude(row in row()) {
        let squares = |row: &[f32]| row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        for (ty, part) in
            [(IQ1_S, 0.6), (IQ1_M, 0.55), (IQ2_XXS, 0.4), (IQ2_XS, 0.35), (IQ2_S, 0.3), (IQ3_XXS, 0.23), (IQ3_S, 0.15)]
        {
            let blocks = encoded(ty, &row, Some(&[1.0; 512]));
            let errors: Vec<f32> = decoded(ty, &blocks).iter().zip(&row).map(|(a, b)| a - b).collect();
            let found = (squares(&errors) / squares(&row)).sqrt();
            prop_assert!(squares(&errors) < part * part * squares(&row), "{ty}: {found}");
        }
    }

    #[test]
    fn numbers_that_fit_come_back_as_they_were(bits in proptest::collection::vec(any::<u16>(), 100)) {
        for (ty, widen) in [
            (F16, (|bits| briq_format::scalar::F16::from_bits(bits).to_f32()) as fn(u16) -> f32),
            (BF16, |bits| f32::from_bits(u32::from(bits) << 16)),
        ] {
            let row: Vec<f32> = bits.iter().map(|&bits| widen(bits)).filter(|weight| !weight.is_nan()).collect();
            prop_assume!(!row.is_empty());
            for ty in [ty, F32, F64] {
                let back = decoded(ty, &encoded(ty, &row, None));
                prop_assert!(row.iter().zip(&back).all(|(a, b)| a.to_bits() == b.to_bits()), "{ty}");
            }
        }
    }

    #[test]
    fn rows_do_not_know_of_each_other(row in row(), importance in proptest::collection::vec(0.0_f32..2.0, 256)) {
        for ty in encoders() {
            for importance in [None, Some(&importance[..])] {
                if importance.is_none() && needs_importance(ty) {
                    continue;
                }
                let mut together = vec![0; ty.row_bytes(512).unwrap() as usize];
                encode(ty, &row, 256, importance, &mut together).unwrap();
                let apart = [encoded(ty, &row[..256], importance), encoded(ty, &row[256..], importance)];
                prop_assert_eq!(together, apart.concat(), "{}", ty);
            }
        }
    }
}

#[test]
fn importance_makes_a_difference_where_a_type_says_so() {
    let row: Vec<f32> = (0..512_u16).map(|i| f32::from(i).sin()).collect();
    let ascending: Vec<f32> = (1..=512_u16).map(f32::from).collect();
    let descending: Vec<f32> = ascending.iter().rev().copied().collect();
    for ty in encoders() {
        let of = |importance: &[f32]| encoded(ty, &row, Some(importance));
        assert_eq!(of(&ascending) != of(&descending), uses_importance(ty), "{ty}");
        match needs_importance(ty) {
            true => assert!(uses_importance(ty), "{ty}"),
            false => assert_eq!(encoded(ty, &row, None) != of(&ascending), uses_importance(ty), "{ty}"),
        }
    }
}

#[test]
fn zeros_have_the_bytes_of_the_reference() {
    let cases: &[(TensorType, &[(u8, usize)])] = &[
        (Q4_0, &[(0x00, 1), (0x80, 1), (0x88, 16)]),
        (Q5_0, &[(0x00, 1), (0x80, 1), (0xFF, 4), (0x00, 16)]),
        (Q4_1, &[(0, 20)]),
        (Q5_1, &[(0, 24)]),
        (Q8_0, &[(0, 34)]),
        (Q2_K, &[(0, 84)]),
        (Q3_K, &[(0, 110)]),
        (Q4_K, &[(0, 144)]),
        (Q5_K, &[(0, 176)]),
        (Q6_K, &[(0, 210)]),
        (TQ1_0, &[(0x80, 48), (0x7F, 4), (0, 2)]),
        (TQ2_0, &[(0x55, 64), (0, 2)]),
        (MXFP4, &[(0, 17)]),
        (NVFP4, &[(0, 36)]),
        (Q1_0, &[(0, 2), (0xFF, 16)]),
        (Q2_0, &[(0, 2), (0x55, 16)]),
        (IQ1_S, &[(0, 50)]),
        (IQ1_M, &[(0, 56)]),
        (IQ2_XXS, &[(0, 66)]),
        (IQ2_XS, &[(0, 74)]),
        (IQ2_S, &[(0, 82)]),
        (IQ3_XXS, &[(0, 98)]),
        (IQ3_S, &[(0, 110)]),
        (IQ4_NL, &[(0, 2), (0x88, 16)]),
        (IQ4_XS, &[(0, 1), (0x80, 1), (0xAA, 2), (0, 4), (0x88, 128)]),
    ];
    let quantized: Vec<_> = encoders().filter(|ty| ty.is_quantized()).collect();
    assert!(
        quantized.iter().all(|ty| cases.iter().any(|case| case.0 == *ty)),
        "of {quantized:?} one is missing"
    );
    for &(ty, runs) in cases {
        let expected: Vec<u8> = runs.iter().flat_map(|&(byte, count)| vec![byte; count]).collect();
        let zeros = vec![0.0; ty.block_elements() as usize];
        let ones = vec![1.0; zeros.len()];
        if !needs_importance(ty) {
            assert_eq!(encoded(ty, &zeros, None), expected, "{ty}");
        }
        // With importance the search leaves a zero block zero, also where code 0 is not weight 0.
        let searched = if matches!(ty, Q4_0 | Q5_0) { vec![0; expected.len()] } else { expected };
        assert_eq!(encoded(ty, &zeros, Some(&ones)), searched, "{ty}");
    }
    for ty in [Q4_1, Q5_1] {
        let mut zeros = vec![0.0; 32];
        zeros[0] = -0.0;
        assert_eq!(encoded(ty, &zeros, None)[..4], [0, 0, 0, 0x80], "{ty}");
        assert_eq!(encoded(ty, &zeros, Some(&[1.0; 32]))[..4], [0, 0, 0, 0x80], "{ty}");
    }
}

/// One NaN among ordinary weights: whether its block is then refused.
#[test]
fn a_nan_is_passed_over_except_where_it_decides_the_scale() {
    for (ty, at, importance, refused) in [
        (Q4_0, 5, false, false),
        (Q4_0, 5, true, true),
        (Q4_1, 5, false, false),
        (Q4_1, 5, true, false),
        (Q4_1, 0, true, true),
        (Q8_0, 5, false, false),
        (Q8_0, 31, false, true),
        (Q4_K, 5, false, false),
        (Q6_K, 5, false, false),
        (F16, 5, false, true),
        (BF16, 5, false, true),
    ] {
        let mut weights: Vec<f32> = (0..256).map(|i| (i as f32).sin()).collect();
        weights[at] = f32::NAN;
        let importance = importance.then_some([1.0; 256]);
        let blocks = encoded(ty, &weights, importance.as_ref().map(|ones| &ones[..]));
        assert_eq!(crate::check_blocks(ty, &blocks).unwrap().is_some(), refused, "{ty}, NaN at {at}");
    }
}

#[test]
fn the_types_with_grids_are_those_that_refuse_weights() {
    for ty in encoders() {
        let refuses = |weight: f32| {
            let mut blocks = vec![0; ty.row_bytes(256).unwrap() as usize];
            encode(ty, &[weight; 256], 256, Some(&[1.0; 256]), &mut blocks).is_err()
        };
        assert_eq!([f32::NAN, f32::INFINITY, 1e30].into_iter().any(refuses), has_grid(ty), "{ty}");
    }
}

#[test]
fn types_with_grids_refuse_what_their_search_cannot_place() {
    let ordinary: Vec<f32> = (0..512).map(|i| (i as f32).sin()).collect();
    let ones = [1.0; 256];
    let mut blocks = [0; 220];
    for (ty, unplaceable) in [(IQ2_XS, f32::NAN), (IQ2_S, f32::INFINITY), (IQ3_XXS, 1e19), (IQ3_S, f32::NAN)]
    {
        let mut weights = ordinary.clone();
        weights[300] = unplaceable;
        let bytes = &mut blocks[..2 * ty.block_bytes() as usize];
        let refused = encode(ty, &weights, 256, Some(&ones), bytes);
        let Err(Error::NoNearestPoint { weight: 256..=300, .. }) = refused else {
            panic!("{ty}: {refused:?}")
        };
        assert_eq!(encode(ty, &ordinary, 256, Some(&ones), bytes), Ok(()));
    }
    for ty in [IQ1_S, IQ2_XXS, IQ2_XS] {
        let refused = encode(ty, &ordinary, 256, None, &mut blocks[..2 * ty.block_bytes() as usize]);
        assert_eq!(refused, Err(Error::NeedsImportance { ty }));
    }
    assert!(!needs_importance(IQ1_M) && !needs_importance(Q4_K));
}

#[test]
fn wrong_lengths_and_types_are_named() {
    let weights = [0.0; 64];
    let mut blocks = [0; 36];
    let mut try_encode = |ty, row, importance: Option<&[f32]>, bytes: usize| {
        encode(ty, &weights, row, importance, &mut blocks[..bytes]).map_err(|error| error.to_string())
    };
    assert_eq!(try_encode(Q4_0, 64, None, 36), Ok(()));
    for (result, message) in [
        (try_encode(Q4_0, 33, None, 36), "33 elements of a row are no whole number of Q4_0 blocks of 32"),
        (try_encode(Q4_0, 128, None, 36), "64 weights are no whole number of rows of 128"),
        (try_encode(Q4_0, 0, None, 0), "64 weights are no whole number of rows of 0"),
        (try_encode(Q4_0, 64, None, 35), "blocks has length 35, but must have 36"),
        (try_encode(Q4_0, 32, Some(&weights), 36), "importance has length 64, but must have 32"),
    ] {
        assert_eq!(result, Err(message.to_owned()));
    }
    assert_eq!(encode(Q4_0, &[], 0, None, &mut []), Ok(()));
    assert!(matches!(decode(Q4_0, &[0; 35], &mut [0.0; 32]), Err(Error::PartialBlock { length: 35, .. })));
    assert!(matches!(
        decode(Q4_0, &[0; 36], &mut [0.0; 32]),
        Err(Error::Length { length: 32, needed: 64, .. })
    ));
    let message = encode(Q8_K, &weights, 64, None, &mut blocks).unwrap_err().to_string();
    assert!(message.starts_with("encoding Q8_K is not supported; supported are F32, F16, Q4_0"), "{message}");
    assert_eq!(message.matches("Q8_K").count(), 1, "{message}");
    assert!(!can_encode(I32));
}

/// Of blocks: more than the rows have, which stay as they are, and fewer, which are the same without the others. Of
/// rows: such as end inside a block, which are refused.
#[test]
fn rows_and_blocks_meet_where_both_are() {
    fn meet<B: TryEncode + FromZeros + IntoBytes + Immutable>(importance: bool) {
        let row = 2 * B::ELEMENTS;
        let weights: Vec<f32> = (0..3 * row).map(|i| (i as f32 * 0.37).sin()).collect();
        let ones = vec![1.0; row + 1];
        let rows = |length: usize, weights| {
            Rows::new(weights, length, importance.then_some(&ones[..length])).unwrap()
        };
        let encoded = |count: usize| {
            let mut blocks = vec![B::new_zeroed(); count];
            B::try_encode_rows(&rows(row, &weights), &mut blocks).unwrap();
            blocks.as_bytes().to_vec()
        };
        let whole = encoded(6);
        for count in [0, 1, 5, 7, 40] {
            let (both, found) = (count.min(6) * size_of::<B>(), encoded(count));
            assert_eq!(found[..both], whole[..both], "{}, {count} blocks", B::TYPE);
            assert!(found[both..].iter().all(|&byte| byte == 0), "{}, {count} blocks", B::TYPE);
        }
        assert_eq!(B::try_encode_rows(&rows(0, &[]), &mut [B::new_zeroed()]), Ok(()));
        if B::ELEMENTS > 1 {
            let mut blocks = [B::new_zeroed(); 9];
            let partial = B::try_encode_rows(&rows(row + 1, &weights[..row + 1]), &mut blocks);
            let (ty, block) = (B::TYPE, B::ELEMENTS);
            let error = Error::PartialBlock { length: row + 1, unit: "elements of a row", ty, block };
            assert_eq!(partial, Err(error));
            assert!(blocks.as_bytes().iter().all(|&byte| byte == 0), "{ty}");
        }
    }
    // A type of each way to go through blocks.
    macro_rules! meet {
        ($($name:ident)*) => { $( meet::<block::$name>(true); meet::<block::$name>(needs_importance($name)); )* };
    }
    meet!(F16 F64 Q4_0 Q4_1 Q8_0 Q8_1 Q8_K Q1_0 TQ1_0 MXFP4 NVFP4 Q2_K Q3_K Q4_K Q6_K);
    meet!(IQ1_S IQ1_M IQ2_XXS IQ2_S IQ3_S IQ4_NL IQ4_XS);
}
