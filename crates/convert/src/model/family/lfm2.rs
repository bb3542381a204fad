//! LFM 2: short convolutions and a few layers of attention.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::arrange::without_middle;
use crate::model::dimension::{
    feed_forward, head_size, hidden, key_value_heads, layers, one, query_width, thrice_hidden,
};
use crate::model::keys::{COMMON, Facts, KeyValue, row};
use crate::model::tensor::weight;
use crate::model::{Config, Default, Family};

/// LFM 2.
pub(super) static LFM2: Family = Family {
    name: "lfm2",
    architectures: &["Lfm2ForCausalLM"],
    arch: "lfm2",
    defaults: &[
        ("block_auto_adjust_ff_dim", Default::Flag(true)),
        ("block_ffn_dim_multiplier", Default::Number(1.0)),
        ("block_multiple_of", Default::Integer(256)),
        ("conv_L_cache", Default::Integer(3)),
        ("hidden_size", Default::Integer(2560)),
        ("max_position_embeddings", Default::Integer(128_000)),
        ("norm_eps", Default::Number(1e-5)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(8)),
        ("rope_theta", Default::Number(1e6)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(65_536)),
    ],
    fill,
    keys: &[
        COMMON,
        &[
            row("attention.head_count_kv", KeyValue::Formula(key_value_heads_of_layers)),
            number("vocab_size", &["vocab_size"]),
            number("shortconv.l_cache", &["conv_L_cache"]),
        ],
    ],
    tensors: &[&[
        EMBEDDINGS,
        ENDS[2],
        weight("model.embedding_norm", "token_embd_norm", &[hidden]),
        weight("model.layers.N.operator_norm", "blk.N.attn_norm", &[hidden]),
        weight("model.layers.N.ffn_norm", "blk.N.ffn_norm", &[hidden]),
        weight("model.layers.N.conv.conv", "blk.N.shortconv.conv", &[hidden, one, cache])
            .by(without_middle)
            .needed_unless(is_attention),
        weight("model.layers.N.conv.in_proj", "blk.N.shortconv.in_proj", &[thrice_hidden, hidden])
            .needed_unless(is_attention),
        weight("model.layers.N.conv.out_proj", "blk.N.shortconv.out_proj", &[hidden, hidden])
            .needed_unless(is_attention),
        weight("model.layers.N.feed_forward.w1", "blk.N.ffn_gate", &[feed_forward, hidden]),
        weight("model.layers.N.feed_forward.w2", "blk.N.ffn_down", &[hidden, feed_forward]),
        weight("model.layers.N.feed_forward.w3", "blk.N.ffn_up", &[feed_forward, hidden]),
        weight("model.layers.N.self_attn.q_layernorm", "blk.N.attn_q_norm", &[head_size])
            .needed_if(is_attention),
        weight("model.layers.N.self_attn.k_layernorm", "blk.N.attn_k_norm", &[head_size])
            .needed_if(is_attention),
        ATTENTION[0].needed_if(is_attention),
        ATTENTION[1].needed_if(is_attention),
        ATTENTION[2].needed_if(is_attention),
        weight("model.layers.N.self_attn.out_proj", "blk.N.attn_output", &[hidden, query_width])
            .needed_if(is_attention),
    ]],
    pre_tokenizers: &["lfm2"],
    ..DECODER
};

fn cache(config: &Config) -> Result<u64> {
    config.size("conv_L_cache")
}

/// The width of the feed-forward part is stated before two thirds of it are taken and rounded up.
fn fill(config: &mut Config) -> Result<()> {
    let stated = ["block_ff_dim", "intermediate_size"].into_iter().find(|name| config.get(name).is_some());
    let mut width = stated.map_or(Ok(12_288), |name| config.size(name))?;
    if config.optional_flag("block_auto_adjust_ff_dim")? == Some(true) {
        width = 2 * width / 3;
        let factor = config.optional_number("block_ffn_dim_multiplier")?.unwrap_or(1.0);
        // Cut off, as the class cuts.
        width = (factor * width as f64).clamp(0.0, f64::from(u32::MAX)) as u64;
        let multiple = config.size("block_multiple_of")?;
        width = width.div_ceil(multiple).saturating_mul(multiple);
    }
    config.set("intermediate_size", Json::Integer(width.into()));
    Ok(())
}

/// Whether a layer attends; the config lists the kinds, or the layers that do.
fn is_attention(config: &Config, layer: u64) -> Result<bool> {
    match kind_of_layer(config, &["layer_types"], &["conv", "full_attention"], layer)? {
        Some(kind) => Ok(kind == "full_attention"),
        None if config.get("full_attn_idxs").is_some() => config.lists("full_attn_idxs", layer),
        None => Ok(true),
    }
}

fn key_value_heads_of_layers(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    let count = key_value_heads(config)?;
    per_layer(config, layers(config)?, |layer| Ok(if is_attention(config, layer)? { count } else { 0 }))
}
