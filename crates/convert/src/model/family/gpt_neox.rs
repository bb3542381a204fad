//! GPT-NeoX and Pythia.

use super::shared::*;
use crate::model::arrange::group_by_projection;
use crate::model::dimension::{feed_forward, hidden, query_width, thrice_hidden, untied, vocabulary};
use crate::model::keys::{KeyValue, row};
use crate::model::tensor::{both, weight};
use crate::model::{Default, Family};

/// GPT-NeoX and Pythia. Runtimes know the frequencies' base; it has no key.
pub(super) static GPT_NEOX: Family = Family {
    name: "gpt_neox",
    architectures: &["GPTNeoXForCausalLM"],
    arch: "gptneox",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("hidden_size", Default::Integer(6144)),
        ("intermediate_size", Default::Integer(24_576)),
        ("layer_norm_eps", Default::Number(1e-5)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("num_attention_heads", Default::Integer(64)),
        ("num_hidden_layers", Default::Integer(44)),
        ("rotary_pct", Default::Number(0.25)),
        ("use_parallel_residual", Default::Flag(true)),
        ("vocab_size", Default::Integer(50_432)),
    ],
    keys: &[&[
        number("context_length", &["max_position_embeddings"]),
        number("embedding_length", &["hidden_size"]),
        number("block_count", &["num_hidden_layers"]),
        number("feed_forward_length", &["intermediate_size"]),
        row("rope.dimension_count", KeyValue::Formula(|facts| rotated_of_head(facts, &["rotary_pct"]))),
        number("attention.head_count", &["num_attention_heads"]),
        row("use_parallel_residual", KeyValue::Flag(&["use_parallel_residual"])),
        row("attention.layer_norm_epsilon", KeyValue::F32(&["layer_norm_eps"])),
    ]],
    dropped: &[("*.attention.rotary_emb.inv_freq", "runtimes compute the rotary frequencies")],
    tensors: &[&[
        weight("gpt_neox.embed_in", "token_embd", &[vocabulary, hidden]),
        weight("embed_out", "output", &[vocabulary, hidden]).needed_if(untied),
        both("gpt_neox.final_layer_norm", "output_norm", &[hidden]),
        both("gpt_neox.layers.N.input_layernorm", "blk.N.attn_norm", &[hidden]),
        both("gpt_neox.layers.N.post_attention_layernorm", "blk.N.ffn_norm", &[hidden]),
        weight("gpt_neox.layers.N.attention.query_key_value", "blk.N.attn_qkv", &[thrice_hidden, hidden])
            .by(group_by_projection),
        weight("gpt_neox.layers.N.attention.dense", "blk.N.attn_output", &[hidden, query_width]),
        both("gpt_neox.layers.N.mlp.dense_h_to_4h", "blk.N.ffn_up", &[feed_forward, hidden]),
        both("gpt_neox.layers.N.mlp.dense_4h_to_h", "blk.N.ffn_down", &[hidden, feed_forward]),
    ]],
    ..DECODER
};
