//! IBM's Granite: Llama's parts with four scales, dense, with experts, and with state-space layers.

use briq_format::metadata::OwnedValue;

use super::llama::frequency_factors;
use super::shared::*;
use super::state_space::{MIXER_PARTS, MIXER2, is_mamba_layer};
use crate::Result;
use crate::json::Json;
use crate::model::arrange::{first_half, second_half};
use crate::model::dimension::{experts, feed_forward, hidden, key_value_heads, layers, twice_feed_forward};
use crate::model::keys::{COMMON, Facts, KeyRow, KeyValue, row};
use crate::model::tensor::{TensorRow, weight};
use crate::model::{Config, Default, Family};
use crate::tokenizer::Scheme;

/// Granite 3 and later, dense.
pub(super) static GRANITE: Family = Family {
    name: "granite",
    architectures: &["GraniteForCausalLM"],
    arch: "granite",
    tensors: &[ENDS, NORMS, ATTENTION_PERMUTED, GATED],
    ..BASE
};

/// Granite with experts.
pub(super) static GRANITE_MOE: Family = Family {
    name: "granitemoe",
    architectures: &["GraniteMoeForCausalLM", "GraniteMoeSharedForCausalLM"],
    arch: "granitemoe",
    tensors: &[ENDS, NORMS, ATTENTION_PERMUTED, FUSED_EXPERTS, SHARED_EXPERT],
    ..BASE
};

/// Granite 4, without a state-space layer and without experts.
pub(super) static GRANITE_HYBRID_DENSE: Family = Family {
    name: "granitemoehybrid_dense",
    architectures: &["GraniteMoeHybridForCausalLM"],
    applies: |config| Ok(!has_mamba(config)? && !has_experts(config, 0)?),
    arch: "granite",
    tensors: &[ENDS, NORMS, ATTENTION_PERMUTED, SHARED_AS_DENSE],
    ..BASE
};

/// Granite 4, without a state-space layer.
pub(super) static GRANITE_HYBRID_ATTENTION: Family = Family {
    name: "granitemoehybrid_attention",
    architectures: &["GraniteMoeHybridForCausalLM"],
    applies: |config| Ok(!has_mamba(config)?),
    arch: "granitemoe",
    tensors: &[ENDS, NORMS, ATTENTION_PERMUTED, FUSED_EXPERTS, SHARED_EXPERT],
    ..BASE
};

/// Granite 4: layers of attention among state-space layers.
pub(super) static GRANITE_HYBRID: Family =
    Family { name: "granitemoehybrid", applies: |config| has_experts(config, 0), ..HYBRID_BASE };

/// The same without experts, whose shared expert is the feed-forward part.
pub(super) static GRANITE_HYBRID_PLAIN: Family = Family {
    name: "granitemoehybrid_plain",
    tensors: &[ENDS, NORMS, HYBRID_ATTENTION, MIXER2, MIXER_PARTS, SHARED_AS_DENSE],
    ..HYBRID_BASE
};

const HYBRID_BASE: Family = Family {
    architectures: &["GraniteMoeHybridForCausalLM"],
    arch: "granitehybrid",
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(11_008)),
        ("mamba_d_conv", Default::Integer(4)),
        ("mamba_d_state", Default::Integer(256)),
        ("mamba_expand", Default::Integer(2)),
        ("mamba_n_groups", Default::Integer(1)),
        ("mamba_n_heads", Default::Integer(128)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(32_000)),
    ],
    keys: &[COMMON, VOCABULARY_AND_ROTATED, SCALES, HYBRID_KEYS],
    tensors: &[ENDS, NORMS, HYBRID_ATTENTION, MIXER2, MIXER_PARTS, FUSED_EXPERTS, SHARED_EXPERT],
    token_multiple: 8,
    ..BASE
};

const BASE: Family = Family {
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(11_008)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(32_000)),
    ],
    fill: |config| {
        // A head's size is never stated; runtimes divide.
        config.set("head_dim", Json::Null);
        fill_key_value_heads(config)
    },
    keys: &[COMMON, VOCABULARY_AND_ROTATED, SCALES],
    generated: frequency_factors,
    tokenizer: Scheme::Llama,
    pre_tokenizers: &["refact"],
    ..DECODER
};

/// Attention, in the layers that have it.
const HYBRID_ATTENTION: &[TensorRow] = &[
    ATTENTION_PERMUTED[0].needed_unless(is_mamba_layer),
    ATTENTION_PERMUTED[1].needed_unless(is_mamba_layer),
    ATTENTION_PERMUTED[2].needed_unless(is_mamba_layer),
    ATTENTION_PERMUTED[3].needed_unless(is_mamba_layer),
];

/// What is multiplied where; a factor of zero is none.
const SCALES: &[KeyRow] = &[
    row("attention.scale", KeyValue::Formula(|facts| scale(facts, "attention_multiplier"))),
    row("embedding_scale", KeyValue::Formula(|facts| scale(facts, "embedding_multiplier"))),
    row("residual_scale", KeyValue::Formula(|facts| scale(facts, "residual_multiplier"))),
    row("logit_scale", KeyValue::Formula(|facts| scale(facts, "logits_scaling"))),
    number("expert_shared_feed_forward_length", &["shared_intermediate_size"]),
];

const HYBRID_KEYS: &[KeyRow] = &[
    number("ssm.conv_kernel", &["mamba_d_conv", "conv_kernel"]),
    number("ssm.state_size", &["mamba_d_state", "state_size"]),
    number("ssm.group_count", &["mamba_n_groups", "n_groups"]),
    row("ssm.inner_size", KeyValue::Size(super::state_space::inner)),
    number("ssm.time_step_rank", &["mamba_n_heads"]),
    row("attention.head_count_kv", KeyValue::Formula(key_value_heads_of_layers)),
    row("rope.scaling.finetuned", KeyValue::Formula(|facts| Ok(Some(is_rotary(facts.config)?.into())))),
    row("context_length", KeyValue::Formula(unbounded_context)),
];

const FUSED_EXPERTS: &[TensorRow] = &[
    weight(
        "model.layers.N.block_sparse_moe.input_linear",
        "blk.N.ffn_gate_exps",
        &[experts, twice_feed_forward, hidden],
    )
    .by(first_half)
    .needed_if(has_experts),
    weight(
        "model.layers.N.block_sparse_moe.input_linear",
        "blk.N.ffn_up_exps",
        &[experts, twice_feed_forward, hidden],
    )
    .by(second_half)
    .needed_if(has_experts),
    weight(
        "model.layers.N.block_sparse_moe.output_linear",
        "blk.N.ffn_down_exps",
        &[experts, hidden, feed_forward],
    )
    .needed_if(has_experts),
    weight("model.layers.N.block_sparse_moe.router.layer", "blk.N.ffn_gate_inp", &[experts, hidden])
        .needed_if(has_experts),
];

const SHARED_EXPERT: &[TensorRow] = &[
    weight("model.layers.N.shared_mlp.input_linear", "blk.N.ffn_gate_shexp", &[twice_shared_width, hidden])
        .by(first_half)
        .needed_if(has_shared),
    weight("model.layers.N.shared_mlp.input_linear", "blk.N.ffn_up_shexp", &[twice_shared_width, hidden])
        .by(second_half)
        .needed_if(has_shared),
    weight("model.layers.N.shared_mlp.output_linear", "blk.N.ffn_down_shexp", &[hidden, shared_width])
        .needed_if(has_shared),
];

/// The shared expert of a model without others is its feed-forward part.
const SHARED_AS_DENSE: &[TensorRow] = &[
    weight("model.layers.N.shared_mlp.input_linear", "blk.N.ffn_gate", &[twice_shared_width, hidden])
        .by(first_half),
    weight("model.layers.N.shared_mlp.input_linear", "blk.N.ffn_up", &[twice_shared_width, hidden])
        .by(second_half),
    weight("model.layers.N.shared_mlp.output_linear", "blk.N.ffn_down", &[hidden, shared_width]),
];

fn scale(facts: &Facts<'_>, name: &str) -> Result<Option<OwnedValue>> {
    let number = facts.config.optional_number(name)?.filter(|&number| number != 0.0);
    number.map(|number| Ok(facts.config.single(name, number)?.into())).transpose()
}

fn shared_width(config: &Config) -> Result<u64> {
    config.size("shared_intermediate_size")
}

fn twice_shared_width(config: &Config) -> Result<u64> {
    Ok(2 * shared_width(config)?)
}

fn has_shared(config: &Config, _: u64) -> Result<bool> {
    Ok(config.optional_count("shared_intermediate_size")?.unwrap_or(0) > 0)
}

fn has_experts(config: &Config, _: u64) -> Result<bool> {
    Ok(config.optional_count("num_local_experts")?.unwrap_or(0) > 0)
}

fn has_mamba(config: &Config) -> Result<bool> {
    let Some((name, kinds)) = config.first(&["layer_types", "layers_block_type"]) else { return Ok(false) };
    let kinds = kinds.as_array().ok_or_else(|| config.error(name, "a list of the kinds of layers"))?;
    Ok(kinds.iter().any(|kind| kind.as_str() == Some("mamba")))
}

fn is_rotary(config: &Config) -> Result<bool> {
    const KEY: &str = "position_embedding_type";
    let Some(kind) = config.get(KEY) else { return Ok(false) };
    Ok(kind.as_str().ok_or_else(|| config.error(KEY, "a text"))? == "rope")
}

/// The heads of each layer; a state-space layer has none.
fn key_value_heads_of_layers(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    let (count, layers) = (key_value_heads(config)?, layers(config)?);
    per_layer(config, layers, |layer| Ok(if is_mamba_layer(config, layer)? { 0 } else { count }))
}

/// Without rotary embeddings nothing bounds the context.
fn unbounded_context(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    Ok((!is_rotary(facts.config)?).then(|| (1_u32 << 20).into()))
}
