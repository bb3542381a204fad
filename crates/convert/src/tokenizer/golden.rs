//! Keys, types, values and order equal those that llama.cpp's converter wrote for the same files.
//!
//! `fixtures/tokenizers` has a folder for each kind of tokenizer, and beside it the converter's keys, a line
//! each: key, type and value, floats as their bits.

#[path = "../../tests/support/golden.rs"]
mod values;

use std::fs;
use std::path::{Path, PathBuf};

use briq_format::metadata::{MetadataBuf, Value};

use super::{PreTokenizer, Scheme, write};
use crate::model::Config;
use values::spelled;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/tokenizers").join(name)
}

fn written(name: &str, scheme: Scheme) -> Vec<String> {
    let mut metadata = MetadataBuf::new();
    let config = Config::read(&folder(name)).unwrap();
    write(&folder(name), &config, scheme, PreTokenizer::default(), &mut metadata).unwrap();
    let line = |(key, value): (&str, Value<'_>)| {
        let (kind, value) = spelled(&value);
        format!("{key}\t{kind}\t{value}")
    };
    metadata.iter().map(line).collect()
}

fn golden(name: &str) -> Vec<String> {
    let text = fs::read_to_string(folder(&format!("{name}.golden.txt"))).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn check(name: &str, scheme: Scheme) {
    let (found, golden) = (written(name, scheme), golden(name));
    for (found, golden) in found.iter().zip(&golden) {
        assert_eq!(found, golden, "{name}");
    }
    assert_eq!(found.len(), golden.len(), "{name}");
}

#[test]
fn byte_level_bpe_of_every_structure() {
    for name in ["bpe-bloom", "bpe-deepseek", "bpe-falcon", "bpe-gpt-oss", "bpe-qwen3"] {
        check(name, Scheme::Plain);
    }
    check("bpe-glm4", Scheme::Glm4);
    check("bpe-roberta", Scheme::Bert);
}

#[test]
fn sentencepiece_with_and_without_a_tokenizer_json() {
    check("sentencepiece-baichuan", Scheme::Plain);
    check("sentencepiece-gemma2", Scheme::GemmaLater);
    check("sentencepiece-phi3", Scheme::Phi3);
}

#[test]
fn named_templates_in_the_order_of_the_source() {
    // The converter's order is that of a set in Python.
    let sorted = |lines: Vec<String>| {
        let swap = |line: String| line.replace("[\"rag\", \"tool_use\"]", "[\"tool_use\", \"rag\"]");
        lines.into_iter().map(swap).collect::<Vec<_>>()
    };
    assert_eq!(sorted(written("bpe-cohere", Scheme::Plain)), sorted(golden("bpe-cohere")));
}

/// The converter reads the pieces only: tokens that are added to them are left as unused ids.
#[test]
fn unigram_vocabularies_with_the_added_tokens_that_the_converter_loses() {
    for (name, scheme, added) in [("unigram-t5", Scheme::Plain, 20), ("unigram-xlm-roberta", Scheme::Bert, 1)]
    {
        let (found, golden) = (written(name, scheme), golden(name));
        assert_eq!(found.len(), golden.len(), "{name}");
        for (found, golden) in found.iter().zip(&golden) {
            let key = found.split('\t').nth(1).unwrap_or_default();
            let differ = found.split(", ").zip(golden.split(", ")).filter(|(found, golden)| found != golden);
            let differ: Vec<_> = differ.collect();
            let allowed = match golden.split('\t').next().unwrap() {
                "tokenizer.ggml.tokens" | "tokenizer.ggml.scores" | "tokenizer.ggml.token_type" => added,
                _ => 0,
            };
            assert_eq!(differ.len(), allowed, "{name} {key}: {differ:?}");
            let unused =
                |golden: &str| ["\"[PAD", "0xc61c4000", "5"].iter().any(|mark| golden.starts_with(mark));
            assert!(differ.iter().all(|(_, golden)| unused(golden)), "{name} {key}: {differ:?}");
        }
    }
}
