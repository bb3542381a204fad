//! Encoders and decoders give the bytes that ggml gives, on the vectors in `fixtures/vectors`.
//!
//! `weights.bin` and `importance.bin` are the input. `TYPE.bin` holds, one after the other: the weights encoded
//! without importance, the same with it, two rows of arbitrary blocks, and what these decode to. The manifest
//! says how the files are made. Types with grids have no bytes without importance where they need it, and none for
//! rows of huge weights, which their searches refuse.

#![allow(clippy::unwrap_used)]

use std::fs;

use briq_format::TensorType::{self, *};
use briq_tests::fixtures;

const TYPES: [TensorType; 25] = [
    F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K, Q2_K, Q3_K, IQ4_NL, IQ4_XS, TQ1_0, TQ2_0,
    MXFP4, NVFP4, IQ2_XXS, IQ2_XS, IQ2_S, IQ3_XXS, IQ3_S, IQ1_S, IQ1_M,
];
const ROW: usize = 512;

struct Vectors {
    plain: Vec<u8>,
    weighted: Vec<u8>,
    blocks: Vec<u8>,
    decoded: Vec<f32>,
}

fn read(name: &str) -> Vec<u8> {
    fs::read(fixtures::path(&format!("vectors/{name}.bin"))).unwrap()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

fn weights() -> Vec<f32> {
    let weights = floats(&read("weights"));
    assert!(weights.len() > 2000 && weights.len().is_multiple_of(ROW));
    weights
}

/// The rows of the weights that a type is tested with.
fn weights_for(ty: TensorType) -> Vec<f32> {
    let mut weights = weights();
    if matches!(ty, IQ2_XXS | IQ2_XS | IQ2_S | IQ3_XXS | IQ3_S | IQ1_S | IQ1_M) {
        let rows = weights.chunks(ROW).filter(|row| row.iter().all(|weight| weight.abs() < 1e9));
        weights = rows.flatten().copied().collect();
    }
    weights
}

impl Vectors {
    fn of(ty: TensorType) -> Self {
        let encoded = ty.row_bytes(weights_for(ty).len() as u64).unwrap() as usize;
        let plain = if briq_codec::needs_importance(ty) { 0 } else { encoded };
        let blocks = ty.row_bytes(2 * ROW as u64).unwrap() as usize;
        let mut file = read(ty.name());
        assert_eq!(file.len(), plain + encoded + blocks + 2 * ROW * 4, "{ty}");
        let decoded = floats(&file.split_off(plain + encoded + blocks));
        let blocks = file.split_off(plain + encoded);
        let weighted = file.split_off(plain);
        Self { plain: file, weighted, blocks, decoded }
    }
}

#[track_caller]
fn encodes_to(ty: TensorType, importance: Option<&[f32]>, expected: &[u8]) {
    let weights = weights_for(ty);
    let mut found = vec![0; expected.len()];
    briq_codec::encode(ty, &weights, ROW, importance, &mut found).unwrap();
    let differing = found.iter().zip(expected).position(|(found, expected)| found != expected);
    assert_eq!(differing, None, "{ty}: the first byte that differs, {} bytes per block", ty.block_bytes());
}

#[test]
fn weights_encode_to_the_bytes_of_ggml() {
    for ty in TYPES.into_iter().filter(|&ty| !briq_codec::needs_importance(ty)) {
        encodes_to(ty, None, &Vectors::of(ty).plain);
    }
}

#[test]
fn weights_with_importance_encode_to_the_bytes_of_ggml() {
    let importance = floats(&read("importance"));
    for ty in TYPES {
        encodes_to(ty, Some(&importance), &Vectors::of(ty).weighted);
    }
}

#[test]
fn importance_changes_the_bytes_of_the_types_that_make_use_of_it() {
    for ty in TYPES {
        let Vectors { plain, weighted, .. } = Vectors::of(ty);
        let ignores = matches!(ty, F16 | BF16 | Q8_0 | TQ1_0 | TQ2_0 | MXFP4 | NVFP4);
        assert_eq!(plain == weighted, ignores, "{ty}");
    }
}

#[test]
fn arbitrary_blocks_decode_to_the_bits_of_ggml() {
    for ty in TYPES {
        let Vectors { blocks, decoded, .. } = Vectors::of(ty);
        let mut found = vec![0.0; decoded.len()];
        briq_codec::decode(ty, &blocks, &mut found).unwrap();
        for (index, (found, expected)) in found.iter().zip(&decoded).enumerate() {
            // Which NaN comes out of an operation on NaN is the machine's choice.
            let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
            assert!(same, "{ty}: weight {index} is {found:e}, ggml has {expected:e}");
        }
    }
}
