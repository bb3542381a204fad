//! Bloom, whose attention knows distances by a bias.

use super::shared::*;
use crate::model::arrange::group_by_projection;
use crate::model::dimension::{four_hidden, heads, hidden, thrice_hidden, untied, vocabulary};
use crate::model::keys::{FILE_TYPE, KeyValue, row};
use crate::model::tensor::{both, weight};
use crate::model::{Default, Family};

/// Bloom.
pub(super) static BLOOM: Family = Family {
    name: "bloom",
    architectures: &["BloomForCausalLM", "BloomModel"],
    arch: "bloom",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("layer_norm_epsilon", Default::Number(1e-5)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(250_880)),
    ],
    keys: &[&[
        number("context_length", &["seq_length", "n_embed", "hidden_size"]),
        row("embedding_length", KeyValue::Size(hidden)),
        row("feed_forward_length", KeyValue::Size(four_hidden)),
        number("block_count", &["n_layer", "num_hidden_layers"]),
        row("attention.head_count", KeyValue::Size(heads)),
        row("attention.head_count_kv", KeyValue::Size(heads)),
        row("attention.layer_norm_epsilon", KeyValue::F32(&["layer_norm_epsilon"])),
        FILE_TYPE,
    ]],
    canonical: without_transformer,
    tensors: &[&[
        weight("word_embeddings", "token_embd", &[vocabulary, hidden]),
        both("word_embeddings_layernorm", "token_embd_norm", &[hidden]),
        weight("lm_head", "output", &[vocabulary, hidden]).needed_if(untied),
        both("ln_f", "output_norm", &[hidden]),
        both("h.N.input_layernorm", "blk.N.attn_norm", &[hidden]),
        both("h.N.post_attention_layernorm", "blk.N.ffn_norm", &[hidden]),
        both("h.N.self_attention.query_key_value", "blk.N.attn_qkv", &[thrice_hidden, hidden])
            .by(group_by_projection),
        both("h.N.self_attention.dense", "blk.N.attn_output", &[hidden, hidden]),
        both("h.N.mlp.dense_h_to_4h", "blk.N.ffn_up", &[four_hidden, hidden]),
        both("h.N.mlp.dense_4h_to_h", "blk.N.ffn_down", &[hidden, four_hidden]),
    ]],
    ..DECODER
};
