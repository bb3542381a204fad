//! Encoders and decoders give the bytes that ggml gives, on the vectors in `fixtures/vectors`.
//!
//! `weights.bin` and `importance.bin` are the input. `TYPE.bin` holds, one after the other: the weights encoded
//! without importance, the same with it, two rows of arbitrary blocks, and what these decode to. The first part is
//! missing where there is no encoding without importance, and rows of [`HUGE`] weights are left out where the type has
//! a grid: ggml ends the process over some of them. The manifest says how the files are made.

#![allow(clippy::unwrap_used)]

use std::process::Command;
use std::{env, fs};

use briq_codec::Isa;
use briq_format::Content;
use briq_format::TensorType::{self, *};
use briq_tests::fixtures;

/// Every type that weights are encoded to, but for those that are copied.
fn types() -> impl Iterator<Item = TensorType> {
    TensorType::ALL.iter().copied().filter(|&ty| ty.content() == Content::Weights && ty != F32)
}

const HUGE: f32 = 1e15;
const ROW: usize = 512;

struct Vectors {
    /// Missing where importance is needed.
    plain: Option<Vec<u8>>,
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

/// The weights that were encoded to `ty`.
fn weights(ty: TensorType) -> Vec<f32> {
    let all = floats(&read("weights"));
    let takes = |row: &&[f32]| !briq_codec::has_grid(ty) || row.iter().all(|weight| weight.abs() < HUGE);
    let weights: Vec<f32> = all.chunks_exact(ROW).filter(takes).flatten().copied().collect();
    assert!(weights.len() >= 10 * ROW, "{ty}");
    weights
}

impl Vectors {
    fn of(ty: TensorType) -> Self {
        let encoded = ty.row_bytes(weights(ty).len() as u64).unwrap() as usize;
        let blocks = ty.row_bytes(2 * ROW as u64).unwrap() as usize;
        let plain = if briq_codec::needs_importance(ty) { 0 } else { encoded };
        let mut file = read(ty.name());
        assert_eq!(file.len(), plain + encoded + blocks + 2 * ROW * 4, "{ty}");
        let decoded = floats(&file.split_off(plain + encoded + blocks));
        let blocks = file.split_off(plain + encoded);
        let weighted = file.split_off(plain);
        Self { plain: (plain > 0).then_some(file), weighted, blocks, decoded }
    }
}

/// The sign of a scale that is not a number is the processor's, and the vectors are from x86-64.
fn same(found: u8, expected: u8) -> bool {
    let sign_of_nan = cfg!(not(target_arch = "x86_64")) && (found, expected) == (0x7E, 0xFE);
    found == expected || sign_of_nan
}

#[track_caller]
fn encodes_to(ty: TensorType, importance: Option<&[f32]>, expected: &[u8]) {
    let mut found = vec![0; expected.len()];
    briq_codec::encode(ty, &weights(ty), ROW, importance, &mut found).unwrap();
    let differing = found.iter().zip(expected).position(|(found, expected)| !same(*found, *expected));
    assert_eq!(differing, None, "{ty}: the first byte that differs, {} bytes per block", ty.block_bytes());
}

#[test]
fn weights_encode_to_the_bytes_of_ggml() {
    for ty in types() {
        if let Some(plain) = Vectors::of(ty).plain {
            encodes_to(ty, None, &plain);
        }
    }
}

#[test]
fn weights_with_importance_encode_to_the_bytes_of_ggml() {
    let importance = floats(&read("importance"));
    for ty in types() {
        encodes_to(ty, Some(&importance), &Vectors::of(ty).weighted);
    }
}

#[test]
fn importance_changes_the_bytes_of_the_types_that_make_use_of_it() {
    for ty in types() {
        let Vectors { plain, weighted, .. } = Vectors::of(ty);
        let ignores = matches!(ty, F16 | BF16 | Q8_0 | Q1_0 | Q2_0 | TQ1_0 | TQ2_0 | MXFP4 | NVFP4);
        assert_eq!(plain.is_some_and(|plain| plain == weighted), ignores, "{ty}");
    }
}

#[test]
fn arbitrary_blocks_decode_to_the_bits_of_ggml() {
    for ty in types() {
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

/// Which one runs is decided once per process.
#[test]
fn every_instruction_set_of_this_processor_passes_the_tests_above() {
    for isa in Isa::available() {
        let mut tests = Command::new(env::current_exe().unwrap());
        let ran = tests.env("BRIQ_ISA", isa.name()).arg("of_ggml").output().unwrap();
        let report = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && report.contains("3 passed"), "{isa}: {report}");
    }
}
