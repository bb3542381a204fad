//! MiniCPM: Llama with three scales.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::model::dimension::{head_size, hidden, layers};
use crate::model::keys::{COMMON, Facts, KeyValue, row};
use crate::model::{Default, Family, rope};

/// MiniCPM 1 and 2.
pub(super) static MINICPM: Family = Family {
    name: "minicpm",
    architectures: &["MiniCPMForCausalLM"],
    arch: "minicpm",
    defaults: &[("tie_word_embeddings", Default::Flag(true))],
    keys: &[
        COMMON,
        &[
            row("embedding_scale", KeyValue::F32(&["scale_emb"])),
            row("residual_scale", KeyValue::Formula(residual_scale)),
            row("logit_scale", KeyValue::Formula(logit_scale)),
        ],
    ],
    tensors: &[ENDS, NORMS, ATTENTION_PERMUTED, GATED],
    generated: |config| rope::long_and_short_factors(config, head_size(config)?),
    ..DECODER
};

fn residual_scale(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let scale = facts.config.optional_number("scale_depth")?;
    let root = (layers(facts.config)? as f64).sqrt();
    scale.map(|scale| Ok(facts.config.single("scale_depth", scale / root)?.into())).transpose()
}

fn logit_scale(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let base = facts.config.optional_number("dim_model_base")?.filter(|&base| base != 0.0);
    let width = hidden(facts.config)? as f64;
    base.map(|base| Ok(facts.config.single("dim_model_base", width / base)?.into())).transpose()
}
