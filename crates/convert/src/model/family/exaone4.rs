//! EXAONE 4.

use super::shared::*;
use crate::model::dimension::head_size;
use crate::model::keys::{COMMON, KeyValue, row};
use crate::model::{Default, Family, rope};

/// EXAONE 4.
pub(super) static EXAONE4: Family = Family {
    name: "exaone4",
    architectures: &["Exaone4ForCausalLM"],
    arch: "exaone4",
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(16_384)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-5)),
        ("rope_theta", Default::Number(10_000.0)),
        ("sliding_window", Default::Integer(4096)),
        ("sliding_window_pattern", Default::Integer(4)),
        ("vocab_size", Default::Integer(102_400)),
    ],
    fill: fill_head_size,
    keys: &[
        COMMON,
        &[
            number("vocab_size", &["vocab_size"]),
            number("attention.sliding_window", &["sliding_window"]),
            row("attention.sliding_window_pattern", KeyValue::Formula(sliding_layers)),
        ],
    ],
    tensors: &[ENDS, NORMS_AFTER, ATTENTION, HEAD_NORMS, GATED],
    generated: |config| Ok(rope::llama3_factors(config, head_size(config)?, 16.0)?.into_iter().collect()),
    pre_tokenizers: &["exaone4"],
    ..DECODER
};
