//! Cohere's Command R and Command R7B, whose norms have no bias and whose attention and feed-forward part work
//! side by side.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::model::dimension::untied;
use crate::model::keys::{COMMON, Facts, KeyRow, KeyValue, row};
use crate::model::tensor::TensorRow;
use crate::model::{Default, Family, Redundant};

/// Command R.
pub(super) static COHERE: Family = Family {
    name: "cohere",
    architectures: &["CohereForCausalLM"],
    arch: "command-r",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("hidden_size", Default::Integer(8192)),
        ("intermediate_size", Default::Integer(22_528)),
        ("layer_norm_eps", Default::Number(1e-5)),
        ("logit_scale", Default::Number(0.0625)),
        ("max_position_embeddings", Default::Integer(8192)),
        ("num_attention_heads", Default::Integer(64)),
        ("num_hidden_layers", Default::Integer(40)),
        ("rope_theta", Default::Number(10_000.0)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(256_000)),
    ],
    fill: fill_key_value_heads,
    keys: &[COMMON, &[row("context_length", KeyValue::Formula(context)), LOGIT_SCALE, NO_SCALING]],
    tensors: &[PARTS, ATTENTION, NORMS_OF_EACH_HEAD, GATED],
    ..DECODER
};

/// Command R7B and Command A.
pub(super) static COHERE2: Family = Family {
    name: "cohere2",
    architectures: &["Cohere2ForCausalLM"],
    arch: "cohere2",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("hidden_size", Default::Integer(8192)),
        ("intermediate_size", Default::Integer(22_528)),
        ("layer_norm_eps", Default::Number(1e-5)),
        ("logit_scale", Default::Number(0.0625)),
        ("max_position_embeddings", Default::Integer(8192)),
        ("num_attention_heads", Default::Integer(64)),
        ("num_hidden_layers", Default::Integer(40)),
        ("rope_theta", Default::Number(10_000.0)),
        ("sliding_window", Default::Integer(4096)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(256_000)),
    ],
    fill: |config| {
        fill_key_value_heads(config)?;
        let size = crate::model::dimension::head_size(config)?;
        config.fill("head_dim", crate::json::Json::Integer(size.into()));
        Ok(())
    },
    keys: &[
        COMMON,
        &[
            LOGIT_SCALE,
            number("attention.sliding_window", &["sliding_window"]),
            number("vocab_size", &["vocab_size"]),
            row("rope.dimension_count", KeyValue::Formula(|facts| rotated_of_head(facts, &["rotary_pct"]))),
            NO_SCALING,
        ],
    ],
    redundant: &[Redundant::Zeros { ending: ".bias" }],
    tensors: &[PARTS, ATTENTION, GATED],
    ..DECODER
};

const PARTS: &[TensorRow] = &[EMBEDDINGS, ENDS[1], ENDS[2].needed_if(untied), NORMS[0]];

const LOGIT_SCALE: KeyRow = row("logit_scale", KeyValue::F32(&["logit_scale"]));
const NO_SCALING: KeyRow = row("rope.scaling.type", KeyValue::Text("none"));

/// The length the tokenizer is said to take, where the config has it, is the one that was trained.
fn context(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let length = facts.config.first_size(&["model_max_length", "max_position_embeddings"])?;
    Ok(Some((length as u32).into()))
}
