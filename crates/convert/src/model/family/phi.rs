//! Phi: the second, and the third and fourth with fused projections.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::model::dimension::{
    feed_forward, four_hidden, heads, hidden, query_key_value_width, query_width, twice_feed_forward, untied,
    vocabulary,
};
use crate::model::keys::{FILE_TYPE, Facts, KeyValue, row};
use crate::model::tensor::{both, weight};
use crate::model::{Config, Default, Family, rope};
use crate::tokenizer::Scheme;

/// Phi-1, 1.5 and 2.
pub(super) static PHI2: Family = Family {
    name: "phi2",
    architectures: &["PhiForCausalLM"],
    arch: "phi2",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("hidden_size", Default::Integer(2048)),
        ("intermediate_size", Default::Integer(8192)),
        ("layer_norm_eps", Default::Number(1e-5)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(24)),
        ("partial_rotary_factor", Default::Number(0.5)),
        ("vocab_size", Default::Integer(51_200)),
    ],
    keys: &[&[
        number("context_length", &["n_positions", "max_position_embeddings"]),
        number("embedding_length", &["n_embd", "hidden_size"]),
        row("feed_forward_length", KeyValue::Size(four_hidden)),
        number("block_count", &["n_layer", "num_hidden_layers"]),
        number("attention.head_count", &["n_head", "num_attention_heads"]),
        row("attention.head_count_kv", KeyValue::Size(heads)),
        row("attention.layer_norm_epsilon", KeyValue::F32(&["layer_norm_epsilon", "layer_norm_eps"])),
        row("rope.dimension_count", KeyValue::Formula(phi2_rotated)),
        FILE_TYPE,
        row("tokenizer.ggml.add_bos_token", KeyValue::Formula(|_| Ok(Some(false.into())))),
    ]],
    tensors: &[
        &[
            EMBEDDINGS,
            both("model.final_layernorm", "output_norm", &[hidden]),
            both("lm_head", "output", &[vocabulary, hidden]).needed_if(untied),
            both("model.layers.N.input_layernorm", "blk.N.attn_norm", &[hidden]),
            weight("model.layers.N.self_attn.dense", "blk.N.attn_output", &[hidden, query_width]),
            both("model.layers.N.mlp.fc1", "blk.N.ffn_up", &[four_hidden, hidden]),
            both("model.layers.N.mlp.fc2", "blk.N.ffn_down", &[hidden, four_hidden]),
        ],
        &[ATTENTION[0], ATTENTION[1], ATTENTION[2]],
    ],
    pre_tokenizers: &["phi-2"],
    ..DECODER
};

/// Phi-3 and 3.5.
pub(super) static PHI3: Family = Family {
    name: "phi3",
    architectures: &["Phi3ForCausalLM"],
    arch: "phi3",
    defaults: &[
        ("hidden_size", Default::Integer(3072)),
        ("intermediate_size", Default::Integer(8192)),
        ("max_position_embeddings", Default::Integer(4096)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("original_max_position_embeddings", Default::Integer(4096)),
        ("rms_norm_eps", Default::Number(1e-5)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(32_064)),
    ],
    fill: fill_key_value_heads,
    early_keys: &[row("rope.scaling.attn_factor", KeyValue::Formula(attention_factor))],
    keys: &[&[
        number("context_length", &["n_positions", "max_position_embeddings"]),
        number("rope.scaling.original_context_length", &["original_max_position_embeddings"]),
        number("embedding_length", &["n_embd", "hidden_size"]),
        number("feed_forward_length", &["intermediate_size"]),
        number("block_count", &["n_layer", "num_hidden_layers"]),
        number("attention.head_count", &["n_head", "num_attention_heads"]),
        number("attention.head_count_kv", &["num_key_value_heads"]),
        row("attention.layer_norm_rms_epsilon", KeyValue::F32(&["rms_norm_eps"])),
        row("rope.dimension_count", KeyValue::Formula(phi3_rotated)),
        row("rope.freq_base", KeyValue::Formula(rope::frequency_base)),
        FILE_TYPE,
        row("attention.sliding_window", KeyValue::Formula(sliding_window)),
    ]],
    tensors: &[
        ENDS,
        NORMS,
        &[
            weight("model.layers.N.self_attn.qkv_proj", "blk.N.attn_qkv", &[query_key_value_width, hidden]),
            ATTENTION_OUTPUT,
            weight("model.layers.N.mlp.gate_up_proj", "blk.N.ffn_up", &[twice_feed_forward, hidden]),
            weight("model.layers.N.mlp.down_proj", "blk.N.ffn_down", &[hidden, feed_forward]),
        ],
    ],
    generated: |config| rope::long_and_short_factors(config, phi3_rotated_size(config)? as u64),
    tokenizer: Scheme::Phi3,
    ..DECODER
};

/// The rotated part of a head, cut off where it is fractional as the converter cuts it.
fn phi2_rotated(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    let all = rotated(config, &["partial_rotary_factor"], 0.5, hidden(config)?)?.trunc();
    whole_number((all / heads(config)? as f64).floor(), facts)
}

fn phi3_rotated_size(config: &Config) -> Result<f64> {
    let all = rotated(config, &["partial_rotary_factor"], 1.0, hidden(config)?)?.trunc();
    Ok((all / heads(config)? as f64).floor())
}

fn phi3_rotated(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    whole_number(phi3_rotated_size(facts.config)?, facts)
}

/// How much larger attention's scores are beyond the trained context: sqrt(1 + ln(s) / ln(c)), or with yarn
/// 0.1 ln(s) + 1, with c the trained context and s how many times as far the model reaches.
fn attention_factor(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    if rope::scaling_type(facts)?.is_none() {
        return Ok(None);
    }
    let reached = config.first_size(&["n_positions", "max_position_embeddings"])? as f64;
    let trained = config.size("original_max_position_embeddings")? as f64;
    let scale = reached / trained;
    let factor = match rope::scaling_type(facts)? == Some("yarn".into()) {
        _ if scale <= 1.0 => 1.0,
        true => 0.1 * scale.ln() + 1.0,
        false => (1.0 + scale.ln() / trained.ln()).sqrt(),
    };
    Ok(Some(config.single("original_max_position_embeddings", factor)?.into()))
}

/// The window; 0 where there is none.
fn sliding_window(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    Ok(Some((facts.config.optional_size("sliding_window")?.unwrap_or(0) as u32).into()))
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_a_fraction_are_rotated_as_far_as_the_fraction_goes() {
        let config = Config::from_text(
            "{\"hidden_size\": 64, \"num_attention_heads\": 4, \"partial_rotary_factor\": 0.75}",
        );
        assert_eq!(phi3_rotated_size(&config).unwrap(), 12.0);
    }
}
