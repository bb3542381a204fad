//! Tencent's Hunyuan, dense.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::dimension::head_size;
use crate::model::keys::{COMMON, Facts, KeyRow, KeyValue, row};
use crate::model::tensor::{TensorRow, weight};
use crate::model::{Config, Default, Family, rope};
use crate::tokenizer::Scheme;

/// Hunyuan, dense. Its `dynamic` scaling raises the base once and for all, so that a runtime scales nothing.
pub(super) static HUNYUAN: Family = Family {
    name: "hunyuan_v1_dense",
    architectures: &["HunYuanDenseV1ForCausalLM"],
    arch: "hunyuan-dense",
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(11_008)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-5)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(290_943)),
    ],
    fill,
    keys: &[COMMON, DYNAMIC],
    dropped_if: |name, config| {
        let is_copy = name == "lm_head.weight" && config.optional_flag("tie_word_embeddings")? == Some(true);
        Ok(is_copy.then_some("the embeddings are the output matrix"))
    },
    tensors: &[ENDS, NORMS, ATTENTION, HEAD_NORMS_BY_THEIR_LONG_NAMES, GATED],
    tokenizer: Scheme::Hunyuan,
    ..DECODER
};

const HEAD_NORMS_BY_THEIR_LONG_NAMES: &[TensorRow] = &[
    weight("model.layers.N.self_attn.query_layernorm", "blk.N.attn_q_norm", &[head_size]),
    weight("model.layers.N.self_attn.key_layernorm", "blk.N.attn_k_norm", &[head_size]),
];

const DYNAMIC: &[KeyRow] = &[
    row("rope.freq_base", KeyValue::Formula(base)),
    row("rope.scaling.type", KeyValue::Formula(|facts| if_dynamic(facts, "none".into()))),
    row("rope.scaling.factor", KeyValue::Formula(|facts| if_dynamic(facts, 1.0_f32.into()))),
    row("rope.scaling.original_context_length", KeyValue::Formula(|facts| if_dynamic(facts, REACHED.into()))),
    row("context_length", KeyValue::Formula(|facts| if_dynamic(facts, REACHED.into()))),
];

/// The context that the raised base reaches, whatever the config says of it.
const REACHED: u32 = 256 * 1024;

/// The lengths of context that configs with this base are known to state.
const STATED: [u64; 2] = [32 * 1024, 256 * 1024];

fn fill(config: &mut Config) -> Result<()> {
    fill_key_value_heads(config)?;
    fill_head_size(config)?;
    // One expert is none.
    if config.optional_count("num_experts")? == Some(1) {
        config.set("num_experts", Json::Null);
    }
    Ok(())
}

fn if_dynamic(facts: &Facts<'_>, value: OwnedValue) -> Result<Option<OwnedValue>> {
    Ok(rope::is_dynamic(facts.config).then_some(value))
}

/// The base times alpha^(d / (d - 2)), with d the size of a head; as it is where nothing is scaled.
fn base(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    if !rope::is_dynamic(config) {
        return rope::frequency_base(facts);
    }
    let theta = rope::number_of(config, "rope_theta")?.unwrap_or(10_000.0);
    let alpha = rope::number_of(config, "alpha")?.unwrap_or(50.0);
    let size = head_size(config)? as f64;
    let context = config.size("max_position_embeddings")?;
    if theta != 10_000.0 || !STATED.contains(&context) || size <= 2.0 || alpha <= 0.0 {
        return Err(config.bad(format!(
            "dynamic scaling by {alpha} of base {theta} with {context} positions and heads of {size}; known is that \
             of base 10000 with {} or {} positions",
            STATED[0], STATED[1]
        )));
    }
    Ok(Some(config.single("alpha", theta * alpha.powf(size / (size - 2.0)))?.into()))
}
