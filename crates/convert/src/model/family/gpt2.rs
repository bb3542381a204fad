//! GPT-2, whose matrices are stored the other way round.

use super::shared::*;
use crate::Result;
use crate::model::dimension::{four_hidden, hidden, query_width, thrice_hidden, untied, vocabulary};
use crate::model::keys::{FILE_TYPE, KeyValue, row};
use crate::model::tensor::{both, weight};
use crate::model::{Config, Default, Family};

/// GPT-2.
pub(super) static GPT2: Family = Family {
    name: "gpt2",
    architectures: &["GPT2LMHeadModel", "GPT2Model"],
    arch: "gpt2",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("layer_norm_epsilon", Default::Number(1e-5)),
        ("n_embd", Default::Integer(768)),
        ("n_head", Default::Integer(12)),
        ("n_layer", Default::Integer(12)),
        ("n_positions", Default::Integer(1024)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(50_257)),
    ],
    keys: &[&[
        number("block_count", &["n_layer"]),
        number("context_length", &["n_ctx", "n_positions"]),
        number("embedding_length", &["n_embd"]),
        row("feed_forward_length", KeyValue::Size(four_hidden)),
        number("attention.head_count", &["n_head"]),
        row("attention.layer_norm_epsilon", KeyValue::F32(&["layer_norm_epsilon"])),
        FILE_TYPE,
    ]],
    canonical: without_transformer,
    dropped: &[
        ("*.attn.bias", "a buffer of the causal mask"),
        ("*.attn.masked_bias", "a buffer of the causal mask"),
    ],
    tensors: &[&[
        weight("wte", "token_embd", &[vocabulary, hidden]),
        weight("wpe", "position_embd", &[positions, hidden]),
        weight("lm_head", "output", &[vocabulary, hidden]).needed_if(untied),
        both("ln_f", "output_norm", &[hidden]),
        both("h.N.ln_1", "blk.N.attn_norm", &[hidden]),
        both("h.N.ln_2", "blk.N.ffn_norm", &[hidden]),
        both("h.N.attn.c_attn", "blk.N.attn_qkv", &[hidden, thrice_hidden]).transposed(),
        both("h.N.attn.c_proj", "blk.N.attn_output", &[query_width, hidden]).transposed(),
        both("h.N.mlp.c_fc", "blk.N.ffn_up", &[hidden, four_hidden]).transposed(),
        both("h.N.mlp.c_proj", "blk.N.ffn_down", &[four_hidden, hidden]).transposed(),
    ]],
    ..DECODER
};

fn positions(config: &Config) -> Result<u64> {
    config.first_size(&["n_ctx", "n_positions"])
}
