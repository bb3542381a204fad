//! Model directories in which one file is arbitrary. A directory that is accepted can be converted.

use std::sync::atomic::AtomicBool;

use briq_convert::plan::{Plan, PlanOptions};
use briq_convert::recipe::Recipe;
use briq_convert::run::{RunOptions, run};
use briq_convert::source::Source;
use briq_format::{Existing, Gguf, MetadataBuf};

use crate::scratch;

pub(crate) fn index(bytes: &[u8]) {
    let folder = scratch::checkpoint("tiny-llama-yarn", "model.safetensors.index.json", bytes);
    let _ = Source::open(&folder);
}

pub(crate) fn config(bytes: &[u8]) {
    convert("tiny-llama", "config.json", bytes);
}

pub(crate) fn tokenizer(bytes: &[u8]) {
    convert("tiny-llama", "tokenizer.json", bytes);
}

pub(crate) fn tokenizer_config(bytes: &[u8]) {
    convert("tiny-llama", "tokenizer_config.json", bytes);
}

pub(crate) fn sentencepiece(bytes: &[u8]) {
    convert("tiny-llama-spm", "tokenizer.model", bytes);
}

pub(crate) fn model_card(bytes: &[u8]) {
    convert("tiny-llama", "README.md", bytes);
}

/// Plans the conversion, and carries it out where there is a plan: the file says what the plan said.
fn convert(fixture: &str, file: &str, bytes: &[u8]) {
    let folder = scratch::checkpoint(fixture, file, bytes);
    let Ok(plan) = Plan::new(&folder, &PlanOptions::new(Recipe::Auto)) else { return };
    let parsed = briq_format::parse(plan.file.head());
    assert!(plan.tensors.is_empty() || parsed.is_err(), "a head without its data opened");
    // Seldom, since a whole file is written: where the metadata may differ from what other inputs had.
    if !bytes.len().is_multiple_of(16) {
        return;
    }
    let output = scratch::absent("out.gguf");
    let options = RunOptions { threads: 1, existing: Existing::Keep, ..RunOptions::default() };
    run(&plan, &output, &options, &(), &AtomicBool::new(false)).expect("a plan can be carried out");
    let model = Gguf::open(&output).expect("what was written opens");
    assert_eq!(MetadataBuf::from(model.metadata()), plan.metadata);
    assert_eq!(model.tensors().count(), plan.tensors.len());
}
