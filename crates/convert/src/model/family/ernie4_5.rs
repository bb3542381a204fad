//! ERNIE 4.5, dense. Its rotary embedding turns neighbours, as a runtime does, so that nothing is permuted.

use super::shared::*;
use crate::Result;
use crate::model::arrange::{Tensor, first_half, second_half};
use crate::model::dimension::{hidden, key_width, query_key_value_width, query_width, twice_feed_forward};
use crate::model::tensor::{TensorRow, weight};
use crate::model::{Arranged, Default, Family};
use crate::tokenizer::Scheme;

/// ERNIE 4.5, as transformers and as its makers publish it: the latter with fused projections.
pub(super) static ERNIE4_5: Family = Family {
    name: "ernie4_5",
    architectures: &["Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM"],
    arch: "ernie4_5",
    defaults: &[
        ("head_dim", Default::Integer(128)),
        ("hidden_size", Default::Integer(1024)),
        ("intermediate_size", Default::Integer(3072)),
        ("max_position_embeddings", Default::Integer(131_072)),
        ("num_attention_heads", Default::Integer(16)),
        ("num_hidden_layers", Default::Integer(18)),
        ("num_key_value_heads", Default::Integer(2)),
        ("rms_norm_eps", Default::Number(1e-5)),
        ("rope_theta", Default::Number(500_000.0)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(103_424)),
    ],
    canonical: |name, _| name.replace("ernie.", "model."),
    tensors: &[ENDS, NORMS, ATTENTION, GATED, FUSED],
    tokenizer: Scheme::Ernie,
    ..DECODER
};

const FUSED: &[TensorRow] = &[
    fused("model.layers.N.self_attn.qkv_proj", "blk.N.attn_q").by(queries),
    fused("model.layers.N.self_attn.qkv_proj", "blk.N.attn_k").by(|tensor| keys_or_values(tensor, 0)),
    fused("model.layers.N.self_attn.qkv_proj", "blk.N.attn_v").by(|tensor| keys_or_values(tensor, 1)),
    weight("model.layers.N.mlp.up_gate_proj", "blk.N.ffn_gate", &[twice_feed_forward, hidden]).by(first_half),
    weight("model.layers.N.mlp.up_gate_proj", "blk.N.ffn_up", &[twice_feed_forward, hidden]).by(second_half),
];

const fn fused(source: &'static str, target: &'static str) -> TensorRow {
    weight(source, target, &[query_key_value_width, hidden])
}

fn queries(tensor: &Tensor<'_>) -> Result<Arranged> {
    rows(tensor, 0, query_width(tensor.config)?)
}

/// The rows of the keys, or those behind them.
fn keys_or_values(tensor: &Tensor<'_>, which: u64) -> Result<Arranged> {
    let width = key_width(tensor.config)?;
    rows(tensor, query_width(tensor.config)? + which * width, width)
}

fn rows(tensor: &Tensor<'_>, from: u64, count: u64) -> Result<Arranged> {
    let view = tensor.view().narrow(0, from, count);
    tensor.check(
        view.and_then(|view| Arranged::new(tensor.with_rows(count), view)),
        "its rows are no queries, keys and values",
    )
}
