//! RWKV 7 as flash-linear-attention stores it: a recurrent model without attention.

use super::shared::*;
use crate::Result;
use crate::model::arrange::Tensor;
use crate::model::arrange::squeeze;
use crate::model::dimension::{feed_forward, head_size, hidden, layers, one, parted, vocabulary};
use crate::model::keys::{FILE_TYPE, KeyRow, KeyValue, row};
use crate::model::tensor::{Stack, TensorRow, both, weight, whole};
use crate::model::{Arranged, Config, Default, Family};

/// RWKV 7.
pub(super) static RWKV7: Family = Family {
    name: "rwkv7",
    architectures: &["RWKV7ForCausalLM"],
    arch: "rwkv7",
    required: REQUIRED_WITH_MEAN,
    defaults: &[("head_dim", Default::Integer(64)), ("norm_eps", Default::Number(1e-5))],
    keys: &[&[
        row("context_length", KeyValue::Fixed(1 << 20)),
        row("embedding_length", KeyValue::Size(hidden)),
        row("block_count", KeyValue::Size(layers)),
        row("attention.layer_norm_epsilon", KeyValue::F32(&["norm_eps"])),
        number("wkv.head_size", &["head_dim"]),
        rank("attention.decay_lora_rank", decay_rank),
        rank("attention.iclr_lora_rank", rate_rank),
        rank("attention.value_residual_mix_lora_rank", value_rank),
        rank("attention.gate_lora_rank", gate_rank),
        row("feed_forward_length", KeyValue::Size(width)),
        FILE_TYPE,
        row("attention.head_count", KeyValue::Fixed(0)),
    ]],
    tensors: &[ENDS_AND_NORMS, TIME_MIX, CHANNEL_MIX],
    ..DECODER
};

const ENDS_AND_NORMS: &[TensorRow] = &[
    weight("model.embeddings", "token_embd", &[vocabulary, hidden]),
    weight("lm_head", "output", &[vocabulary, hidden]),
    both("model.norm", "output_norm", &[hidden]),
    TensorRow { only_layer: Some(0), ..both("model.layers.N.pre_norm", "token_embd_norm", &[hidden]) },
    both("model.layers.N.attn_norm", "blk.N.attn_norm", &[hidden]),
    both("model.layers.N.ffn_norm", "blk.N.attn_norm_2", &[hidden]),
];

const TIME_MIX: &[TensorRow] = &[
    whole("model.layers.N.attn.{}", "blk.N.time_mix_lerp_fused.weight", &[one, one, hidden])
        .stack(Stack::Names(&["x_r", "x_w", "x_k", "x_v", "x_a", "x_g"])),
    // The first layer has no residual of values to mix, but runtimes read one.
    first_layer("model.layers.N.attn.a_lora.lora.0.weight", "blk.N.time_mix_v1.weight", &[rate_rank, hidden]),
    whole("model.layers.N.attn.a_lora.lora.0.weight", "blk.N.time_mix_a1.weight", &[rate_rank, hidden]),
    first_layer("model.layers.N.attn.a_lora.lora.2.bias", "blk.N.time_mix_v0.weight", &[hidden]),
    whole("model.layers.N.attn.a_lora.lora.2.bias", "blk.N.time_mix_a0.weight", &[hidden]),
    first_layer("model.layers.N.attn.a_lora.lora.2.weight", "blk.N.time_mix_v2.weight", &[hidden, rate_rank]),
    whole("model.layers.N.attn.a_lora.lora.2.weight", "blk.N.time_mix_a2.weight", &[hidden, rate_rank]),
    whole("model.layers.N.attn.v_lora.lora.0.weight", "blk.N.time_mix_v1.weight", &[value_rank, hidden]),
    whole("model.layers.N.attn.v_lora.lora.2.bias", "blk.N.time_mix_v0.weight", &[hidden]),
    whole("model.layers.N.attn.v_lora.lora.2.weight", "blk.N.time_mix_v2.weight", &[hidden, value_rank]),
    whole("model.layers.N.attn.w_lora.lora.0.weight", "blk.N.time_mix_w1.weight", &[decay_rank, hidden]),
    whole("model.layers.N.attn.w_lora.lora.2.bias", "blk.N.time_mix_w0.weight", &[hidden]),
    whole("model.layers.N.attn.w_lora.lora.2.weight", "blk.N.time_mix_w2.weight", &[hidden, decay_rank]),
    whole("model.layers.N.attn.g_lora.lora.0.weight", "blk.N.time_mix_g1.weight", &[gate_rank, hidden]),
    whole("model.layers.N.attn.g_lora.lora.2.weight", "blk.N.time_mix_g2.weight", &[hidden, gate_rank]),
    both("model.layers.N.attn.g_norm", "blk.N.time_mix_ln", &[hidden]),
    whole("model.layers.N.attn.k_a", "blk.N.time_mix_k_a.weight", &[hidden]).by(squeeze),
    whole("model.layers.N.attn.k_k", "blk.N.time_mix_k_k.weight", &[hidden]).by(squeeze),
    whole("model.layers.N.attn.r_k", "blk.N.time_mix_r_k.weight", &[state_heads, head_size]).by(flat),
    weight("model.layers.N.attn.k_proj", "blk.N.time_mix_key", &[hidden, hidden]),
    weight("model.layers.N.attn.o_proj", "blk.N.time_mix_output", &[hidden, hidden]),
    weight("model.layers.N.attn.r_proj", "blk.N.time_mix_receptance", &[hidden, hidden]),
    weight("model.layers.N.attn.v_proj", "blk.N.time_mix_value", &[hidden, hidden]),
];

const CHANNEL_MIX: &[TensorRow] = &[
    whole("model.layers.N.ffn.x_k", "blk.N.channel_mix_lerp_k.weight", &[hidden]).by(squeeze),
    weight("model.layers.N.ffn.key", "blk.N.channel_mix_key", &[width, hidden]),
    weight("model.layers.N.ffn.value", "blk.N.channel_mix_value", &[hidden, width]),
];

const fn first_layer(
    source: &'static str,
    target: &'static str,
    shape: &'static [crate::model::Dimension],
) -> TensorRow {
    TensorRow { only_layer: Some(0), ..whole(source, target, shape) }
}

const fn rank(key: &'static str, length: crate::model::Dimension) -> KeyRow {
    row(key, KeyValue::Size(length))
}

/// The rank of what makes the decay.
fn decay_rank(config: &Config) -> Result<u64> {
    rank_of(config, "decay_low_rank_dim", 1.8, 0.5)
}

/// The rank of what makes the rate of learning in context.
fn rate_rank(config: &Config) -> Result<u64> {
    rank_of(config, "a_low_rank_dim", 1.8, 0.5)
}

/// The rank of what mixes the first layer's values in.
fn value_rank(config: &Config) -> Result<u64> {
    rank_of(config, "v_low_rank_dim", 1.3, 0.5)
}

/// The rank of what makes the gate.
fn gate_rank(config: &Config) -> Result<u64> {
    rank_of(config, "gate_low_rank_dim", 0.6, 0.8)
}

/// Heads of the state; together they are as wide as the residual stream.
fn state_heads(config: &Config) -> Result<u64> {
    parted(config, hidden(config)?, head_size(config)?, "values a head")
}

/// The rank of a projection: what the config says, or a multiple of 32 that grows with the width.
fn rank_of(config: &Config, name: &str, factor: f64, power: f64) -> Result<u64> {
    match config.optional_size(name)? {
        Some(rank) => Ok(rank),
        None => {
            let steps = (factor * (hidden(config)? as f64).powf(power) / 32.0).round_ties_even();
            Ok((steps as u64 * 32).max(32))
        }
    }
}

fn width(config: &Config) -> Result<u64> {
    match config.get("intermediate_size").is_some() {
        true => feed_forward(config),
        false => Ok(hidden(config)?.saturating_mul(4)),
    }
}

/// All numbers in one dimension.
fn flat(tensor: &Tensor<'_>) -> Result<Arranged> {
    let count = tensor.shape.iter().product();
    tensor.check(Arranged::new(vec![count], tensor.view()), "no tensor can have this shape")
}
