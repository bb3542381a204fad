//! gpt-oss: experts in MXFP4, of which gates and upward projections lie row by row in turn.

use super::shared::*;
use crate::Result;
use crate::model::arrange::Tensor;
use crate::model::dimension::{experts, feed_forward, heads, hidden, twice_feed_forward};
use crate::model::keys::COMMON;
use crate::model::tensor::{Stack, TensorRow, both, weight, whole};
use crate::model::{Arranged, Default, Family};

/// gpt-oss.
pub(super) static GPT_OSS: Family = Family {
    name: "gpt_oss",
    architectures: &["GptOssForCausalLM"],
    arch: "gpt-oss",
    defaults: &[
        ("head_dim", Default::Integer(64)),
        ("hidden_size", Default::Integer(2880)),
        ("intermediate_size", Default::Integer(2880)),
        ("max_position_embeddings", Default::Integer(131_072)),
        ("num_attention_heads", Default::Integer(64)),
        ("num_experts_per_tok", Default::Integer(4)),
        ("num_hidden_layers", Default::Integer(36)),
        ("num_key_value_heads", Default::Integer(8)),
        ("num_local_experts", Default::Integer(128)),
        ("rms_norm_eps", Default::Number(1e-5)),
        ("rope_theta", Default::Number(150_000.0)),
        ("sliding_window", Default::Integer(128)),
        ("vocab_size", Default::Integer(201_088)),
    ],
    keys: &[
        COMMON,
        &[
            number("attention.sliding_window", &["sliding_window"]),
            number("expert_feed_forward_length", &["intermediate_size"]),
        ],
    ],
    tensors: &[ENDS, ATTENTION, PARTS, MXFP4_EXPERTS, FLOAT_EXPERTS],
    quantized_as: Some("mxfp4"),
    ..DECODER
};

const PARTS: &[TensorRow] = &[
    NORMS[0],
    weight("model.layers.N.post_attention_layernorm", "blk.N.post_attention_norm", &[hidden]),
    whole("model.layers.N.self_attn.sinks", "blk.N.attn_sinks.weight", &[heads]),
    both("model.layers.N.mlp.router", "blk.N.ffn_gate_inp", &[experts, hidden]),
    whole("model.layers.N.mlp.experts.down_proj_bias", "blk.N.ffn_down_exps.bias", &[experts, hidden]),
    whole(
        "model.layers.N.mlp.experts.gate_up_proj_bias",
        "blk.N.ffn_gate_exps.bias",
        &[experts, twice_feed_forward],
    )
    .by(even_columns),
    whole(
        "model.layers.N.mlp.experts.gate_up_proj_bias",
        "blk.N.ffn_up_exps.bias",
        &[experts, twice_feed_forward],
    )
    .by(odd_columns),
];

const MXFP4_EXPERTS: &[TensorRow] = &[
    whole(
        "model.layers.N.mlp.experts.down_proj_{}",
        "blk.N.ffn_down_exps.weight",
        &[experts, hidden, feed_forward],
    )
    .stack(Stack::Mxfp4(0, 1)),
    whole(
        "model.layers.N.mlp.experts.gate_up_proj_{}",
        "blk.N.ffn_gate_exps.weight",
        &[experts, twice_feed_forward, hidden],
    )
    .stack(Stack::Mxfp4(0, 2)),
    whole(
        "model.layers.N.mlp.experts.gate_up_proj_{}",
        "blk.N.ffn_up_exps.weight",
        &[experts, twice_feed_forward, hidden],
    )
    .stack(Stack::Mxfp4(1, 2)),
];

/// The experts of a model that was trained further: transposed, with columns in turn.
const FLOAT_EXPERTS: &[TensorRow] = &[
    whole(
        "model.layers.N.mlp.experts.down_proj",
        "blk.N.ffn_down_exps.weight",
        &[experts, feed_forward, hidden],
    )
    .transposed(),
    whole(
        "model.layers.N.mlp.experts.gate_up_proj",
        "blk.N.ffn_gate_exps.weight",
        &[experts, hidden, twice_feed_forward],
    )
    .by(even_transposed),
    whole(
        "model.layers.N.mlp.experts.gate_up_proj",
        "blk.N.ffn_up_exps.weight",
        &[experts, hidden, twice_feed_forward],
    )
    .by(odd_transposed),
];

fn even_columns(tensor: &Tensor<'_>) -> Result<Arranged> {
    columns(tensor, 0)
}

fn odd_columns(tensor: &Tensor<'_>) -> Result<Arranged> {
    columns(tensor, 1)
}

fn columns(tensor: &Tensor<'_>, from: u64) -> Result<Arranged> {
    let shape = vec![tensor.rows(), feed_forward(tensor.config)?];
    let view = tensor.view().every_second(1, from);
    tensor.check(view.and_then(|view| Arranged::new(shape, view)), "its columns are no pairs")
}

fn even_transposed(tensor: &Tensor<'_>) -> Result<Arranged> {
    every_second_transposed(tensor, 0)
}

fn odd_transposed(tensor: &Tensor<'_>) -> Result<Arranged> {
    every_second_transposed(tensor, 1)
}

fn every_second_transposed(tensor: &Tensor<'_>, from: u64) -> Result<Arranged> {
    let shape = vec![tensor.rows(), feed_forward(tensor.config)?, hidden(tensor.config)?];
    let view = tensor.view().swap(1, 2).and_then(|view| view.every_second(1, from));
    tensor.check(view.and_then(|view| Arranged::new(shape, view)), "its columns are no pairs")
}
