//! StarCoder 2.

use super::shared::*;
use crate::model::dimension::{feed_forward, hidden};
use crate::model::tensor::{both, weight};
use crate::model::{Default, Family};

/// StarCoder 2.
pub(super) static STARCODER2: Family = Family {
    name: "starcoder2",
    architectures: &["Starcoder2ForCausalLM"],
    arch: "starcoder2",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("hidden_size", Default::Integer(3072)),
        ("intermediate_size", Default::Integer(12_288)),
        ("max_position_embeddings", Default::Integer(4096)),
        ("norm_epsilon", Default::Number(1e-5)),
        ("num_attention_heads", Default::Integer(24)),
        ("num_hidden_layers", Default::Integer(30)),
        ("num_key_value_heads", Default::Integer(2)),
        ("rope_theta", Default::Number(10_000.0)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(49_152)),
    ],
    tensors: &[
        &[EMBEDDINGS, ENDS[2], both("model.norm", "output_norm", &[hidden])],
        NORMS_WITH_BIAS,
        ATTENTION,
        &[
            weight("model.layers.N.mlp.c_fc", "blk.N.ffn_up", &[feed_forward, hidden]),
            weight("model.layers.N.mlp.c_proj", "blk.N.ffn_down", &[hidden, feed_forward]),
        ],
    ],
    ..DECODER
};
