//! State-space models: Mamba 1 and 2, Falcon Mamba, and the hybrids Jamba and Falcon H1.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::json::Json;
use crate::model::arrange::{
    Tensor, column, negative_exponential, negative_exponential_column, same, without_middle,
};
use crate::model::dimension::{
    any, expert_width, experts, feed_forward, head_size, heads, hidden, key_value_heads, key_width, layers,
    one, query_width, untied, vocabulary,
};
use crate::model::keys::{FILE_TYPE, Facts, KeyRow, KeyValue, row};
use crate::model::tensor::{TensorRow, both, stacked, weight, whole};
use crate::model::{Arranged, Config, Default, Family, Redundant, Value, View};
use crate::tokenizer::Scheme;
use crate::{Error, Result};

/// Mamba.
pub(super) static MAMBA: Family = Family {
    name: "mamba",
    architectures: &["MambaForCausalLM", "MambaLMHeadModel"],
    defaults: MAMBA_DEFAULTS,
    redundant: TWINS,
    ..BASE
};

/// Falcon Mamba, which norms what the state is made of.
pub(super) static FALCON_MAMBA: Family = Family {
    name: "falcon_mamba",
    architectures: &["FalconMambaForCausalLM"],
    defaults: MAMBA_DEFAULTS,
    redundant: TWINS,
    ..BASE
};

/// Mamba 2.
pub(super) static MAMBA2: Family = Family {
    name: "mamba2",
    architectures: &["Mamba2ForCausalLM"],
    arch: "mamba2",
    defaults: &[
        ("conv_kernel", Default::Integer(4)),
        ("layer_norm_epsilon", Default::Number(1e-5)),
        ("state_size", Default::Integer(128)),
    ],
    keys: &[&[
        row("context_length", KeyValue::Fixed(1 << 20)),
        row("embedding_length", KeyValue::Size(hidden)),
        row("feed_forward_length", KeyValue::Fixed(0)),
        row("attention.head_count", KeyValue::Fixed(0)),
        row("block_count", KeyValue::Size(layers)),
        row("ssm.conv_kernel", KeyValue::Size(kernel)),
        row("ssm.inner_size", KeyValue::Size(inner)),
        row("ssm.state_size", KeyValue::Size(state)),
        row("ssm.time_step_rank", KeyValue::Size(state_heads)),
        row("ssm.group_count", KeyValue::Size(groups)),
        EPSILON,
        FILE_TYPE,
    ]],
    canonical: mamba2_name,
    tensors: &[MAMBA_ENDS, MIXER2, MIXER_PARTS],
    token_multiple: 16,
    ..BASE
};

/// Jamba.
pub(super) static JAMBA: Family = Family {
    name: "jamba",
    architectures: &["JambaForCausalLM"],
    arch: "jamba",
    defaults: &[
        ("attn_layer_offset", Default::Integer(4)),
        ("attn_layer_period", Default::Integer(8)),
        ("expert_layer_offset", Default::Integer(1)),
        ("expert_layer_period", Default::Integer(2)),
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(14_336)),
        ("mamba_d_conv", Default::Integer(4)),
        ("mamba_d_state", Default::Integer(16)),
        ("mamba_expand", Default::Integer(2)),
        ("max_position_embeddings", Default::Integer(262_144)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_experts", Default::Integer(16)),
        ("num_experts_per_tok", Default::Integer(2)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(8)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("vocab_size", Default::Integer(65_536)),
    ],
    keys: &[&[
        number("block_count", &["num_hidden_layers"]),
        number("context_length", &["max_position_embeddings"]),
        number("embedding_length", &["hidden_size"]),
        number("feed_forward_length", &["intermediate_size"]),
        number("attention.head_count", &["num_attention_heads"]),
        row("attention.head_count_kv", KeyValue::Formula(jamba_key_value_heads)),
        row("ssm.conv_kernel", KeyValue::Size(kernel)),
        row("ssm.inner_size", KeyValue::Size(inner)),
        row("ssm.state_size", KeyValue::Size(state)),
        row("ssm.time_step_rank", KeyValue::Size(time_step_rank)),
        EPSILON,
        number("expert_count", &["num_experts"]),
        number("expert_used_count", &["num_experts_per_tok"]),
        FILE_TYPE,
    ]],
    canonical: jamba_name,
    tensors: &[
        &[
            EMBEDDINGS,
            ENDS[2],
            weight("model.final_layernorm", "output_norm", &[hidden]),
            NORMS[0],
            weight("model.layers.N.pre_ff_layernorm", "blk.N.ffn_norm", &[hidden]),
            ATTENTION[0].needed_if(is_jamba_attention),
            ATTENTION[1].needed_if(is_jamba_attention),
            ATTENTION[2].needed_if(is_jamba_attention),
            ATTENTION[3].needed_if(is_jamba_attention),
        ],
        MIXER1_IN_HYBRID,
        &[
            weight("model.layers.N.feed_forward.gate_proj", "blk.N.ffn_gate", &[feed_forward, hidden])
                .needed_if(is_jamba_dense),
            weight("model.layers.N.feed_forward.up_proj", "blk.N.ffn_up", &[feed_forward, hidden])
                .needed_if(is_jamba_dense),
            weight("model.layers.N.feed_forward.down_proj", "blk.N.ffn_down", &[hidden, feed_forward])
                .needed_if(is_jamba_dense),
            weight("model.layers.N.feed_forward.router", "blk.N.ffn_gate_inp", &[experts, hidden])
                .needed_if(is_jamba_sparse),
            stacked(
                "model.layers.N.feed_forward.experts.E.down_proj",
                "blk.N.ffn_down_exps",
                &[hidden, expert_width],
            )
            .needed_if(is_jamba_sparse),
            stacked(
                "model.layers.N.feed_forward.experts.E.gate_proj",
                "blk.N.ffn_gate_exps",
                &[expert_width, hidden],
            )
            .needed_if(is_jamba_sparse),
            stacked(
                "model.layers.N.feed_forward.experts.E.up_proj",
                "blk.N.ffn_up_exps",
                &[expert_width, hidden],
            )
            .needed_if(is_jamba_sparse),
        ],
    ],
    token_multiple: 1,
    ..BASE
};

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
    token_multiple: 1,
    ..BASE
};

const BASE: Family = Family {
    arch: "mamba",
    // The first releases have the embeddings in the singular.
    canonical: |name, _| name.replace("backbone.embedding.", "backbone.embeddings."),
    keys: &[&[
        row("context_length", KeyValue::Fixed(1 << 20)),
        row("embedding_length", KeyValue::Size(hidden)),
        row("feed_forward_length", KeyValue::Fixed(0)),
        row("attention.head_count", KeyValue::Fixed(0)),
        row("block_count", KeyValue::Size(layers)),
        row("ssm.conv_kernel", KeyValue::Size(kernel)),
        row("ssm.inner_size", KeyValue::Size(inner)),
        row("ssm.state_size", KeyValue::Size(state)),
        row("ssm.time_step_rank", KeyValue::Size(time_step_rank)),
        EPSILON,
        row("ssm.dt_b_c_rms", KeyValue::Formula(norms_the_state)),
        FILE_TYPE,
    ]],
    tensors: &[MAMBA_ENDS, MIXER1],
    token_multiple: 8,
    ..DECODER
};

const TWINS: &[Redundant] = &[
    Redundant::Twin { name: "lm_head.weight", of: "backbone.embeddings.weight" },
    Redundant::Twin { name: "lm_head.weight", of: "backbone.embedding.weight" },
];

const MAMBA_DEFAULTS: &[(&str, Default)] = &[
    ("conv_kernel", Default::Integer(4)),
    ("layer_norm_epsilon", Default::Number(1e-5)),
    ("state_size", Default::Integer(16)),
    ("tie_word_embeddings", Default::Flag(true)),
];

const EPSILON: KeyRow =
    row("attention.layer_norm_rms_epsilon", KeyValue::F32(&["layer_norm_epsilon", "rms_norm_eps"]));

const MAMBA_ENDS: &[TensorRow] = &[
    weight("backbone.embeddings", "token_embd", &[any, hidden]),
    weight("backbone.norm_f", "output_norm", &[hidden]),
    weight("lm_head", "output", &[any, hidden]).optional(),
    weight("backbone.layers.N.norm", "blk.N.attn_norm", &[hidden]),
];

/// The mixer of Mamba 1.
const MIXER1: &[TensorRow] = &[
    weight("backbone.layers.N.mixer.in_proj", "blk.N.ssm_in", &[twice_inner, hidden]),
    both("backbone.layers.N.mixer.conv1d", "blk.N.ssm_conv1d", &[inner, one, kernel]).by(without_middle),
    weight("backbone.layers.N.mixer.x_proj", "blk.N.ssm_x", &[step_and_state, inner]),
    both("backbone.layers.N.mixer.dt_proj", "blk.N.ssm_dt", &[inner, time_step_rank]),
    whole("backbone.layers.N.mixer.A_log", "blk.N.ssm_a", &[inner, state]).by(negative_exponential),
    whole("backbone.layers.N.mixer.D", "blk.N.ssm_d", &[inner]),
    weight("backbone.layers.N.mixer.out_proj", "blk.N.ssm_out", &[hidden, inner]),
];

/// The same, of a hybrid, with its norms.
const MIXER1_IN_HYBRID: &[TensorRow] = &[
    weight("model.layers.N.mamba.in_proj", "blk.N.ssm_in", &[twice_inner, hidden]).needed_if(is_jamba_mamba),
    both("model.layers.N.mamba.conv1d", "blk.N.ssm_conv1d", &[inner, one, kernel])
        .by(without_middle)
        .needed_if(is_jamba_mamba),
    weight("model.layers.N.mamba.x_proj", "blk.N.ssm_x", &[step_and_state, inner]).needed_if(is_jamba_mamba),
    both("model.layers.N.mamba.dt_proj", "blk.N.ssm_dt", &[inner, time_step_rank]).needed_if(is_jamba_mamba),
    whole("model.layers.N.mamba.A_log", "blk.N.ssm_a", &[inner, state])
        .by(negative_exponential)
        .needed_if(is_jamba_mamba),
    whole("model.layers.N.mamba.D", "blk.N.ssm_d", &[inner]).needed_if(is_jamba_mamba),
    weight("model.layers.N.mamba.out_proj", "blk.N.ssm_out", &[hidden, inner]).needed_if(is_jamba_mamba),
    weight("model.layers.N.mamba.dt_layernorm", "blk.N.ssm_dt_norm", &[time_step_rank])
        .needed_if(is_jamba_mamba),
    weight("model.layers.N.mamba.b_layernorm", "blk.N.ssm_b_norm", &[state]).needed_if(is_jamba_mamba),
    weight("model.layers.N.mamba.c_layernorm", "blk.N.ssm_c_norm", &[state]).needed_if(is_jamba_mamba),
];

/// What is the same in every mixer of Mamba 2. Names begin as those of a hybrid.
pub(super) const MIXER_PARTS: &[TensorRow] = &[
    both("model.layers.N.mamba.conv1d", "blk.N.ssm_conv1d", &[convolved, one, kernel])
        .by(without_middle)
        .needed_if(is_mamba_layer),
    whole("model.layers.N.mamba.A_log", "blk.N.ssm_a", &[state_heads])
        .by(negative_exponential_column)
        .needed_if(is_mamba_layer),
    whole("model.layers.N.mamba.D", "blk.N.ssm_d", &[state_heads]).by(column).needed_if(is_mamba_layer),
    whole("model.layers.N.mamba.dt_bias", "blk.N.ssm_dt.bias", &[state_heads]).needed_if(is_mamba_layer),
];

/// The projections and the norm of a mixer of Mamba 2.
pub(super) const MIXER2: &[TensorRow] = &[
    weight("model.layers.N.mamba.in_proj", "blk.N.ssm_in", &[mixed, hidden]).needed_if(is_mamba_layer),
    weight("model.layers.N.mamba.norm", "blk.N.ssm_norm", &[inner])
        .by(norm_of_groups)
        .needed_if(is_mamba_layer),
    weight("model.layers.N.mamba.out_proj", "blk.N.ssm_out", &[hidden, inner]).needed_if(is_mamba_layer),
];

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
        let found = value.and_then(crate::model::config::number).map(|number| number as f32);
        found
            .filter(|number| number.is_finite())
            .ok_or_else(|| config.error(self.key, "a number, or a list of them"))
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

/// A norm with a row for each group of heads.
fn norm_of_groups(tensor: &Tensor<'_>) -> Result<Arranged> {
    let groups = groups(tensor.config)?;
    let shape = vec![groups, tensor.rows() / groups];
    tensor.check(Arranged::new(shape, tensor.view()), &format!("cannot be parted into {groups} groups"))
}

/// The width of the state-space part.
pub(super) fn inner(config: &Config) -> Result<u64> {
    const WIDTHS: &[&str] = &["mamba_d_ssm", "intermediate_size", "d_inner"];
    let is_hybrid = config.get("mamba_expand").is_some();
    match WIDTHS.iter().find(|name| config.get(name).is_some()) {
        Some(&"mamba_d_ssm") => config.size("mamba_d_ssm"),
        Some(name) if !is_hybrid => config.size(name),
        _ => {
            let factor =
                config.first(&["mamba_expand", "expand"]).map(|(name, _)| config.size(name)).transpose()?;
            Ok(factor.unwrap_or(2).saturating_mul(hidden(config)?))
        }
    }
}

fn twice_inner(config: &Config) -> Result<u64> {
    Ok(inner(config)?.saturating_mul(2))
}

fn kernel(config: &Config) -> Result<u64> {
    config.first_size(&["mamba_d_conv", "conv_kernel", "d_conv"])
}

fn state(config: &Config) -> Result<u64> {
    config.first_size(&["mamba_d_state", "state_size", "d_state"])
}

fn groups(config: &Config) -> Result<u64> {
    match ["mamba_n_groups", "n_groups"].iter().find(|name| config.get(name).is_some()) {
        Some(name) => config.size(name),
        None => Ok(1),
    }
}

/// The rank of the projection of time steps; where the config has none, a sixteenth of the width, rounded up.
fn time_step_rank(config: &Config) -> Result<u64> {
    let named = ["mamba_dt_rank", "time_step_rank", "dt_rank"];
    let stated =
        named.iter().find(|name| config.get(name).is_some_and(|value| value.as_str() != Some("auto")));
    match stated {
        Some(name) => config.size(name),
        None => Ok(hidden(config)?.div_ceil(16)),
    }
}

fn step_and_state(config: &Config) -> Result<u64> {
    Ok(time_step_rank(config)? + 2 * state(config)?)
}

/// Heads of a state space.
fn state_heads(config: &Config) -> Result<u64> {
    if config.get("mamba_n_heads").is_some() {
        return config.size("mamba_n_heads");
    }
    let size = ["mamba_d_head", "head_dim"].iter().find(|name| config.get(name).is_some());
    let size = size.map_or(Ok(64), |name| config.size(name))?;
    Ok(inner(config)? / size)
}

/// What the convolution runs over: values and both state projections.
fn convolved(config: &Config) -> Result<u64> {
    let states = groups(config)?.saturating_mul(state(config)?);
    Ok(inner(config)?.saturating_add(states.saturating_mul(2)))
}

/// Rows of a mixer's input: a gate, what is convolved, and time steps.
fn mixed(config: &Config) -> Result<u64> {
    Ok(inner(config)?.saturating_add(convolved(config)?).saturating_add(state_heads(config)?))
}

fn norms_the_state(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let class = facts.config.architecture().unwrap_or_default();
    Ok(Some(OwnedValue::from(class == "FalconMambaForCausalLM")))
}

/// Mamba 2's own names, brought to a hybrid's.
fn mamba2_name(name: &str, _: &Config) -> String {
    let name = match name.strip_prefix("model.") {
        Some(rest) if rest.starts_with("backbone.") => rest,
        _ => name,
    };
    let name = name.replace("backbone.embedding.", "backbone.embeddings.");
    match name.strip_prefix("backbone.layers.").and_then(|rest| rest.split_once(".mixer.")) {
        Some((layer, rest)) => format!("model.layers.{layer}.mamba.{rest}"),
        None => name,
    }
}

/// Experts that are named as a mixture's feed-forward part are brought to one name.
fn jamba_name(name: &str, _: &Config) -> String {
    name.replace(".moe.", ".feed_forward.").replace(".pre_moe_layernorm.", ".pre_ff_layernorm.")
}

/// Whether a layer is a state space: all are, unless the config lists kinds.
pub(super) fn is_mamba_layer(config: &Config, layer: u64) -> Result<bool> {
    let kinds = config.first(&["layer_types", "layers_block_type"]).and_then(|(_, kinds)| kinds.as_array());
    let index = usize::try_from(layer).unwrap_or(usize::MAX);
    Ok(kinds.and_then(|kinds| kinds.get(index)).is_none_or(|kind| kind.as_str() == Some("mamba")))
}

fn is_of_period(config: &Config, layer: u64, period: &str, offset: &str) -> Result<bool> {
    let offset = config.get(offset).and_then(Json::as_u32).unwrap_or(0);
    Ok(layer % config.size(period)? == u64::from(offset))
}

fn is_jamba_attention(config: &Config, layer: u64) -> Result<bool> {
    is_of_period(config, layer, "attn_layer_period", "attn_layer_offset")
}

fn is_jamba_mamba(config: &Config, layer: u64) -> Result<bool> {
    Ok(!is_jamba_attention(config, layer)?)
}

fn is_jamba_sparse(config: &Config, layer: u64) -> Result<bool> {
    Ok(config.size("num_experts")? > 1
        && is_of_period(config, layer, "expert_layer_period", "expert_layer_offset")?)
}

fn is_jamba_dense(config: &Config, layer: u64) -> Result<bool> {
    Ok(!is_jamba_sparse(config, layer)?)
}

fn jamba_key_value_heads(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    let (count, _) = (key_value_heads(config)?, heads(config)?);
    per_layer(config, layers(config)?, |layer| Ok(if is_jamba_attention(config, layer)? { count } else { 0 }))
}

/// A number for each layer.
pub(super) fn per_layer(
    config: &Config,
    layers: u64,
    number: impl Fn(u64) -> Result<u64>,
) -> Result<Option<OwnedValue>> {
    if layers > MOST_LAYERS {
        return Err(config.bad(format!("{layers} layers; at most {MOST_LAYERS} can be of different kinds")));
    }
    let numbers = (0..layers).map(|layer| {
        let number = number(layer)?;
        i32::try_from(number).map_err(|_| config.bad(format!("{number} is too much for a layer's number")))
    });
    Ok(Some(numbers.collect::<Result<Vec<i32>>>()?.into()))
}

/// A bound on what a config alone can make us write.
const MOST_LAYERS: u64 = 1 << 16;
