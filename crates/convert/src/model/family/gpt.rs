//! The GPT line: GPT-2, GPT-NeoX, Bloom, MPT, Falcon, StarCoder 2.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::arrange::{Tensor, group_by_projection};
use crate::model::dimension::{
    any, feed_forward, four_hidden, head_size, heads, hidden, key_value_heads, query_key_value_width,
    query_width, thrice_hidden, untied, vocabulary,
};
use crate::model::keys::{FILE_TYPE, Facts, KeyValue, row};
use crate::model::tensor::{both, weight};
use crate::model::{Arranged, Config, Default, Family};

/// GPT-2.
pub(super) static GPT2: Family = Family {
    name: "gpt2",
    architectures: &["GPT2LMHeadModel", "GPT2Model"],
    arch: "gpt2",
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
        both("h.N.attn.c_proj", "blk.N.attn_output", &[hidden, hidden]).transposed(),
        both("h.N.mlp.c_fc", "blk.N.ffn_up", &[hidden, four_hidden]).transposed(),
        both("h.N.mlp.c_proj", "blk.N.ffn_down", &[four_hidden, hidden]).transposed(),
    ]],
    ..DECODER
};

/// GPT-NeoX and Pythia. Runtimes know the frequencies' base; it has no key.
pub(super) static GPT_NEOX: Family = Family {
    name: "gpt_neox",
    architectures: &["GPTNeoXForCausalLM"],
    arch: "gptneox",
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

/// Bloom.
pub(super) static BLOOM: Family = Family {
    name: "bloom",
    architectures: &["BloomForCausalLM", "BloomModel"],
    arch: "bloom",
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

/// MPT.
pub(super) static MPT: Family = Family {
    name: "mpt",
    architectures: &["MPTForCausalLM", "MptForCausalLM"],
    arch: "mpt",
    defaults: &[
        ("d_model", Default::Integer(2048)),
        ("max_seq_len", Default::Integer(2048)),
        ("n_heads", Default::Integer(16)),
        ("n_layers", Default::Integer(24)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(50_368)),
    ],
    keys: &[&[
        number("context_length", &["max_seq_len"]),
        number("embedding_length", &["d_model"]),
        number("block_count", &["n_layers"]),
        row("feed_forward_length", KeyValue::Size(four_hidden)),
        number("attention.head_count", &["n_heads"]),
        row("attention.head_count_kv", KeyValue::Formula(mpt_key_value_heads)),
        row("attention.layer_norm_epsilon", KeyValue::Formula(|_| Ok(Some(1e-5_f32.into())))),
        row("attention.clamp_kqv", KeyValue::Formula(mpt_clamp)),
        row("attention.max_alibi_bias", KeyValue::Formula(mpt_alibi)),
    ]],
    tensors: &[&[
        weight("transformer.wte", "token_embd", &[vocabulary, hidden]),
        weight("lm_head", "output", &[vocabulary, hidden]).needed_if(untied),
        weight("transformer.norm_f", "output_norm", &[hidden]),
        weight("transformer.wpe", "position_embd", &[any, hidden]).optional(),
        weight("transformer.blocks.N.norm_1", "blk.N.attn_norm", &[hidden]),
        weight("transformer.blocks.N.norm_2", "blk.N.ffn_norm", &[hidden]),
        weight("transformer.blocks.N.attn.Wqkv", "blk.N.attn_qkv", &[mpt_query_key_value_width, hidden]),
        weight("transformer.blocks.N.attn.q_ln", "blk.N.attn_q_norm", &[any]).optional(),
        weight("transformer.blocks.N.attn.k_ln", "blk.N.attn_k_norm", &[any]).optional(),
        weight("transformer.blocks.N.attn.out_proj", "blk.N.attn_output", &[hidden, hidden]),
        weight("transformer.blocks.N.ffn.up_proj", "blk.N.ffn_up", &[four_hidden, hidden]),
        weight("transformer.blocks.N.ffn.down_proj", "blk.N.ffn_down", &[hidden, four_hidden]),
    ]],
    ..DECODER
};

/// Falcon.
pub(super) static FALCON: Family = Family {
    name: "falcon",
    architectures: &["FalconForCausalLM", "RWForCausalLM"],
    arch: "falcon",
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

/// StarCoder 2.
pub(super) static STARCODER2: Family = Family {
    name: "starcoder2",
    architectures: &["Starcoder2ForCausalLM"],
    arch: "starcoder2",
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

fn positions(config: &Config) -> Result<u64> {
    config.first_size(&["n_ctx", "n_positions"])
}

fn without_transformer(name: &str, _: &Config) -> String {
    name.strip_prefix("transformer.").unwrap_or(name).to_owned()
}

/// The rotated part of a head, by the fraction under one of `names`.
pub(super) fn rotated_of_head(facts: &Facts<'_>, names: &[&str]) -> Result<Option<OwnedValue>> {
    let size = hidden(facts.config)? / heads(facts.config)?;
    whole_number(rotated(facts.config, names, 1.0, size)?.trunc(), facts)
}

fn mpt_attention<'a>(config: &'a Config, key: &str) -> Option<&'a Json> {
    config.get("attn_config").and_then(|attention| attention.get(key)).filter(|value| !value.is_null())
}

fn mpt_key_value_heads(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let Some(count) = mpt_attention(facts.config, "kv_n_heads") else { return Ok(None) };
    let problem = || facts.config.bad("\"attn_config.kv_n_heads\" is no number of heads");
    Ok(Some(count.as_u32().filter(|&count| count > 0).ok_or_else(problem)?.into()))
}

fn mpt_query_key_value_width(config: &Config) -> Result<u64> {
    let of = mpt_attention(config, "kv_n_heads").and_then(Json::as_u32).filter(|&count| count > 0);
    let heads_of_keys = of.map_or(heads(config)?, u64::from);
    Ok(hidden(config)?.saturating_add((2 * heads_of_keys).saturating_mul(head_size(config)?)))
}

fn mpt_clamp(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    mpt_number(facts.config, "clip_qkv").map(|number| number.map(OwnedValue::from))
}

fn mpt_alibi(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let has_alibi = mpt_attention(facts.config, "alibi").and_then(Json::as_bool).unwrap_or(false);
    match has_alibi {
        true => Ok(Some(mpt_number(facts.config, "alibi_bias_max")?.unwrap_or(8.0).into())),
        false => Ok(Some(0.0_f32.into())),
    }
}

fn mpt_number(config: &Config, key: &str) -> Result<Option<f32>> {
    let problem = || config.bad(format!("\"attn_config.{key}\" is no finite number"));
    let number =
        |value: &Json| crate::model::config::number(value).map(|number| number as f32).ok_or_else(problem);
    mpt_attention(config, key).map(number).transpose()
}

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
