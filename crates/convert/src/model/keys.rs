//! The keys that describe a model's shape, as rows: where each value comes from, in the order written.
//!
//! [`COMMON`] is what every family writes unless it says otherwise; a family's own rows come before or after
//! it. A row whose source the config lacks writes nothing. The list, the alternative names, and the order are
//! those of llama.cpp's converter.

use std::path::Path;

use briq_format::metadata::{MetadataBuf, OwnedValue};

use super::config::number;
use super::{Config, Dimension, rope};
use crate::Result;
use crate::json::Json;

/// What the value of a key may be computed from.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The config, with the family's defaults filled in.
    pub config: &'a Config,
    /// The model directory, for families whose description has further files.
    pub directory: &'a Path,
    /// The number under `general.file_type`.
    pub file_type: u32,
}

/// A key and where its value comes from.
#[derive(Debug, Clone, Copy)]
pub struct KeyRow {
    /// The key without the architecture in front, or in full when it begins with `general.` or
    /// `tokenizer.`.
    pub key: &'static str,
    /// Where the value comes from.
    pub value: KeyValue,
}

/// Where the value of a key comes from.
#[derive(Debug, Clone, Copy)]
pub enum KeyValue {
    /// A u32: the size under the first of these names that the config has.
    U32(&'static [&'static str]),
    /// As `U32`; an array of sizes, one for each layer, becomes an array of i32.
    U32OrEach(&'static [&'static str]),
    /// An f32: the number under the first of these names that the config has.
    F32(&'static [&'static str]),
    /// A u32: this length.
    Size(Dimension),
    /// This u32, whatever the config says.
    Fixed(u32),
    /// This text.
    Text(&'static str),
    /// A bool: the flag under the first of these names that the config has.
    Flag(&'static [&'static str]),
    /// Whatever this computes.
    Formula(fn(&Facts<'_>) -> Result<Option<OwnedValue>>),
}

impl KeyRow {
    /// Writes the row's key, prefixed with `arch`, when there is a value.
    ///
    /// # Errors
    ///
    /// When the config has a value that the key cannot take.
    pub(super) fn write(&self, arch: &str, facts: &Facts<'_>, metadata: &mut MetadataBuf) -> Result<()> {
        let Some(value) = self.value.resolve(facts)? else { return Ok(()) };
        match self.key.starts_with("general.") || self.key.starts_with("tokenizer.") {
            true => metadata.set(self.key, value)?,
            false => metadata.set(&format!("{arch}.{}", self.key), value)?,
        }
        Ok(())
    }
}

impl KeyValue {
    pub(super) fn resolve(self, facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
        let config = facts.config;
        let of_first = |names, allowed, value: fn(&Json) -> Option<OwnedValue>| {
            let Some((name, json)) = config.first(names) else { return Ok(None) };
            value(json).map(Some).ok_or_else(|| config.error(name, allowed))
        };
        match self {
            Self::U32(names) => {
                of_first(names, "an integer from 0 to 4294967295", |json| Some(json.as_u32()?.into()))
            }
            Self::U32OrEach(names) => of_first(
                names,
                "an integer from 0 to 4294967295, or an array of those below 2147483648",
                |json| {
                    let Some(items) = json.as_array() else { return Some(json.as_u32()?.into()) };
                    let each = items.iter().map(|item| i32::try_from(item.as_u32()?).ok());
                    Some(each.collect::<Option<Vec<i32>>>()?.into())
                },
            ),
            Self::F32(names) => of_first(names, "a number that fits an f32", |json| {
                let single = number(json)? as f32;
                single.is_finite().then(|| single.into())
            }),
            Self::Size(length) => {
                let length = length(config)?;
                let length = u32::try_from(length)
                    .map_err(|_| config.bad(format!("a length of {length} is too much")))?;
                Ok(Some(length.into()))
            }
            Self::Fixed(number) => Ok(Some(number.into())),
            Self::Text(text) => Ok(Some(text.into())),
            Self::Flag(names) => of_first(names, "true or false", |json| Some(json.as_bool()?.into())),
            Self::Formula(formula) => formula(facts),
        }
    }
}

pub(super) const fn row(key: &'static str, value: KeyValue) -> KeyRow {
    KeyRow { key, value }
}

/// The number of the mixture of types.
pub(super) const FILE_TYPE: KeyRow =
    row("general.file_type", KeyValue::Formula(|facts| Ok(Some(facts.file_type.into()))));

/// What describes any model; the keys that most families require, whose norms are of the root of squares.
pub(super) const REQUIRED: &[&str] = &[
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.layer_norm_rms_epsilon",
];

/// The same of families whose norms take the mean off as well.
pub(super) const REQUIRED_WITH_MEAN: &[&str] = &[
    "block_count",
    "context_length",
    "embedding_length",
    "feed_forward_length",
    "attention.head_count",
    "attention.layer_norm_epsilon",
];

/// The keys every family shares.
pub(super) const COMMON: &[KeyRow] = {
    use KeyValue::{F32, Formula, U32, U32OrEach};
    &[
        row("block_count", U32(&["n_layers", "num_hidden_layers", "n_layer", "num_layers"])),
        row(
            "context_length",
            U32(&[
                "max_position_embeddings",
                "n_ctx",
                "n_positions",
                "max_length",
                "max_sequence_length",
                "model_max_length",
            ]),
        ),
        row("embedding_length", U32(&["hidden_size", "n_embd", "dim"])),
        row(
            "feed_forward_length",
            U32OrEach(&[
                "prefix_dense_intermediate_size",
                "dense_intermediate_size",
                "intermediate_size",
                "n_inner",
                "hidden_dim",
            ]),
        ),
        row("attention.head_count", U32(&["num_attention_heads", "n_head", "n_heads"])),
        row("attention.head_count_kv", U32OrEach(&["num_key_value_heads", "n_kv_heads"])),
        row("attention.causal", Formula(causal)),
        row("rope.scaling.type", Formula(rope::scaling_type)),
        row("rope.scaling.factor", Formula(rope::scaling_factor)),
        row("rope.scaling.original_context_length", Formula(rope::original_context_length)),
        row("rope.scaling.yarn_ext_factor", Formula(|facts| rope::yarn(facts, &["extrapolation_factor"]))),
        row(
            "rope.scaling.yarn_attn_factor",
            Formula(|facts| rope::yarn(facts, &["attention_factor", "attn_factor"])),
        ),
        row("rope.scaling.yarn_beta_fast", Formula(|facts| rope::yarn(facts, &["beta_fast"]))),
        row("rope.scaling.yarn_beta_slow", Formula(|facts| rope::yarn(facts, &["beta_slow"]))),
        row("rope.freq_base", Formula(rope::frequency_base)),
        row("rope.freq_base_swa", Formula(rope::sliding_frequency_base)),
        row("attention.layer_norm_rms_epsilon", F32(&["rms_norm_eps", "norm_eps"])),
        row("attention.layer_norm_epsilon", F32(&["layer_norm_eps", "layer_norm_epsilon", "norm_epsilon"])),
        row("expert_count", U32(&["num_local_experts", "num_experts", "n_routed_experts"])),
        row("expert_used_count", U32(&["num_experts_per_tok", "num_experts_per_token", "top_k_experts"])),
        row("expert_group_count", U32(&["n_group"])),
        row("expert_group_used_count", U32(&["topk_group"])),
        row("expert_gating_func", Formula(expert_gating)),
        row("attention.key_length", U32(&["head_dim"])),
        row("attention.value_length", U32(&["head_dim"])),
        FILE_TYPE,
    ]
};

fn causal(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    Ok(facts.config.optional_flag("is_causal")?.filter(|causal| !causal).map(OwnedValue::from))
}

/// 1 is softmax, 2 is sigmoid.
fn expert_gating(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let names = [
        "score_function",
        "scoring_func",
        "score_func",
        "moe_router_activation",
        "moe_router_activation_func",
    ];
    let Some((name, value)) = facts.config.first(&names) else { return Ok(None) };
    match value.as_str() {
        Some("softmax") => Ok(Some(1_u32.into())),
        Some("sigmoid") => Ok(Some(2_u32.into())),
        _ => Err(facts.config.error(name, "\"softmax\" or \"sigmoid\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> MetadataBuf {
        let config = Config::from_text(text);
        let facts = Facts { config: &config, directory: Path::new("."), file_type: 7 };
        let mut metadata = MetadataBuf::new();
        COMMON.iter().for_each(|row| row.write("x", &facts, &mut metadata).unwrap());
        metadata
    }

    #[test]
    fn only_what_the_config_has_is_written_and_in_order() {
        let metadata = written(
            "{\"rms_norm_eps\": 1e-5, \"num_key_value_heads\": [2, 0, 1], \"n_layer\": 2, \"is_causal\": false,
              \"scoring_func\": \"sigmoid\", \"head_dim\": null, \"n_ctx\": 5}",
        );
        let keys: Vec<&str> = metadata.iter().map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "x.block_count",
                "x.context_length",
                "x.attention.head_count_kv",
                "x.attention.causal",
                "x.attention.layer_norm_rms_epsilon",
                "x.expert_gating_func",
                "general.file_type",
            ]
        );
        let kv = metadata.get("x.attention.head_count_kv").and_then(|value| value.as_array()).unwrap();
        assert_eq!(kv.len(), 3);
    }
}
