//! MPT.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::dimension::{four_hidden, head_size, heads, hidden, untied, vocabulary};
use crate::model::keys::{Facts, KeyValue, row};
use crate::model::tensor::weight;
use crate::model::{Config, Default, Family};

/// MPT.
pub(super) static MPT: Family = Family {
    name: "mpt",
    architectures: &["MPTForCausalLM", "MptForCausalLM"],
    arch: "mpt",
    required: REQUIRED_WITH_MEAN,
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
        weight("transformer.wpe", "position_embd", &[positions, hidden]).optional(),
        weight("transformer.blocks.N.norm_1", "blk.N.attn_norm", &[hidden]),
        weight("transformer.blocks.N.norm_2", "blk.N.ffn_norm", &[hidden]),
        weight("transformer.blocks.N.attn.Wqkv", "blk.N.attn_qkv", &[mpt_query_key_value_width, hidden]),
        weight("transformer.blocks.N.attn.q_ln", "blk.N.attn_q_norm", &[hidden]).optional(),
        weight("transformer.blocks.N.attn.k_ln", "blk.N.attn_k_norm", &[hidden]).optional(),
        weight("transformer.blocks.N.attn.out_proj", "blk.N.attn_output", &[hidden, hidden]),
        weight("transformer.blocks.N.ffn.up_proj", "blk.N.ffn_up", &[four_hidden, hidden]),
        weight("transformer.blocks.N.ffn.down_proj", "blk.N.ffn_down", &[hidden, four_hidden]),
    ]],
    ..DECODER
};

fn positions(config: &Config) -> Result<u64> {
    config.size("max_seq_len")
}

/// A setting of attention, all of which the config has in an object of its own.
fn mpt_attention<'a>(config: &'a Config, key: &str) -> Result<Option<&'a Json>> {
    let Some(settings) = config.get("attn_config") else { return Ok(None) };
    let settings = settings.as_object().ok_or_else(|| config.error("attn_config", "an object"))?;
    Ok(settings.get(key).filter(|value| !value.is_null()))
}

fn mpt_key_value_heads(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    stated_key_value_heads(facts.config).map(|count| count.map(OwnedValue::from))
}

fn stated_key_value_heads(config: &Config) -> Result<Option<u32>> {
    let problem = || config.bad("\"attn_config.kv_n_heads\" is no number of heads");
    let count = |value: &Json| value.as_u32().filter(|&count| count > 0).ok_or_else(problem);
    mpt_attention(config, "kv_n_heads")?.map(count).transpose()
}

fn mpt_query_key_value_width(config: &Config) -> Result<u64> {
    let heads_of_keys = stated_key_value_heads(config)?.map_or(heads(config)?, u64::from);
    Ok(hidden(config)?.saturating_add((2 * heads_of_keys).saturating_mul(head_size(config)?)))
}

fn mpt_clamp(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    mpt_number(facts.config, "clip_qkv").map(|number| number.map(OwnedValue::from))
}

fn mpt_alibi(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let problem = || facts.config.bad("\"attn_config.alibi\" is neither true nor false");
    let flag = |value: &Json| value.as_bool().ok_or_else(problem);
    match mpt_attention(facts.config, "alibi")?.map(flag).transpose()? {
        Some(true) => Ok(Some(mpt_number(facts.config, "alibi_bias_max")?.unwrap_or(8.0).into())),
        Some(false) | None => Ok(Some(0.0_f32.into())),
    }
}

fn mpt_number(config: &Config, key: &str) -> Result<Option<f32>> {
    let problem = || config.bad(format!("\"attn_config.{key}\" is no finite number"));
    let number = |value: &Json| {
        config.single(&format!("attn_config.{key}"), crate::model::number(value).ok_or_else(problem)?)
    };
    mpt_attention(config, key)?.map(number).transpose()
}
