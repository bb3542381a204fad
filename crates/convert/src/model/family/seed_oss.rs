//! ByteDance's Seed-OSS.

use super::shared::*;
use crate::model::dimension::hidden;
use crate::model::tensor::weight;
use crate::model::{Default, Family};

/// Seed-OSS. A runtime calls the norm before the feed-forward part by the name of one behind attention.
pub(super) static SEED_OSS: Family = Family {
    name: "seed_oss",
    architectures: &["SeedOssForCausalLM"],
    arch: "seed_oss",
    defaults: &[
        ("head_dim", Default::Integer(128)),
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(27_648)),
        ("max_position_embeddings", Default::Integer(524_288)),
        ("num_attention_heads", Default::Integer(80)),
        ("num_hidden_layers", Default::Integer(64)),
        ("num_key_value_heads", Default::Integer(8)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(155_136)),
    ],
    tensors: &[
        ENDS,
        &[
            NORMS[0],
            weight("model.layers.N.post_attention_layernorm", "blk.N.post_attention_norm", &[hidden]),
        ],
        ATTENTION,
        GATED,
    ],
    ..DECODER
};
