//! Rows and settings that many families have in common.
//!
//! Decoders since Llama name their parts alike: `model.layers.N.self_attn.q_proj` and so on. A family picks the
//! groups that fit and adds what is its own.

use briq_format::metadata::OwnedValue;

use crate::Result;
use crate::json::Json;
use crate::model::arrange::{permute_keys, permute_queries};
use crate::model::dimension::{
    expert_width, experts, feed_forward, head_size, heads, hidden, key_value_heads, key_width, layers,
    query_width, untied, vocabulary,
};
pub(super) use crate::model::keys::REQUIRED_WITH_MEAN;
use crate::model::keys::{COMMON, Facts, KeyRow, KeyValue, REQUIRED, row};
use crate::model::tensor::{TensorRow, both, stacked, weight};
use crate::model::{Config, Family, pooling};
use crate::tokenizer::Scheme;

/// What a family is unless it says otherwise.
pub(super) const DECODER: Family = Family {
    name: "",
    architectures: &[],
    applies: |_| Ok(true),
    arch: "",
    defaults: &[],
    fill: |_| Ok(()),
    keys: &[COMMON],
    early_keys: &[],
    required: REQUIRED,
    canonical: |name, _| name.to_owned(),
    dropped: &[],
    dropped_if: |_, _| Ok(None),
    redundant: &[],
    tensors: &[],
    generated: |_| Ok(Vec::new()),
    quantized_as: None,
    tokenizer: Scheme::Plain,
    pre_tokenizers: &[],
    token_multiple: 1,
};

/// Embeddings, last norm, and the output matrix where it is not the embeddings.
pub(super) const ENDS: &[TensorRow] = &[
    EMBEDDINGS,
    weight("model.norm", "output_norm", &[hidden]),
    weight("lm_head", "output", &[vocabulary, hidden]).needed_if(untied),
];

/// The embeddings.
pub(super) const EMBEDDINGS: TensorRow = weight("model.embed_tokens", "token_embd", &[vocabulary, hidden]);

/// The norms before attention and before the feed-forward part.
pub(super) const NORMS: &[TensorRow] = &[
    weight("model.layers.N.input_layernorm", "blk.N.attn_norm", &[hidden]),
    weight("model.layers.N.post_attention_layernorm", "blk.N.ffn_norm", &[hidden]),
];

/// As [`NORMS`], with biases.
pub(super) const NORMS_WITH_BIAS: &[TensorRow] = &[
    both("model.layers.N.input_layernorm", "blk.N.attn_norm", &[hidden]),
    both("model.layers.N.post_attention_layernorm", "blk.N.ffn_norm", &[hidden]),
];

/// Norms before and after both parts.
pub(super) const FOUR_NORMS: &[TensorRow] = &[
    weight("model.layers.N.input_layernorm", "blk.N.attn_norm", &[hidden]),
    weight("model.layers.N.post_attention_layernorm", "blk.N.post_attention_norm", &[hidden]),
    weight("model.layers.N.pre_feedforward_layernorm", "blk.N.ffn_norm", &[hidden]),
    weight("model.layers.N.post_feedforward_layernorm", "blk.N.post_ffw_norm", &[hidden]),
];

/// Norms after both parts.
pub(super) const NORMS_AFTER: &[TensorRow] = &[
    weight("model.layers.N.post_attention_layernorm", "blk.N.post_attention_norm", &[hidden]),
    weight("model.layers.N.post_feedforward_layernorm", "blk.N.post_ffw_norm", &[hidden]),
];

/// Queries, keys and values as they are.
pub(super) const ATTENTION: &[TensorRow] = &[
    weight("model.layers.N.self_attn.q_proj", "blk.N.attn_q", &[query_width, hidden]),
    weight("model.layers.N.self_attn.k_proj", "blk.N.attn_k", &[key_width, hidden]),
    weight("model.layers.N.self_attn.v_proj", "blk.N.attn_v", &[key_width, hidden]),
    ATTENTION_OUTPUT,
];

/// What attention hands on.
pub(super) const ATTENTION_OUTPUT: TensorRow =
    weight("model.layers.N.self_attn.o_proj", "blk.N.attn_output", &[hidden, query_width]);

/// As [`ATTENTION`], with the heads of queries and keys permuted.
pub(super) const ATTENTION_PERMUTED: &[TensorRow] = &[
    weight("model.layers.N.self_attn.q_proj", "blk.N.attn_q", &[query_width, hidden]).by(permute_queries),
    weight("model.layers.N.self_attn.k_proj", "blk.N.attn_k", &[key_width, hidden]).by(permute_keys),
    weight("model.layers.N.self_attn.v_proj", "blk.N.attn_v", &[key_width, hidden]),
    ATTENTION_OUTPUT,
];

/// Norms of queries and keys, one for all heads.
pub(super) const HEAD_NORMS: &[TensorRow] = &[
    weight("model.layers.N.self_attn.q_norm", "blk.N.attn_q_norm", &[head_size]),
    weight("model.layers.N.self_attn.k_norm", "blk.N.attn_k_norm", &[head_size]),
];

/// Norms of queries and keys, each head with its own.
pub(super) const NORMS_OF_EACH_HEAD: &[TensorRow] = &[
    weight("model.layers.N.self_attn.q_norm", "blk.N.attn_q_norm", &[heads, head_size]).optional(),
    weight("model.layers.N.self_attn.k_norm", "blk.N.attn_k_norm", &[key_value_heads, head_size]).optional(),
];

/// A gated feed-forward part.
pub(super) const GATED: &[TensorRow] = &[
    weight("model.layers.N.mlp.gate_proj", "blk.N.ffn_gate", &[feed_forward, hidden]),
    weight("model.layers.N.mlp.up_proj", "blk.N.ffn_up", &[feed_forward, hidden]),
    weight("model.layers.N.mlp.down_proj", "blk.N.ffn_down", &[hidden, feed_forward]),
];

/// Experts with their router.
pub(super) const EXPERTS: &[TensorRow] = &[
    weight("model.layers.N.mlp.gate", "blk.N.ffn_gate_inp", &[experts, hidden]),
    stacked("model.layers.N.mlp.experts.E.down_proj", "blk.N.ffn_down_exps", &[hidden, expert_width]),
    stacked("model.layers.N.mlp.experts.E.gate_proj", "blk.N.ffn_gate_exps", &[expert_width, hidden]),
    stacked("model.layers.N.mlp.experts.E.up_proj", "blk.N.ffn_up_exps", &[expert_width, hidden]),
];

/// The size of the vocabulary and of what is rotated of a head.
pub(super) const VOCABULARY_AND_ROTATED: &[KeyRow] = &[
    row("vocab_size", KeyValue::U32(&["vocab_size"])),
    row("rope.dimension_count", KeyValue::Size(head_size)),
];

/// How embeddings are pooled, where a directory says so.
pub(super) const POOLING: &[KeyRow] =
    &[row("pooling_type", KeyValue::Formula(|facts| pooling::pooling_type(facts.directory)))];

/// A key of the same number for every model of the family.
pub(super) const fn number(key: &'static str, names: &'static [&'static str]) -> KeyRow {
    row(key, KeyValue::U32(names))
}

/// The part of a head that is rotated, by the fraction under `name`, of heads of `size`.
pub(super) fn rotated(config: &Config, names: &[&str], default: f64, width: u64) -> Result<f64> {
    for name in names {
        if let Some(fraction) = crate::model::rope::number_of(config, name)? {
            return Ok(fraction * width as f64);
        }
    }
    Ok(default * width as f64)
}

/// A whole number as a key's value.
pub(super) fn whole_number(number: f64, facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    match number.is_finite() && (0.0..=f64::from(u32::MAX)).contains(&number) {
        // Cut off, as the converter cuts.
        true => Ok(Some((number as u32).into())),
        false => Err(facts.config.bad(format!("a length of {number} is none"))),
    }
}

/// Fills in as many heads for keys and values as for queries.
pub(super) fn fill_key_value_heads(config: &mut Config) -> Result<()> {
    let heads = heads(config)?;
    config.fill("num_key_value_heads", Json::Integer(heads.into()));
    Ok(())
}

/// Puts `model.` in front of the names of a model without a head.
pub(super) fn with_model(name: &str, _: &Config) -> String {
    match name.starts_with("model.") || name.starts_with("lm_head.") {
        true => name.to_owned(),
        false => format!("model.{name}"),
    }
}

/// The rotated part of a head, by the fraction under one of `names`.
pub(super) fn rotated_of_head(facts: &Facts<'_>, names: &[&str]) -> Result<Option<OwnedValue>> {
    let size = hidden(facts.config)? / heads(facts.config)?;
    whole_number(rotated(facts.config, names, 1.0, size)?.trunc(), facts)
}

/// The kind of a layer by the list under the first of `names` that the config has; nothing where it has none.
///
/// # Errors
///
/// When the list has not a kind for each layer, or another one than those that are known.
pub(super) fn kind_of_layer<'k>(
    config: &Config,
    names: &[&str],
    known: &[&'k str],
    layer: u64,
) -> Result<Option<&'k str>> {
    let Some((name, value)) = config.first(names) else { return Ok(None) };
    let count = layers(config)?;
    let problem = |found: &Json| {
        config.bad(format!("{name:?} has {found}; allowed is for each of {count} layers one of {known:?}"))
    };
    let kinds = value.as_array().filter(|kinds| kinds.len() as u64 == count).ok_or_else(|| problem(value))?;
    let kind = usize::try_from(layer).ok().and_then(|layer| kinds.get(layer)).unwrap_or(value);
    known.iter().copied().find(|known| Some(*known) == kind.as_str()).map(Some).ok_or_else(|| problem(kind))
}

/// Which layers attend to a window only; written where the model has one.
pub(super) fn sliding_layers(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    if config.get("sliding_window").is_none() {
        return Ok(None);
    }
    let count = layers(config)?;
    if count > MOST_LAYERS {
        return Err(too_many_kinds(config, count));
    }
    let is_sliding: Vec<bool> = match config.get("layer_types") {
        Some(_) => {
            let known = ["sliding_attention", "full_attention"];
            let kind = |layer| kind_of_layer(config, &["layer_types"], &known, layer);
            (0..count).map(|layer| Ok(kind(layer)? == Some(known[0]))).collect::<Result<_>>()?
        }
        None => {
            let pattern = config.get("sliding_window_pattern");
            match pattern.and_then(Json::as_str).map(str::as_bytes).filter(|letters| !letters.is_empty()) {
                // A letter for each kind, over and over: L is local, G global.
                Some(letters) => {
                    letters.iter().cycle().zip(0..count).map(|(letter, _)| *letter == b'L').collect()
                }
                None => {
                    let period = config.optional_size("sliding_window_pattern")?.unwrap_or(4);
                    (0..count).map(|layer| !(layer + 1).is_multiple_of(period)).collect()
                }
            }
        }
    };
    Ok(Some(is_sliding.into()))
}

/// Names without a `transformer.` in front.
pub(super) fn without_transformer(name: &str, _: &Config) -> String {
    name.strip_prefix("transformer.").unwrap_or(name).to_owned()
}

/// A number for each layer.
pub(super) fn per_layer(
    config: &Config,
    layers: u64,
    number: impl Fn(u64) -> Result<u64>,
) -> Result<Option<OwnedValue>> {
    if layers > MOST_LAYERS {
        return Err(too_many_kinds(config, layers));
    }
    let numbers = (0..layers).map(|layer| {
        let number = number(layer)?;
        i32::try_from(number).map_err(|_| config.bad(format!("{number} is too much for a layer's number")))
    });
    Ok(Some(numbers.collect::<Result<Vec<i32>>>()?.into()))
}

fn too_many_kinds(config: &Config, layers: u64) -> crate::Error {
    config.bad(format!("{layers} layers; at most {MOST_LAYERS} can be of different kinds"))
}

/// A bound on what a config alone can make us write.
const MOST_LAYERS: u64 = 1 << 16;
