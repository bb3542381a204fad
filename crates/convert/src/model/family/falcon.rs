//! Falcon, whose queries lie in groups that share a key and a value.

use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::arrange::Tensor;
use crate::model::dimension::{
    four_hidden, heads, hidden, key_value_heads, query_key_value_width, untied, vocabulary,
};
use crate::model::keys::{FILE_TYPE, KeyValue, row};
use crate::model::tensor::{both, weight};
use crate::model::{Arranged, Config, Default, Family};

/// Falcon.
pub(super) static FALCON: Family = Family {
    name: "falcon",
    architectures: &["FalconForCausalLM", "RWForCausalLM"],
    arch: "falcon",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("hidden_size", Default::Integer(4544)),
        ("layer_norm_epsilon", Default::Number(1e-5)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(65_024)),
    ],
    fill: fill_falcon,
    keys: &[&[
        row("context_length", KeyValue::Fixed(2048)),
        row("tensor_data_layout", KeyValue::Text("jploski")),
        number("embedding_length", &["hidden_size"]),
        row("feed_forward_length", KeyValue::Size(four_hidden)),
        number("block_count", &["n_layer", "num_hidden_layers"]),
        number("attention.head_count", &["n_head", "num_attention_heads"]),
        number("attention.head_count_kv", &["num_kv_heads", "n_head_kv"]),
        row("attention.layer_norm_epsilon", KeyValue::F32(&["layer_norm_epsilon"])),
        FILE_TYPE,
    ]],
    tensors: &[&[
        weight("transformer.word_embeddings", "token_embd", &[vocabulary, hidden]),
        weight("lm_head", "output", &[vocabulary, hidden]).needed_if(untied),
        both("transformer.ln_f", "output_norm", &[hidden]),
        both("transformer.h.N.input_layernorm", "blk.N.attn_norm", &[hidden]),
        both("transformer.h.N.ln_mlp", "blk.N.attn_norm", &[hidden]),
        both("transformer.h.N.ln_attn", "blk.N.attn_norm_2", &[hidden]).optional(),
        weight(
            "transformer.h.N.self_attention.query_key_value",
            "blk.N.attn_qkv",
            &[query_key_value_width, hidden],
        )
        .by(falcon_groups),
        weight("transformer.h.N.self_attention.dense", "blk.N.attn_output", &[hidden, hidden]),
        weight("transformer.h.N.mlp.dense_h_to_4h", "blk.N.ffn_up", &[four_hidden, hidden]),
        weight("transformer.h.N.mlp.dense_4h_to_h", "blk.N.ffn_down", &[hidden, four_hidden]),
    ]],
    ..DECODER
};

/// The first models have one head for keys and values and say so by a flag; later ones give a number.
fn fill_falcon(config: &mut Config) -> Result<()> {
    if config.get("num_kv_heads").is_none() && config.get("n_head_kv").is_none() {
        let flag = |config: &Config, key, default| {
            Ok::<_, crate::Error>(config.optional_flag(key)?.unwrap_or(default))
        };
        let is_new = flag(config, "new_decoder_architecture", false)?;
        let shares = flag(config, "multi_query", true)?;
        let count = if shares && !is_new { 1 } else { heads(config)? };
        config.fill("num_kv_heads", Json::Integer(count.into()));
    }
    Ok(())
}

/// Rows that lie group by group, queries and then a key and a value for them, brought to all queries, all keys,
/// all values.
fn falcon_groups(tensor: &Tensor<'_>) -> Result<Arranged> {
    let (groups, heads) = (key_value_heads(tensor.config)?, heads(tensor.config)?);
    let each = heads / groups;
    let arranged = || {
        let size = tensor.rows() / groups / (each + 2);
        let view = tensor.view().split(0, &[groups, each + 2, size])?;
        let parts = [(0, each), (each, 1), (each + 1, 1)];
        let views: Option<Vec<_>> =
            parts.into_iter().map(|(from, count)| view.clone().narrow(1, from, count)).collect();
        Arranged::joined(tensor.shape.to_vec(), views?)
    };
    tensor.check(arranged(), &format!("its rows are no {groups} groups of {each} queries, a key and a value"))
}
