//! Jamba: layers of attention among state-space layers, and experts in every second.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use super::state_space::*;
use crate::Result;
use crate::model::arrange::{negative_exponential, without_middle};
use crate::model::dimension::{expert_width, experts, feed_forward, hidden, key_value_heads, layers, one};
use crate::model::keys::{FILE_TYPE, Facts, KeyValue, row};
use crate::model::tensor::{TensorRow, both, stacked, weight, whole};
use crate::model::{Config, Default, Family};

/// Jamba.
pub(super) static JAMBA: Family = Family {
    name: "jamba",
    architectures: &["JambaForCausalLM"],
    arch: "jamba",
    defaults: &[
        ("attn_layer_offset", Default::Integer(4)),
        ("attn_layer_period", Default::Integer(8)),
        ("expert_layer_offset", Default::Integer(1)),
        ("expert_layer_period", Default::Integer(2)),
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(14_336)),
        ("mamba_d_conv", Default::Integer(4)),
        ("mamba_d_state", Default::Integer(16)),
        ("mamba_expand", Default::Integer(2)),
        ("max_position_embeddings", Default::Integer(262_144)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_experts", Default::Integer(16)),
        ("num_experts_per_tok", Default::Integer(2)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(8)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("vocab_size", Default::Integer(65_536)),
    ],
    keys: &[&[
        number("block_count", &["num_hidden_layers"]),
        number("context_length", &["max_position_embeddings"]),
        number("embedding_length", &["hidden_size"]),
        number("feed_forward_length", &["intermediate_size"]),
        number("attention.head_count", &["num_attention_heads"]),
        row("attention.head_count_kv", KeyValue::Formula(jamba_key_value_heads)),
        row("ssm.conv_kernel", KeyValue::Size(kernel)),
        row("ssm.inner_size", KeyValue::Size(inner)),
        row("ssm.state_size", KeyValue::Size(state)),
        row("ssm.time_step_rank", KeyValue::Size(time_step_rank)),
        EPSILON,
        number("expert_count", &["num_experts"]),
        number("expert_used_count", &["num_experts_per_tok"]),
        FILE_TYPE,
    ]],
    canonical: jamba_name,
    tensors: &[
        &[
            EMBEDDINGS,
            ENDS[2],
            weight("model.final_layernorm", "output_norm", &[hidden]),
            NORMS[0],
            weight("model.layers.N.pre_ff_layernorm", "blk.N.ffn_norm", &[hidden]),
            ATTENTION[0].needed_if(is_jamba_attention),
            ATTENTION[1].needed_if(is_jamba_attention),
            ATTENTION[2].needed_if(is_jamba_attention),
            ATTENTION[3].needed_if(is_jamba_attention),
        ],
        MIXER1_IN_HYBRID,
        &[
            weight("model.layers.N.feed_forward.gate_proj", "blk.N.ffn_gate", &[feed_forward, hidden])
                .needed_unless(is_jamba_sparse),
            weight("model.layers.N.feed_forward.up_proj", "blk.N.ffn_up", &[feed_forward, hidden])
                .needed_unless(is_jamba_sparse),
            weight("model.layers.N.feed_forward.down_proj", "blk.N.ffn_down", &[hidden, feed_forward])
                .needed_unless(is_jamba_sparse),
            weight("model.layers.N.feed_forward.router", "blk.N.ffn_gate_inp", &[experts, hidden])
                .needed_if(is_jamba_sparse),
            stacked(
                "model.layers.N.feed_forward.experts.E.down_proj",
                "blk.N.ffn_down_exps",
                &[hidden, expert_width],
            )
            .needed_if(is_jamba_sparse),
            stacked(
                "model.layers.N.feed_forward.experts.E.gate_proj",
                "blk.N.ffn_gate_exps",
                &[expert_width, hidden],
            )
            .needed_if(is_jamba_sparse),
            stacked(
                "model.layers.N.feed_forward.experts.E.up_proj",
                "blk.N.ffn_up_exps",
                &[expert_width, hidden],
            )
            .needed_if(is_jamba_sparse),
        ],
    ],
    ..DECODER
};

/// The same, of a hybrid, with its norms.
const MIXER1_IN_HYBRID: &[TensorRow] = &[
    weight("model.layers.N.mamba.in_proj", "blk.N.ssm_in", &[twice_inner, hidden])
        .needed_unless(is_jamba_attention),
    both("model.layers.N.mamba.conv1d", "blk.N.ssm_conv1d", &[inner, one, kernel])
        .by(without_middle)
        .needed_unless(is_jamba_attention),
    weight("model.layers.N.mamba.x_proj", "blk.N.ssm_x", &[step_and_state, inner])
        .needed_unless(is_jamba_attention),
    both("model.layers.N.mamba.dt_proj", "blk.N.ssm_dt", &[inner, time_step_rank])
        .needed_unless(is_jamba_attention),
    whole("model.layers.N.mamba.A_log", "blk.N.ssm_a", &[inner, state])
        .by(negative_exponential)
        .needed_unless(is_jamba_attention),
    whole("model.layers.N.mamba.D", "blk.N.ssm_d", &[inner]).needed_unless(is_jamba_attention),
    weight("model.layers.N.mamba.out_proj", "blk.N.ssm_out", &[hidden, inner])
        .needed_unless(is_jamba_attention),
    weight("model.layers.N.mamba.dt_layernorm", "blk.N.ssm_dt_norm", &[time_step_rank])
        .needed_unless(is_jamba_attention),
    weight("model.layers.N.mamba.b_layernorm", "blk.N.ssm_b_norm", &[state])
        .needed_unless(is_jamba_attention),
    weight("model.layers.N.mamba.c_layernorm", "blk.N.ssm_c_norm", &[state])
        .needed_unless(is_jamba_attention),
];

/// Experts that are named as a mixture's feed-forward part are brought to one name.
fn jamba_name(name: &str, _: &Config) -> String {
    name.replace(".moe.", ".feed_forward.").replace(".pre_moe_layernorm.", ".pre_ff_layernorm.")
}

fn is_of_period(config: &Config, layer: u64, period: &str, offset: &str) -> Result<bool> {
    let offset = config.optional_count(offset)?.unwrap_or(0);
    Ok(layer % config.size(period)? == offset)
}

fn is_jamba_attention(config: &Config, layer: u64) -> Result<bool> {
    is_of_period(config, layer, "attn_layer_period", "attn_layer_offset")
}

fn is_jamba_sparse(config: &Config, layer: u64) -> Result<bool> {
    Ok(config.size("num_experts")? > 1
        && is_of_period(config, layer, "expert_layer_period", "expert_layer_offset")?)
}

fn jamba_key_value_heads(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    let count = key_value_heads(config)?;
    per_layer(config, layers(config)?, |layer| Ok(if is_jamba_attention(config, layer)? { count } else { 0 }))
}
