//! Model directories in which one file is arbitrary. A directory that is accepted can be converted.

use std::sync::atomic::AtomicBool;

use briq_convert::integrity::{State, check};
use briq_convert::model::{MetadataRequest, Model, Parameters};
use briq_convert::plan::{Plan, PlanOptions};
use briq_convert::recipe::Recipe;
use briq_convert::run::{RunOptions, run};
use briq_convert::source::Source;
use briq_format::metadata::keys;
use briq_format::{Existing, FilePlan, Gguf, MetadataBuf};

use crate::checkpoint;
use crate::scratch;

pub(crate) fn index(bytes: &[u8]) {
    let folder = checkpoint::with("index", checkpoint::INDEX, bytes);
    let _ = Source::open(&folder);
}

pub(crate) fn config(bytes: &[u8]) {
    let folder = checkpoint::with("config", "config.json", bytes);
    if let Some(plan) = plan(&folder)
        && is_seldom(bytes)
    {
        carry_out(&plan);
    }
}

pub(crate) fn tokenizer(bytes: &[u8]) {
    keys("tokenizer.json", bytes);
}

pub(crate) fn tokenizer_config(bytes: &[u8]) {
    keys("tokenizer_config.json", bytes);
}

pub(crate) fn sentencepiece(bytes: &[u8]) {
    keys("tokenizer.model", bytes);
}

pub(crate) fn model_card(bytes: &[u8]) {
    keys("README.md", bytes);
}

/// Makes the keys of a directory, which can be written; and now and then all of its file.
fn keys(file: &str, bytes: &[u8]) {
    let folder = checkpoint::with(file, file, bytes);
    let request = MetadataRequest {
        directory_name: "model",
        file_type: 0,
        parameters: Parameters::default(),
        pre: None,
    };
    let made = checkpoint::with_model(&folder, |model: &Model| model.metadata(&request));
    if made.as_ref().is_ok_and(|metadata| FilePlan::new(metadata, Vec::new()).is_err()) {
        panic!("keys that cannot be written");
    }
    if is_seldom(bytes) {
        let plan = plan(&folder);
        assert_eq!(plan.is_some(), made.is_ok(), "the keys of a directory, and what becomes of it");
        plan.iter().for_each(carry_out);
    }
}

/// A whole file is written seldom, where the metadata may differ from what other inputs had.
fn is_seldom(bytes: &[u8]) -> bool {
    bytes.len().is_multiple_of(64)
}

/// The plan of a conversion.
fn plan(folder: &std::path::Path) -> Option<Plan> {
    let plan = Plan::new(folder, &PlanOptions::new(Recipe::Auto)).ok()?;
    let parsed = briq_format::parse(plan.file.head());
    assert!(plan.tensors.is_empty() || parsed.is_err(), "a head without its data opened");
    Some(plan)
}

/// Writes the file of a plan, which says what the plan said, and carries a record that holds.
fn carry_out(plan: &Plan) {
    let output = scratch::absent("out.gguf");
    let options = RunOptions { threads: 1, existing: Existing::Keep, ..RunOptions::default() };
    run(plan, &output, &options, &(), &AtomicBool::new(false)).expect("a plan can be carried out");
    let model = Gguf::open(&output).expect("what was written opens");
    let mut metadata = MetadataBuf::from(model.metadata());
    metadata.remove_all(keys::INTEGRITY_PREFIX);
    assert_eq!(metadata, plan.metadata);
    let findings = check(&output, &(), &AtomicBool::new(false)).expect("what was written can be checked");
    assert_eq!(findings.state, State::Holds);
    assert_eq!(model.tensors().count(), plan.tensors.len());
}
