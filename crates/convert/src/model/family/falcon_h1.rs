//! Falcon H1: attention and state space side by side, with factors that are multiplied into the weights.

use super::shared::*;
use super::state_space::*;
use crate::json::Json;
use crate::model::arrange::{Tensor, same};
use crate::model::dimension::{
    feed_forward, head_size, hidden, key_value_heads, key_width, query_width, untied, vocabulary,
};
use crate::model::keys::{FILE_TYPE, KeyValue, row};
use crate::model::tensor::{TensorRow, weight, whole};
use crate::model::{Arranged, Config, Default, Family, Value, View};
use crate::tokenizer::Scheme;
use crate::{Error, Result};

/// Falcon H1: attention and state space side by side, with factors that are multiplied into the weights.
pub(super) static FALCON_H1: Family = Family {
    name: "falcon_h1",
    architectures: &["FalconH1ForCausalLM"],
    arch: "falcon-h1",
    defaults: &[("tie_word_embeddings", Default::Flag(false))],
    keys: &[&[
        number("context_length", &["max_position_embeddings"]),
        number("embedding_length", &["hidden_size"]),
        number("feed_forward_length", &["intermediate_size"]),
        number("attention.head_count", &["num_attention_heads"]),
        number("block_count", &["num_hidden_layers"]),
        row("ssm.conv_kernel", KeyValue::Size(kernel)),
        row("ssm.inner_size", KeyValue::Size(inner)),
        row("ssm.state_size", KeyValue::Size(state)),
        row("ssm.time_step_rank", KeyValue::Size(state_heads)),
        row("ssm.group_count", KeyValue::Size(groups)),
        EPSILON,
        FILE_TYPE,
        number("vocab_size", &["vocab_size"]),
        row("attention.head_count_kv", KeyValue::Size(key_value_heads)),
        row("attention.key_length", KeyValue::Size(head_size)),
        row("attention.value_length", KeyValue::Size(head_size)),
        row("rope.freq_base", KeyValue::Formula(crate::model::rope::frequency_base)),
    ]],
    tensors: &[H1_PARTS, MIXER2_OF_H1],
    tokenizer: Scheme::Plain,
    pre_tokenizers: &["falcon-h1"],
    ..DECODER
};

const MIXER2_OF_H1: &[TensorRow] = &[
    weight("model.layers.N.mamba.in_proj", "blk.N.ssm_in", &[mixed, hidden]).by(h1_mixed),
    MIXER_PARTS[0],
    MIXER_PARTS[1],
    MIXER_PARTS[2],
    MIXER_PARTS[3],
    weight("model.layers.N.mamba.norm", "blk.N.ssm_norm", &[inner]).by(norm_of_groups).optional(),
    weight("model.layers.N.mamba.out_proj", "blk.N.ssm_out", &[hidden, inner])
        .by(|tensor| times(tensor, [number_at("ssm_out_multiplier", 0), NONE])),
];

const H1_PARTS: &[TensorRow] = &[
    weight("model.embed_tokens", "token_embd", &[vocabulary, hidden])
        .by(|tensor| times(tensor, [number_at("embedding_multiplier", 0), NONE])),
    weight("lm_head", "output", &[vocabulary, hidden])
        .by(|tensor| times(tensor, [number_at("lm_head_multiplier", 0), NONE]))
        .needed_if(untied),
    weight("model.final_layernorm", "output_norm", &[hidden]),
    weight("model.layers.N.input_layernorm", "blk.N.attn_norm", &[hidden]),
    whole("model.layers.N.pre_ff_layernorm.weight", "blk.N.ffn_norm", &[hidden]),
    weight("model.layers.N.self_attn.q_proj", "blk.N.attn_q", &[query_width, hidden])
        .by(|tensor| times(tensor, [number_at("attention_in_multiplier", 0), NONE])),
    weight("model.layers.N.self_attn.k_proj", "blk.N.attn_k", &[key_width, hidden]).by(|tensor| {
        times(tensor, [number_at("key_multiplier", 0), number_at("attention_in_multiplier", 0)])
    }),
    weight("model.layers.N.self_attn.v_proj", "blk.N.attn_v", &[key_width, hidden])
        .by(|tensor| times(tensor, [number_at("attention_in_multiplier", 0), NONE])),
    weight("model.layers.N.self_attn.o_proj", "blk.N.attn_output", &[hidden, query_width])
        .by(|tensor| times(tensor, [number_at("attention_out_multiplier", 0), NONE])),
    weight("model.layers.N.feed_forward.gate_proj", "blk.N.ffn_gate", &[feed_forward, hidden])
        .by(|tensor| times(tensor, [number_at("mlp_multipliers", 0), NONE])),
    weight("model.layers.N.feed_forward.up_proj", "blk.N.ffn_up", &[feed_forward, hidden]),
    weight("model.layers.N.feed_forward.down_proj", "blk.N.ffn_down", &[hidden, feed_forward])
        .by(|tensor| times(tensor, [number_at("mlp_multipliers", 1), NONE])),
];

/// A factor in the config: its key, and its place where the key has a list.
#[derive(Debug, Clone, Copy)]
struct Factor {
    key: &'static str,
    place: usize,
}

/// One.
const NONE: Factor = number_at("", 0);

const fn number_at(key: &'static str, place: usize) -> Factor {
    Factor { key, place }
}

impl Factor {
    fn of(self, config: &Config) -> Result<f32> {
        if self.key.is_empty() {
            return Ok(1.0);
        }
        let value = config.get(self.key).map(|value| match value.as_array() {
            Some(list) => list.get(self.place).unwrap_or(&Json::Null),
            None => value,
        });
        let found = value.and_then(crate::model::number);
        let problem = || config.error(self.key, "a number, or a list of them");
        config.single(self.key, found.ok_or_else(problem)?)
    }
}

fn times(tensor: &Tensor<'_>, factors: [Factor; 2]) -> Result<Arranged> {
    let [first, second] = factors;
    Ok(same(tensor)?.with(Value::Times([first.of(tensor.config)?, second.of(tensor.config)?])))
}

/// The rows of a mixer's input (gate, values, the two state projections, time steps), each kind by its own factor.
fn h1_mixed(tensor: &Tensor<'_>) -> Result<Arranged> {
    let config = tensor.config;
    let (inner, states) = (inner(config)?, groups(config)?.saturating_mul(state(config)?));
    let kinds = [inner, inner, states, states, state_heads(config)?];
    let mut start = 0;
    let mut views: Vec<View> = Vec::with_capacity(kinds.len());
    for count in kinds {
        let view = tensor.view().narrow(0, start, count);
        views.push(
            view.ok_or_else(|| {
                Error::unsupported(format!("tensor {:?}: its rows are too few", tensor.name))
            })?,
        );
        start += count;
    }
    let arranged =
        tensor.check(Arranged::joined(tensor.shape.to_vec(), views), "its rows are not of the five kinds");
    let mut arranged = arranged?;
    let all = number_at("ssm_in_multiplier", 0).of(config)?;
    for (kind, slice) in arranged.slices.iter_mut().enumerate() {
        slice.value = Value::Times([all, number_at("ssm_multipliers", kind).of(config)?]);
    }
    Ok(arranged)
}
