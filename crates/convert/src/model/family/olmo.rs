//! OLMo, OLMo 2 with its norms after both parts, and OLMoE.

use super::shared::*;
use crate::model::dimension::{key_width, query_width};
use crate::model::keys::{COMMON, KeyValue, row};
use crate::model::tensor::{TensorRow, weight};
use crate::model::{Default, Family};

/// OLMo, whose norms have no weights.
pub(super) static OLMO: Family = Family {
    name: "olmo",
    architectures: &["OlmoForCausalLM", "OLMoForCausalLM"],
    arch: "olmo",
    required: REQUIRED_WITH_MEAN,
    defaults: OLMO_DEFAULTS,
    fill: fill_key_value_heads,
    keys: &[
        COMMON,
        &[
            row("attention.layer_norm_epsilon", EPSILON),
            row("attention.clamp_kqv", KeyValue::F32(&["clip_qkv"])),
        ],
    ],
    tensors: &[&[EMBEDDINGS, ENDS[2]], ATTENTION_PERMUTED, GATED],
    ..DECODER
};

/// OLMo 2 and 3.
pub(super) static OLMO2: Family = Family {
    name: "olmo2",
    architectures: &["Olmo2ForCausalLM", "Olmo3ForCausalLM"],
    arch: "olmo2",
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(11_008)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-5)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(50_304)),
    ],
    fill: fill_key_value_heads,
    keys: &[
        COMMON,
        &[
            number("attention.sliding_window", &["sliding_window"]),
            row("attention.sliding_window_pattern", KeyValue::Formula(sliding_layers)),
        ],
    ],
    tensors: &[ENDS, NORMS_AFTER, ATTENTION, GATED, NORMS_OF_WHOLE_ROWS],
    ..DECODER
};

/// OLMo with experts.
pub(super) static OLMOE: Family = Family {
    name: "olmoe",
    architectures: &["OlmoeForCausalLM"],
    arch: "olmoe",
    defaults: &[
        ("hidden_size", Default::Integer(2048)),
        ("intermediate_size", Default::Integer(2048)),
        ("max_position_embeddings", Default::Integer(4096)),
        ("num_attention_heads", Default::Integer(16)),
        ("num_experts", Default::Integer(64)),
        ("num_experts_per_tok", Default::Integer(8)),
        ("num_hidden_layers", Default::Integer(16)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(50_304)),
    ],
    fill: fill_key_value_heads,
    keys: &[COMMON, &[row("attention.layer_norm_rms_epsilon", EPSILON)]],
    tensors: &[ENDS, NORMS, ATTENTION, NORMS_OF_WHOLE_ROWS, EXPERTS, FUSED_EXPERTS],
    ..DECODER
};

/// What the classes have whatever the config says.
const EPSILON: KeyValue = KeyValue::Formula(|_| Ok(Some(1e-5_f32.into())));

/// Norms of all heads' queries, and of all heads' keys, together.
const NORMS_OF_WHOLE_ROWS: &[TensorRow] = &[
    weight("model.layers.N.self_attn.q_norm", "blk.N.attn_q_norm", &[query_width]),
    weight("model.layers.N.self_attn.k_norm", "blk.N.attn_k_norm", &[key_width]),
];

const OLMO_DEFAULTS: &[(&str, Default)] = &[
    ("hidden_size", Default::Integer(4096)),
    ("intermediate_size", Default::Integer(11_008)),
    ("max_position_embeddings", Default::Integer(2048)),
    ("num_attention_heads", Default::Integer(32)),
    ("num_hidden_layers", Default::Integer(32)),
    ("rope_theta", Default::Number(10_000.0)),
    ("vocab_size", Default::Integer(50_304)),
];
