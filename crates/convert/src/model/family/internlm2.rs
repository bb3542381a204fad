//! InternLM 2, whose queries, keys and values lie group by group.

use super::shared::*;
use crate::Result;
use crate::model::arrange::{Tensor, interleave};
use crate::model::dimension::{
    feed_forward, head_size, heads, hidden, key_value_heads, query_key_value_width, query_width, untied,
    vocabulary,
};
use crate::model::tensor::weight;
use crate::model::{Arranged, Family, View};
use crate::tokenizer::Scheme;

/// InternLM 2 and 2.5.
pub(super) static INTERNLM2: Family = Family {
    name: "internlm2",
    architectures: &["InternLM2ForCausalLM"],
    arch: "internlm2",
    tensors: &[&[
        weight("model.tok_embeddings", "token_embd", &[vocabulary, hidden]),
        weight("model.norm", "output_norm", &[hidden]),
        weight("output", "output", &[vocabulary, hidden]).needed_if(untied),
        weight("model.layers.N.attention_norm", "blk.N.attn_norm", &[hidden]),
        weight("model.layers.N.ffn_norm", "blk.N.ffn_norm", &[hidden]),
        weight("model.layers.N.attention.wqkv", "blk.N.attn_q", &[query_key_value_width, hidden])
            .by(grouped_queries),
        weight("model.layers.N.attention.wqkv", "blk.N.attn_k", &[query_key_value_width, hidden])
            .by(grouped_keys),
        weight("model.layers.N.attention.wqkv", "blk.N.attn_v", &[query_key_value_width, hidden])
            .by(grouped_values),
        weight("model.layers.N.attention.wo", "blk.N.attn_output", &[hidden, query_width]),
        weight("model.layers.N.feed_forward.w1", "blk.N.ffn_gate", &[feed_forward, hidden]),
        weight("model.layers.N.feed_forward.w2", "blk.N.ffn_down", &[hidden, feed_forward]),
        weight("model.layers.N.feed_forward.w3", "blk.N.ffn_up", &[feed_forward, hidden]),
    ]],
    tokenizer: Scheme::InternLm2,
    ..DECODER
};

/// What InternLM stores group by group: queries, then a key and a value for them.
fn group_part(tensor: &Tensor<'_>, which: impl Fn(u64) -> (u64, u64)) -> Result<(Option<View>, u64)> {
    let (groups, heads, size) =
        (key_value_heads(tensor.config)?, heads(tensor.config)?, head_size(tensor.config)?);
    let each = heads / groups;
    let (from, count) = which(each);
    let view = tensor.view().split(0, &[groups, each + 2, size]).and_then(|view| view.narrow(1, from, count));
    Ok((view, groups * count))
}

const NO_GROUPS: &str = "its rows are no groups of queries, a key and a value";

fn rotated_heads(tensor: &Tensor<'_>, which: impl Fn(u64) -> (u64, u64)) -> Result<Arranged> {
    let (view, count) = group_part(tensor, which)?;
    let shape = tensor.with_rows(count * head_size(tensor.config)?);
    let view = view.and_then(|view| interleave(view, 2, 1));
    tensor.check(view.and_then(|view| Arranged::new(shape, view)), NO_GROUPS)
}

fn grouped_queries(tensor: &Tensor<'_>) -> Result<Arranged> {
    rotated_heads(tensor, |each| (0, each))
}

fn grouped_keys(tensor: &Tensor<'_>) -> Result<Arranged> {
    rotated_heads(tensor, |each| (each, 1))
}

fn grouped_values(tensor: &Tensor<'_>) -> Result<Arranged> {
    let (view, count) = group_part(tensor, |each| (each + 1, 1))?;
    let shape = tensor.with_rows(count * head_size(tensor.config)?);
    tensor.check(view.and_then(|view| Arranged::new(shape, view)), NO_GROUPS)
}
