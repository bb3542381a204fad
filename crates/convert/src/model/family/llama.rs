//! Llama, Mistral and Mixtral: decoders with rotary embeddings, grouped queries and a gated feed-forward part.
//!
//! All are `llama` to a runtime and differ in what their classes default to, and in Mixtral's experts. Mistral's
//! sliding window has no key. A checkpoint that holds an output matrix keeps it even when the config ties it to
//! the embeddings; one that holds none is tied.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::dimension::{experts, feed_forward, head_size, hidden};
use crate::model::keys::{COMMON, Facts, KeyRow, KeyValue, row};
use crate::model::tensor::{TensorRow, stacked, weight};
use crate::model::{Config, Default, Family, Generated, rope};
use crate::tokenizer::Scheme;

/// Llama, and what was published under its class.
pub(super) static LLAMA: Family = Family {
    name: "llama",
    architectures: &["LlamaForCausalLM", "LLaMAForCausalLM", "LlamaModel", "VLlama3ForCausalLM"],
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(11_008)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(32_000)),
    ],
    fill: fill_llama,
    ..BASE
};

/// Mistral. A head size the config leaves out stays out of the file.
pub(super) static MISTRAL: Family = Family {
    name: "mistral",
    architectures: &["MistralForCausalLM"],
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(14_336)),
        ("max_position_embeddings", Default::Integer(131_072)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(8)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(32_000)),
    ],
    fill: fill_key_value_heads,
    ..BASE
};

/// Mixtral.
pub(super) static MIXTRAL: Family = Family {
    name: "mixtral",
    architectures: &["MixtralForCausalLM"],
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(14_336)),
        ("max_position_embeddings", Default::Integer(131_072)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_experts_per_tok", Default::Integer(2)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(8)),
        ("num_local_experts", Default::Integer(8)),
        ("rms_norm_eps", Default::Number(1e-5)),
        ("rope_theta", Default::Number(1e6)),
        ("vocab_size", Default::Integer(32_000)),
    ],
    fill: fill_key_value_heads,
    tensors: &[ENDS, NORMS, ATTENTION_PERMUTED, MIXTRAL_EXPERTS, &[EXPERTS[0]], FUSED_EXPERTS],
    ..BASE
};

/// Experts as Mixtral calls them.
pub(super) const MIXTRAL_EXPERTS: &[TensorRow] = &[
    weight("model.layers.N.block_sparse_moe.gate", "blk.N.ffn_gate_inp", &[experts, hidden]),
    stacked("model.layers.N.block_sparse_moe.experts.E.w1", "blk.N.ffn_gate_exps", &[feed_forward, hidden]),
    stacked("model.layers.N.block_sparse_moe.experts.E.w2", "blk.N.ffn_down_exps", &[hidden, feed_forward]),
    stacked("model.layers.N.block_sparse_moe.experts.E.w3", "blk.N.ffn_up_exps", &[feed_forward, hidden]),
];

/// Mistral 3, also where it sees as well: a kind of its own to a runtime, for the queries that newer ones scale by
/// their position.
pub(super) static MISTRAL3: Family = Family {
    name: "mistral3",
    architectures: &["Mistral3ForConditionalGeneration", "Ministral3ForCausalLM"],
    arch: "mistral3",
    keys: &[COMMON, VOCABULARY_AND_ROTATED, MINISTRAL_SCALES],
    ..MISTRAL
};

const MINISTRAL_SCALES: &[KeyRow] = &[
    row(
        "rope.scaling.yarn_log_multiplier",
        KeyValue::Formula(|facts| ministral_scale(facts, "mscale_all_dim")),
    ),
    row(
        "attention.temperature_scale",
        KeyValue::Formula(|facts| ministral_scale(facts, "llama_4_scaling_beta")),
    ),
];

fn ministral_scale(facts: &Facts<'_>, name: &str) -> Result<Option<OwnedValue>> {
    if facts.config.get("model_type").and_then(Json::as_str) != Some("ministral3") {
        return Ok(None);
    }
    let scale = rope::number_of(facts.config, name)?;
    let missing = || facts.config.bad(format!("ministral3 needs {name:?} among its rope settings"));
    Ok(Some(facts.config.single(name, scale.ok_or_else(missing)?)?.into()))
}

/// Arcee's AFM, whose feed-forward part squares instead of gating.
pub(super) static ARCEE: Family = Family {
    name: "arcee",
    architectures: &["ArceeForCausalLM"],
    arch: "arcee",
    defaults: &[
        ("hidden_size", Default::Integer(2560)),
        ("intermediate_size", Default::Integer(18_432)),
        ("max_position_embeddings", Default::Integer(4096)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-5)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(32_000)),
    ],
    fill: fill_llama,
    keys: &[COMMON, VOCABULARY_AND_ROTATED, POOLING],
    tensors: &[ENDS, NORMS, ATTENTION_PERMUTED, &[GATED[1], GATED[2]]],
    ..BASE
};

const BASE: Family = Family {
    arch: "llama",
    keys: &[COMMON, VOCABULARY_AND_ROTATED],
    tensors: &[ENDS, NORMS, ATTENTION_PERMUTED, GATED],
    generated: frequency_factors,
    tokenizer: Scheme::Llama,
    ..DECODER
};

/// Llama 3's factors for each frequency.
pub(super) fn frequency_factors(config: &Config) -> Result<Vec<Generated>> {
    Ok(rope::llama3_factors(config, head_size(config)?, 8.0)?.into_iter().collect())
}

/// The head size is always filled in, so its keys are always written.
fn fill_llama(config: &mut Config) -> Result<()> {
    fill_key_value_heads(config)?;
    fill_head_size(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(family: &Family, text: &str) -> Config {
        let mut config = Config::from_text(text);
        config.fill_all(family.defaults);
        (family.fill)(&mut config).unwrap();
        config
    }

    #[test]
    fn classes_differ_in_what_they_default_to() {
        let text = "{\"hidden_size\": 256, \"num_attention_heads\": 8}";
        let (llama, mistral) = (filled(&LLAMA, text), filled(&MISTRAL, text));
        assert_eq!((llama.size("head_dim").unwrap(), llama.size("num_key_value_heads").unwrap()), (32, 8));
        assert_eq!(mistral.get("head_dim"), None);
        assert_eq!(head_size(&mistral).unwrap(), 32);
    }
}
