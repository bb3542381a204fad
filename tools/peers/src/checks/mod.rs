//! The checks, in the order in which they run: cheap foundations first.

mod activations;
mod decode;
mod dot;
mod edits;
mod encode;
mod families;
mod files;
mod kernels;
mod limits;
mod minilm;
mod portable;
mod race;
mod readers;
mod run;
mod tokenizers;

use anyhow::Result;

use crate::place::Place;

/// Prints figures; an error is a failure.
type Run = fn(&Place) -> Result<()>;

/// A named check.
pub(crate) struct Check {
    /// As the command line takes it.
    pub(crate) name: &'static str,
    /// What has been shown when it passes.
    pub(crate) claim: &'static str,
    /// Whether it runs only when it is named: it takes minutes, and shows little that others do not.
    pub(crate) on_request: bool,
    pub(crate) run: Run,
}

/// Every check.
pub(crate) const CHECKS: &[Check] = &[
    check("encode", "encoders write ggml's bytes", encode::run),
    check("activations", "encoders of activations write ggml's bytes", activations::run),
    check("decode", "decoders give ggml's floats, bit for bit", decode::run),
    check(
        "portable",
        "kernels without vectors give the products of ggml's portable ones, bit for bit",
        portable::run,
    ),
    check("dot", "kernels give ggml's products of every type, but for the order of sums", dot::run),
    check("files", "converted files hold what llama.cpp's own tools write", files::run),
    check("run", "llama.cpp runs the converted files", run::run),
    check("tokenizers", "llama.cpp cuts texts as the tokenizers library does", tokenizers::run),
    check("families", "llama.cpp computes with each family's file what transformers does", families::run),
    check("minilm", "all-MiniLM-L6-v2 keeps its embeddings", minilm::run),
    check("readers", "gguf-py and candle read what briq reads", readers::run),
    check("edits", "a record that other tools carry along is stale, and no damage", edits::run),
    check("limits", "memory and time stay within their limits", limits::run),
    check("race-short", "a file of 31 million weights becomes what llama.cpp makes of it", race::run_small),
    check("kernels-short", "kernels give the products of ggml and candle", kernels::run_small),
    Check {
        on_request: true,
        ..check("kernels", "the same for all types that candle has, and how fast all three are", kernels::run)
    },
    Check {
        on_request: true,
        ..check("race", "the same with 301 million weights, and how long both take", race::run)
    },
];

const fn check(name: &'static str, claim: &'static str, run: Run) -> Check {
    Check { name, claim, on_request: false, run }
}

/// What checks run in processes of their own; not for the command line.
pub(crate) const PARTS: &[(&str, Run)] = &[
    (encode::PART, encode::run_part),
    (activations::PART, activations::run_part),
    (decode::PART, decode::run_part),
    (portable::PART, portable::run_part),
];
