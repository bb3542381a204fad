//! The checks, in the order in which they run: cheap foundations first.

mod decode;
mod encode;
mod files;
mod limits;
mod minilm;
mod readers;
mod run;

use anyhow::Result;

use crate::place::Place;

/// A named check.
pub(crate) struct Check {
    /// As the command line takes it.
    pub(crate) name: &'static str,
    /// What has been shown when it passes.
    pub(crate) claim: &'static str,
    /// Prints figures; an error is a failure.
    pub(crate) run: fn(&Place) -> Result<()>,
}

/// Every check.
pub(crate) const CHECKS: &[Check] = &[
    Check { name: "encode", claim: "encoders write ggml's bytes", run: encode::run },
    Check { name: "decode", claim: "decoders give ggml's floats, bit for bit", run: decode::run },
    Check { name: "files", claim: "converted files hold what llama.cpp's own tools write", run: files::run },
    Check { name: "run", claim: "llama.cpp runs the converted files", run: run::run },
    Check { name: "minilm", claim: "all-MiniLM-L6-v2 keeps its embeddings", run: minilm::run },
    Check { name: "readers", claim: "gguf-py and candle read what briq reads", run: readers::run },
    Check { name: "limits", claim: "memory and time stay within their limits", run: limits::run },
];
