//! Mamba 1 and 2 and Falcon Mamba.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use super::state_space::*;
use crate::Result;
use crate::model::arrange::{negative_exponential, without_middle};
use crate::model::dimension::{hidden, layers, one};
use crate::model::keys::{FILE_TYPE, Facts, KeyValue, row};
use crate::model::tensor::{TensorRow, both, weight, whole};
use crate::model::{Config, Default, Family, Redundant};

/// Mamba.
pub(super) static MAMBA: Family = Family {
    name: "mamba",
    architectures: &["MambaForCausalLM", "MambaLMHeadModel"],
    defaults: MAMBA_DEFAULTS,
    redundant: TWINS,
    ..BASE
};

/// Falcon Mamba, which norms what the state is made of.
pub(super) static FALCON_MAMBA: Family = Family {
    name: "falcon_mamba",
    architectures: &["FalconMambaForCausalLM"],
    defaults: MAMBA_DEFAULTS,
    redundant: TWINS,
    ..BASE
};

/// Mamba 2.
pub(super) static MAMBA2: Family = Family {
    name: "mamba2",
    architectures: &["Mamba2ForCausalLM"],
    arch: "mamba2",
    defaults: &[
        ("conv_kernel", Default::Integer(4)),
        ("layer_norm_epsilon", Default::Number(1e-5)),
        ("state_size", Default::Integer(128)),
    ],
    keys: &[&[
        row("context_length", KeyValue::Fixed(1 << 20)),
        row("embedding_length", KeyValue::Size(hidden)),
        row("feed_forward_length", KeyValue::Fixed(0)),
        row("attention.head_count", KeyValue::Fixed(0)),
        row("block_count", KeyValue::Size(layers)),
        row("ssm.conv_kernel", KeyValue::Size(kernel)),
        row("ssm.inner_size", KeyValue::Size(inner)),
        row("ssm.state_size", KeyValue::Size(state)),
        row("ssm.time_step_rank", KeyValue::Size(state_heads)),
        row("ssm.group_count", KeyValue::Size(groups)),
        EPSILON,
        FILE_TYPE,
    ]],
    canonical: mamba2_name,
    tensors: &[MAMBA_ENDS, MIXER2, MIXER_PARTS],
    token_multiple: 16,
    ..BASE
};

const BASE: Family = Family {
    arch: "mamba",
    // The first releases have the embeddings in the singular.
    canonical: |name, _| name.replace("backbone.embedding.", "backbone.embeddings."),
    keys: &[&[
        row("context_length", KeyValue::Fixed(1 << 20)),
        row("embedding_length", KeyValue::Size(hidden)),
        row("feed_forward_length", KeyValue::Fixed(0)),
        row("attention.head_count", KeyValue::Fixed(0)),
        row("block_count", KeyValue::Size(layers)),
        row("ssm.conv_kernel", KeyValue::Size(kernel)),
        row("ssm.inner_size", KeyValue::Size(inner)),
        row("ssm.state_size", KeyValue::Size(state)),
        row("ssm.time_step_rank", KeyValue::Size(time_step_rank)),
        EPSILON,
        row("ssm.dt_b_c_rms", KeyValue::Formula(norms_the_state)),
        FILE_TYPE,
    ]],
    tensors: &[MAMBA_ENDS, MIXER1],
    token_multiple: 8,
    ..DECODER
};

const TWINS: &[Redundant] = &[
    Redundant::Twin { name: "lm_head.weight", of: "backbone.embeddings.weight" },
    Redundant::Twin { name: "lm_head.weight", of: "backbone.embedding.weight" },
];

const MAMBA_DEFAULTS: &[(&str, Default)] = &[
    ("conv_kernel", Default::Integer(4)),
    ("layer_norm_epsilon", Default::Number(1e-5)),
    ("state_size", Default::Integer(16)),
    ("tie_word_embeddings", Default::Flag(true)),
];

/// The mixer of Mamba 1.
const MIXER1: &[TensorRow] = &[
    weight("backbone.layers.N.mixer.in_proj", "blk.N.ssm_in", &[twice_inner, hidden]),
    both("backbone.layers.N.mixer.conv1d", "blk.N.ssm_conv1d", &[inner, one, kernel]).by(without_middle),
    weight("backbone.layers.N.mixer.x_proj", "blk.N.ssm_x", &[step_and_state, inner]),
    both("backbone.layers.N.mixer.dt_proj", "blk.N.ssm_dt", &[inner, time_step_rank]),
    whole("backbone.layers.N.mixer.A_log", "blk.N.ssm_a", &[inner, state]).by(negative_exponential),
    whole("backbone.layers.N.mixer.D", "blk.N.ssm_d", &[inner]),
    weight("backbone.layers.N.mixer.out_proj", "blk.N.ssm_out", &[hidden, inner]),
];

fn norms_the_state(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let class = facts.config.architecture().unwrap_or_default();
    Ok(Some(OwnedValue::from(class == "FalconMambaForCausalLM")))
}

/// Mamba 2's own names, brought to a hybrid's.
fn mamba2_name(name: &str, _: &Config) -> String {
    let name = match name.strip_prefix("model.") {
        Some(rest) if rest.starts_with("backbone.") => rest,
        _ => name,
    };
    let name = name.replace("backbone.embedding.", "backbone.embeddings.");
    match name.strip_prefix("backbone.layers.").and_then(|rest| rest.split_once(".mixer.")) {
        Some((layer, rest)) => format!("model.layers.{layer}.mamba.{rest}"),
        None => name,
    }
}
