//! Qwen 2 and 3, dense and with experts. Queries and keys are rotated as Hugging Face does it, so nothing is
//! permuted.

use super::shared::*;
use crate::Result;
use crate::model::arrange::{first_half, second_half};
use crate::model::dimension::{expert_width, experts, hidden, one, twice_expert_width};
use crate::model::keys::COMMON;
use crate::model::tensor::{TensorRow, weight, whole};
use crate::model::{Config, Default, Family};
use crate::tokenizer::Scheme;

/// Qwen 2 and 2.5.
pub(super) static QWEN2: Family = Family {
    name: "qwen2",
    architectures: &["Qwen2ForCausalLM", "Qwen2Model"],
    arch: "qwen2",
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(22_016)),
        ("max_position_embeddings", Default::Integer(32_768)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(151_936)),
    ],
    fill: fill_key_value_heads,
    keys: &[COMMON, POOLING],
    canonical: with_model,
    tensors: &[ENDS_OF_ANY, NORMS, ATTENTION, GATED],
    tokenizer: Scheme::Plain,
    ..DECODER
};

/// Qwen 3.
pub(super) static QWEN3: Family = Family {
    name: "qwen3",
    architectures: &["Qwen3ForCausalLM", "Qwen3Model"],
    arch: "qwen3",
    defaults: &[
        ("head_dim", Default::Integer(128)),
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(22_016)),
        ("max_position_embeddings", Default::Integer(32_768)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(151_936)),
    ],
    fill: fill_key_value_heads,
    keys: &[COMMON, POOLING],
    canonical: with_model,
    tensors: &[ENDS_OF_ANY, NORMS, ATTENTION, HEAD_NORMS, GATED],
    ..DECODER
};

/// Qwen 1.5 and 2 with experts.
pub(super) static QWEN2_MOE: Family = Family {
    name: "qwen2_moe",
    architectures: &["Qwen2MoeForCausalLM"],
    arch: "qwen2moe",
    defaults: &[
        ("hidden_size", Default::Integer(2048)),
        ("intermediate_size", Default::Integer(5632)),
        ("max_position_embeddings", Default::Integer(32_768)),
        ("moe_intermediate_size", Default::Integer(1408)),
        ("num_attention_heads", Default::Integer(16)),
        ("num_experts", Default::Integer(60)),
        ("num_experts_per_tok", Default::Integer(4)),
        ("num_hidden_layers", Default::Integer(24)),
        ("num_key_value_heads", Default::Integer(16)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("shared_expert_intermediate_size", Default::Integer(5632)),
        ("vocab_size", Default::Integer(151_936)),
    ],
    keys: &[
        COMMON,
        &[
            number("expert_feed_forward_length", &["moe_intermediate_size"]),
            number("expert_shared_feed_forward_length", &["shared_expert_intermediate_size"]),
        ],
    ],
    tensors: &[ENDS, NORMS, ATTENTION, SPARSE, FUSED_EXPERTS, SHARED_EXPERT, DENSE_LAYERS],
    ..DECODER
};

/// Qwen 3 with experts.
pub(super) static QWEN3_MOE: Family = Family {
    name: "qwen3_moe",
    architectures: &["Qwen3MoeForCausalLM"],
    arch: "qwen3moe",
    defaults: &[
        ("hidden_size", Default::Integer(2048)),
        ("intermediate_size", Default::Integer(6144)),
        ("max_position_embeddings", Default::Integer(32_768)),
        ("moe_intermediate_size", Default::Integer(768)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_experts", Default::Integer(128)),
        ("num_experts_per_tok", Default::Integer(8)),
        ("num_hidden_layers", Default::Integer(24)),
        ("num_key_value_heads", Default::Integer(4)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(151_936)),
    ],
    keys: &[COMMON, &[number("expert_feed_forward_length", &["moe_intermediate_size"])]],
    tensors: &[ENDS, NORMS, ATTENTION, HEAD_NORMS, SPARSE, FUSED_EXPERTS, DENSE_LAYERS],
    ..DECODER
};

/// As [`ENDS`]; a model that makes embeddings has no output matrix.
const ENDS_OF_ANY: &[TensorRow] = &[ENDS[0], ENDS[1], ENDS[2].needed_if(has_output)];

const SPARSE: &[TensorRow] = &[
    EXPERTS[0].needed_if(is_sparse),
    EXPERTS[1].needed_if(is_sparse),
    EXPERTS[2].needed_if(is_sparse),
    EXPERTS[3].needed_if(is_sparse),
];

/// Experts that newer releases write as one tensor, gates and upward projections in one.
const FUSED_EXPERTS: &[TensorRow] = &[
    whole(
        "model.layers.N.mlp.experts.down_proj",
        "blk.N.ffn_down_exps.weight",
        &[experts, hidden, expert_width],
    )
    .needed_if(is_sparse),
    whole(
        "model.layers.N.mlp.experts.gate_up_proj",
        "blk.N.ffn_gate_exps.weight",
        &[experts, twice_expert_width, hidden],
    )
    .by(first_half)
    .needed_if(is_sparse),
    whole(
        "model.layers.N.mlp.experts.gate_up_proj",
        "blk.N.ffn_up_exps.weight",
        &[experts, twice_expert_width, hidden],
    )
    .by(second_half)
    .needed_if(is_sparse),
];

const SHARED_EXPERT: &[TensorRow] = &[
    weight("model.layers.N.mlp.shared_expert.down_proj", "blk.N.ffn_down_shexp", &[hidden, shared_width])
        .needed_if(is_sparse),
    weight("model.layers.N.mlp.shared_expert.gate_proj", "blk.N.ffn_gate_shexp", &[shared_width, hidden])
        .needed_if(is_sparse),
    weight("model.layers.N.mlp.shared_expert.up_proj", "blk.N.ffn_up_shexp", &[shared_width, hidden])
        .needed_if(is_sparse),
    weight("model.layers.N.mlp.shared_expert_gate", "blk.N.ffn_gate_inp_shexp", &[one, hidden])
        .needed_if(is_sparse),
];

/// The feed-forward part of layers without experts.
const DENSE_LAYERS: &[TensorRow] = &[
    GATED[0].needed_unless(is_sparse),
    GATED[1].needed_unless(is_sparse),
    GATED[2].needed_unless(is_sparse),
];

fn shared_width(config: &Config) -> Result<u64> {
    config.size("shared_expert_intermediate_size")
}

fn has_output(config: &Config, layer: u64) -> Result<bool> {
    let is_bare = config.architecture().is_ok_and(|class| class.ends_with("Model"));
    Ok(!is_bare && crate::model::dimension::untied(config, layer)?)
}

/// Whether a layer has experts: every one, or every `decoder_sparse_step`-th but those listed.
fn is_sparse(config: &Config, layer: u64) -> Result<bool> {
    let step = config.optional_size("decoder_sparse_step")?.unwrap_or(1);
    Ok(!config.lists("mlp_only_layers", layer)? && (layer + 1).is_multiple_of(step))
}
