//! What arbitrary bytes are held against.
//!
//! A target is a function of bytes that panics when a promise is broken: no input may make the libraries
//! panic, and what they accept must hold what they say of it. [`TARGETS`] lists them all. Two programs run
//! them: libFuzzer, from the package in `libfuzzer/`, which needs a nightly compiler; and this package's own
//! binary, which mutates the seeds at random on any compiler. `cargo x fuzz` picks one.

// A broken promise is a panic here, and so is a machine on which nothing can be tested.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod arguments;
mod blocks;
mod bytes;
mod checkpoint;
mod container;
mod directory;
mod imatrix;
mod integrity;
pub mod mutate;
mod safetensors;
mod scratch;
mod seeds;
mod shards;
mod writer;

/// A function that is called with arbitrary bytes.
pub struct Target {
    /// Its name, which is also that of the libFuzzer program.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "header", run: container::header, seeds: seeds::gguf },
    Target { name: "metadata", run: container::metadata, seeds: seeds::metadata },
    Target { name: "tensor_table", run: container::tensor_table, seeds: seeds::tensor_table },
    Target { name: "shards", run: shards::run, seeds: seeds::structured },
    Target { name: "writer", run: writer::run, seeds: seeds::structured },
    Target { name: "safetensors", run: safetensors::run, seeds: seeds::safetensors },
    Target { name: "index_json", run: directory::index, seeds: seeds::index },
    Target { name: "config_json", run: directory::config, seeds: seeds::config },
    Target { name: "tokenizer_json", run: directory::tokenizer, seeds: seeds::tokenizer },
    Target { name: "tokenizer_config", run: directory::tokenizer_config, seeds: seeds::tokenizer_config },
    Target { name: "sentencepiece", run: directory::sentencepiece, seeds: seeds::sentencepiece },
    Target { name: "model_card", run: directory::model_card, seeds: seeds::model_card },
    Target { name: "imatrix_gguf", run: imatrix::gguf, seeds: seeds::imatrix_gguf },
    Target { name: "imatrix_legacy", run: imatrix::legacy, seeds: seeds::imatrix_legacy },
    Target { name: "record", run: integrity::record, seeds: integrity::record_seeds },
    Target { name: "hash_list", run: integrity::list, seeds: integrity::list_seeds },
    Target { name: "decode", run: blocks::decode, seeds: seeds::blocks },
    Target { name: "encode", run: blocks::encode, seeds: seeds::blocks },
    Target { name: "recipe_file", run: arguments::recipe_file, seeds: seeds::recipe_file },
    Target { name: "arguments", run: arguments::run, seeds: seeds::arguments },
];

/// The target called `name`.
///
/// # Panics
/// When there is none.
pub fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("there is no target {name}"))
}
