//! OLMo, and OLMo 2 with its norms after both parts.

use super::shared::*;
use crate::model::dimension::{key_width, query_width};
use crate::model::keys::{COMMON, KeyValue, row};
use crate::model::tensor::weight;
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
            row("attention.layer_norm_epsilon", KeyValue::Formula(|_| Ok(Some(1e-5_f32.into())))),
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
    tensors: &[
        ENDS,
        NORMS_AFTER,
        ATTENTION,
        GATED,
        &[
            weight("model.layers.N.self_attn.q_norm", "blk.N.attn_q_norm", &[query_width]),
            weight("model.layers.N.self_attn.k_norm", "blk.N.attn_k_norm", &[key_width]),
        ],
    ],
    ..DECODER
};

const OLMO_DEFAULTS: &[(&str, Default)] = &[
    ("hidden_size", Default::Integer(4096)),
    ("intermediate_size", Default::Integer(11_008)),
    ("max_position_embeddings", Default::Integer(2048)),
    ("num_attention_heads", Default::Integer(32)),
    ("num_hidden_layers", Default::Integer(32)),
    ("rope_theta", Default::Number(10_000.0)),
    ("vocab_size", Default::Integer(50_304)),
];
