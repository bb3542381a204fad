//! Keys, types, values and order equal those that llama.cpp's converter wrote for the same directory.
//!
//! The golden files under `fixtures/checkpoints` have a line for each key of the converter's F32 file: key,
//! type and value, with floats as their bits.

#![allow(clippy::panic, clippy::unwrap_used)]

#[path = "support/golden.rs"]
mod golden;

use std::fs;
use std::path::{Path, PathBuf};

use briq_convert::model::{Given, MetadataRequest, Model, Parameters};
use golden::spelled;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/checkpoints")
}

/// The shapes of all tensors, by the headers of the directory's safetensors files.
fn shapes(directory: &Path) -> Vec<(String, Vec<u64>)> {
    let mut shapes = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "safetensors") {
            let bytes = fs::read(&path).unwrap();
            let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let shape =
                |view: &safetensors::tensor::TensorView<'_>| view.shape().iter().map(|&d| d as u64).collect();
            shapes.extend(tensors.iter().map(|(name, view)| (name.to_owned(), shape(&view))));
        }
    }
    shapes
}

fn check(name: &str) {
    let model = Model::open(&fixtures().join(name), None).unwrap();
    let shapes = shapes(&model.directory);
    let tensors: Vec<Given<'_>> =
        shapes.iter().map(|(name, shape)| Given { name, shape, file: &model.directory }).collect();
    let assembly = model.assemble(&tensors).unwrap();
    let written: Vec<(&str, Vec<u64>)> = assembly
        .written
        .iter()
        .map(|tensor| (tensor.name.as_str(), tensor.shape.iter().rev().copied().collect()))
        .collect();
    let parameters = Parameters::count(written.iter().map(|(name, shape)| (*name, shape.as_slice())));
    // The converter's directory was called `hf`.
    let request = MetadataRequest { directory_name: "hf", file_type: 0, parameters, pre: None };
    let metadata = model.metadata(&request).unwrap();
    let found: Vec<String> = metadata
        .iter()
        .map(|(key, value)| {
            let (kind, value) = spelled(&value);
            format!("{key}\t{kind}\t{value}")
        })
        .collect();
    let golden = fs::read_to_string(fixtures().join(format!("{name}.golden.txt"))).unwrap();
    for (found, golden) in found.iter().zip(golden.lines()) {
        assert_eq!(found, golden, "{name}");
    }
    assert_eq!(found.len(), golden.lines().count(), "{name}");
}

#[test]
fn a_llama_with_byte_level_bpe_and_tied_embeddings() {
    check("tiny-llama");
}

#[test]
fn a_llama_with_sentencepiece_a_card_and_sampling_defaults() {
    check("tiny-llama-spm");
}

#[test]
fn a_sharded_llama_with_yarn_scaling() {
    check("tiny-llama-yarn");
}

#[test]
fn a_mistral_with_a_sliding_window() {
    check("tiny-mistral");
}

#[test]
fn a_bert_with_a_pooling_stage() {
    check("tiny-bert");
}
