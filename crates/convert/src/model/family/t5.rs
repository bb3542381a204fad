//! T5: an encoder and a decoder, with positions as a bias of attention.

use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::dimension::{heads, hidden, layers, vocabulary};
use crate::model::keys::{FILE_TYPE, KeyValue, row};
use crate::model::tensor::{TensorRow, weight};
use crate::model::{Config, Default, Family, Redundant};

/// T5, its successors and mT5.
pub(super) static T5: Family = Family {
    name: "t5",
    architectures: &[
        "T5ForConditionalGeneration",
        "T5WithLMHeadModel",
        "MT5ForConditionalGeneration",
        "UMT5ForConditionalGeneration",
        "UMT5Model",
    ],
    arch: "t5",
    defaults: &[
        ("d_ff", Default::Integer(2048)),
        ("d_kv", Default::Integer(64)),
        ("d_model", Default::Integer(512)),
        ("layer_norm_epsilon", Default::Number(1e-6)),
        ("num_heads", Default::Integer(8)),
        ("num_layers", Default::Integer(6)),
        ("relative_attention_num_buckets", Default::Integer(32)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(32_128)),
    ],
    fill: |config| {
        let count = layers(config)?;
        config.fill("num_decoder_layers", Json::Integer(count.into()));
        config.fill("decoder_start_token_id", Json::Integer(0));
        if config.get("n_positions").is_none() {
            config.set("n_positions", Json::Integer(512));
        }
        Ok(())
    },
    keys: &[&[
        number("context_length", &["n_positions"]),
        number("embedding_length", &["d_model"]),
        number("feed_forward_length", &["d_ff"]),
        number("block_count", &["num_layers"]),
        number("decoder_block_count", &["num_decoder_layers"]),
        number("attention.head_count", &["num_heads"]),
        number("attention.key_length", &["d_kv"]),
        number("attention.value_length", &["d_kv"]),
        row("attention.layer_norm_epsilon", KeyValue::F32(&["layer_norm_epsilon"])),
        number("attention.relative_buckets_count", &["relative_attention_num_buckets"]),
        row("attention.layer_norm_rms_epsilon", KeyValue::F32(&["layer_norm_epsilon"])),
        number("decoder_start_token_id", &["decoder_start_token_id"]),
        FILE_TYPE,
    ]],
    redundant: &[
        Redundant::Twin { name: "shared.weight", of: "decoder.embed_tokens.weight" },
        Redundant::Twin { name: "shared.weight", of: "encoder.embed_tokens.weight" },
        Redundant::Twin { name: "encoder.embed_tokens.weight", of: "decoder.embed_tokens.weight" },
    ],
    tensors: &[
        &[
            weight("decoder.embed_tokens", "token_embd", &[vocabulary, hidden]).optional(),
            weight("encoder.embed_tokens", "token_embd", &[vocabulary, hidden]).optional(),
            weight("shared", "token_embd", &[vocabulary, hidden]),
            weight("lm_head", "output", &[vocabulary, hidden]).optional(),
            weight("encoder.final_layer_norm", "enc.output_norm", &[hidden]),
            weight("decoder.final_layer_norm", "dec.output_norm", &[hidden]),
        ],
        ENCODER,
        DECODER_LAYERS,
    ],
    ..DECODER
};

const ENCODER: &[TensorRow] = &[
    weight("encoder.block.N.layer.0.SelfAttention.q", "enc.blk.N.attn_q", &[inner, hidden]),
    weight("encoder.block.N.layer.0.SelfAttention.k", "enc.blk.N.attn_k", &[inner, hidden]),
    weight("encoder.block.N.layer.0.SelfAttention.v", "enc.blk.N.attn_v", &[inner, hidden]),
    weight("encoder.block.N.layer.0.SelfAttention.o", "enc.blk.N.attn_o", &[hidden, inner]),
    weight(
        "encoder.block.N.layer.0.SelfAttention.relative_attention_bias",
        "enc.blk.N.attn_rel_b",
        &[buckets, heads],
    )
    .needed_if(is_first),
    weight("encoder.block.N.layer.0.layer_norm", "enc.blk.N.attn_norm", &[hidden]),
    weight("encoder.block.N.layer.1.DenseReluDense.wi", "enc.blk.N.ffn_up", &[width, hidden])
        .needed_unless(is_gated),
    weight("encoder.block.N.layer.1.DenseReluDense.wi_0", "enc.blk.N.ffn_gate", &[width, hidden])
        .needed_if(is_gated),
    weight("encoder.block.N.layer.1.DenseReluDense.wi_1", "enc.blk.N.ffn_up", &[width, hidden])
        .needed_if(is_gated),
    weight("encoder.block.N.layer.1.DenseReluDense.wo", "enc.blk.N.ffn_down", &[hidden, width]),
    weight("encoder.block.N.layer.1.layer_norm", "enc.blk.N.ffn_norm", &[hidden]),
];

const DECODER_LAYERS: &[TensorRow] = &[
    decoder("decoder.block.N.layer.0.SelfAttention.q", "dec.blk.N.attn_q", &[inner, hidden]),
    decoder("decoder.block.N.layer.0.SelfAttention.k", "dec.blk.N.attn_k", &[inner, hidden]),
    decoder("decoder.block.N.layer.0.SelfAttention.v", "dec.blk.N.attn_v", &[inner, hidden]),
    decoder("decoder.block.N.layer.0.SelfAttention.o", "dec.blk.N.attn_o", &[hidden, inner]),
    decoder(
        "decoder.block.N.layer.0.SelfAttention.relative_attention_bias",
        "dec.blk.N.attn_rel_b",
        &[buckets, heads],
    )
    .needed_if(is_first),
    decoder("decoder.block.N.layer.0.layer_norm", "dec.blk.N.attn_norm", &[hidden]),
    decoder("decoder.block.N.layer.1.EncDecAttention.q", "dec.blk.N.cross_attn_q", &[inner, hidden]),
    decoder("decoder.block.N.layer.1.EncDecAttention.k", "dec.blk.N.cross_attn_k", &[inner, hidden]),
    decoder("decoder.block.N.layer.1.EncDecAttention.v", "dec.blk.N.cross_attn_v", &[inner, hidden]),
    decoder("decoder.block.N.layer.1.EncDecAttention.o", "dec.blk.N.cross_attn_o", &[hidden, inner]),
    decoder(
        "decoder.block.N.layer.1.EncDecAttention.relative_attention_bias",
        "dec.blk.N.cross_attn_rel_b",
        &[buckets, heads],
    )
    .optional(),
    decoder("decoder.block.N.layer.1.layer_norm", "dec.blk.N.cross_attn_norm", &[hidden]),
    decoder("decoder.block.N.layer.2.DenseReluDense.wi", "dec.blk.N.ffn_up", &[width, hidden])
        .needed_unless(is_gated),
    decoder("decoder.block.N.layer.2.DenseReluDense.wi_0", "dec.blk.N.ffn_gate", &[width, hidden])
        .needed_if(is_gated),
    decoder("decoder.block.N.layer.2.DenseReluDense.wi_1", "dec.blk.N.ffn_up", &[width, hidden])
        .needed_if(is_gated),
    decoder("decoder.block.N.layer.2.DenseReluDense.wo", "dec.blk.N.ffn_down", &[hidden, width]),
    decoder("decoder.block.N.layer.2.layer_norm", "dec.blk.N.ffn_norm", &[hidden]),
];

const fn decoder(
    source: &'static str,
    target: &'static str,
    shape: &'static [crate::model::Dimension],
) -> TensorRow {
    weight(source, target, shape).in_layers(decoder_layers)
}

fn inner(config: &Config) -> Result<u64> {
    Ok(heads(config)?.saturating_mul(config.size("d_kv")?))
}

fn width(config: &Config) -> Result<u64> {
    config.size("d_ff")
}

fn buckets(config: &Config) -> Result<u64> {
    config.size("relative_attention_num_buckets")
}

fn decoder_layers(config: &Config) -> Result<u64> {
    config.size("num_decoder_layers")
}

/// The first layer's bias serves for all but in UMT5.
fn is_first(config: &Config, layer: u64) -> Result<bool> {
    Ok(layer == 0 || config.architecture().is_ok_and(|class| class.starts_with("UMT5")))
}

fn is_gated(config: &Config, _: u64) -> Result<bool> {
    const KEY: &str = "feed_forward_proj";
    let Some(kind) = config.get(KEY) else { return Ok(false) };
    let problem = || config.error(KEY, "a text such as \"relu\" or \"gated-gelu\"");
    Ok(kind.as_str().ok_or_else(problem)?.starts_with("gated-"))
}
