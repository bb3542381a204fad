//! Llama and Mistral: decoders with rotary embeddings, grouped queries and a gated feed-forward part.
//!
//! Both are `llama` to a runtime and differ only in what their classes default to. Mistral's sliding window
//! has no key. A checkpoint that holds an output matrix keeps it even when the config ties it to the
//! embeddings; one that holds none is tied.

use crate::Result;
use crate::json::Json;
use crate::model::keys::{COMMON, Facts, KeyRow, KeyValue};
use crate::model::rope;
use crate::model::tensor::{Change, Need, TensorRow};
use crate::model::{Config, Family, Generated};
use crate::tokenizer::Scheme;
use briq_format::metadata::OwnedValue;

/// Llama, and what was published under its class.
pub(super) static LLAMA: Family =
    Family { architectures: &["LlamaForCausalLM", "LLaMAForCausalLM"], fill: fill_llama, ..BASE };

/// Mistral.
pub(super) static MISTRAL: Family =
    Family { architectures: &["MistralForCausalLM"], fill: fill_mistral, ..BASE };

const BASE: Family = Family {
    architectures: &[],
    arch: "llama",
    fill: fill_llama,
    sizes: &[
        "hidden_size",
        "intermediate_size",
        "max_position_embeddings",
        "num_attention_heads",
        "num_hidden_layers",
        "num_key_value_heads",
        "vocab_size",
    ],
    keys: &[COMMON, OWN_KEYS],
    canonical: |name, _| name.to_owned(),
    dropped: &[
        ("*.rotary_emb.inv_freq", "runtimes compute the rotary frequencies"),
        ("*.attention.masked_bias", "a buffer of the causal mask"),
        ("*.attention.bias", "a buffer of the causal mask"),
    ],
    tensors: TENSORS,
    generated,
    tokenizer: Scheme::Llama,
    pre_tokenizers: &[],
};

const OWN_KEYS: &[KeyRow] = &[
    KeyRow { key: "vocab_size", value: KeyValue::U32(&["vocab_size"]) },
    KeyRow { key: "rope.dimension_count", value: KeyValue::Formula(rotary_dimensions) },
];

const TENSORS: &[TensorRow] = &[
    row("model.embed_tokens", "token_embd", &[vocabulary, hidden], Change::None, Need::Weight),
    row("model.norm", "output_norm", &[hidden], Change::None, Need::Weight),
    row("lm_head", "output", &[vocabulary, hidden], Change::None, Need::WeightIf(untied)),
    row("model.layers.N.input_layernorm", "blk.N.attn_norm", &[hidden], Change::None, Need::Weight),
    row(
        "model.layers.N.self_attn.q_proj",
        "blk.N.attn_q",
        &[query_width, hidden],
        Change::PermuteQueries,
        Need::Weight,
    ),
    row(
        "model.layers.N.self_attn.k_proj",
        "blk.N.attn_k",
        &[key_width, hidden],
        Change::PermuteKeys,
        Need::Weight,
    ),
    row("model.layers.N.self_attn.v_proj", "blk.N.attn_v", &[key_width, hidden], Change::None, Need::Weight),
    row(
        "model.layers.N.self_attn.o_proj",
        "blk.N.attn_output",
        &[hidden, query_width],
        Change::None,
        Need::Weight,
    ),
    row("model.layers.N.post_attention_layernorm", "blk.N.ffn_norm", &[hidden], Change::None, Need::Weight),
    row(
        "model.layers.N.mlp.gate_proj",
        "blk.N.ffn_gate",
        &[feed_forward, hidden],
        Change::None,
        Need::Weight,
    ),
    row("model.layers.N.mlp.up_proj", "blk.N.ffn_up", &[feed_forward, hidden], Change::None, Need::Weight),
    row(
        "model.layers.N.mlp.down_proj",
        "blk.N.ffn_down",
        &[hidden, feed_forward],
        Change::None,
        Need::Weight,
    ),
];

const fn row(
    source: &'static str,
    target: &'static str,
    shape: &'static [crate::model::Dimension],
    change: Change,
    need: Need,
) -> TensorRow {
    TensorRow { source, target, shape, change, need }
}

fn hidden(config: &Config) -> Result<u64> {
    config.size("hidden_size")
}

fn feed_forward(config: &Config) -> Result<u64> {
    config.size("intermediate_size")
}

fn vocabulary(config: &Config) -> Result<u64> {
    config.size("vocab_size")
}

fn query_width(config: &Config) -> Result<u64> {
    Ok(config.size("num_attention_heads")? * head_size(config)?)
}

fn key_width(config: &Config) -> Result<u64> {
    Ok(config.size("num_key_value_heads")? * head_size(config)?)
}

fn head_size(config: &Config) -> Result<u64> {
    match config.optional_size("head_dim")? {
        Some(size) => Ok(size),
        None => Ok(hidden(config)? / config.size("num_attention_heads")?),
    }
}

fn untied(config: &Config) -> Result<bool> {
    Ok(!config.optional_flag("tie_word_embeddings")?.unwrap_or(false))
}

fn rotary_dimensions(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    Ok(u32::try_from(head_size(facts.config)?).ok().map(OwnedValue::from))
}

fn generated(config: &Config) -> Result<Vec<Generated>> {
    Ok(rope::llama3_factors(config, head_size(config)?)?.into_iter().collect())
}

/// The defaults of `LlamaConfig`. The head size is always filled in, so its keys are always written.
fn fill_llama(config: &mut Config) -> Result<()> {
    fill_shared(config);
    config.fill("intermediate_size", Json::Integer(11_008));
    config.fill("max_position_embeddings", Json::Integer(2048));
    let heads = config.size("num_attention_heads")?;
    config.fill("num_key_value_heads", Json::Integer(heads.into()));
    let head_size = head_size(config)?;
    config.fill("head_dim", Json::Integer(head_size.into()));
    Ok(())
}

/// The defaults of `MistralConfig`. A head size the config leaves out stays out of the file.
fn fill_mistral(config: &mut Config) -> Result<()> {
    fill_shared(config);
    config.fill("intermediate_size", Json::Integer(14_336));
    config.fill("max_position_embeddings", Json::Integer(131_072));
    config.fill("num_key_value_heads", Json::Integer(8));
    Ok(())
}

fn fill_shared(config: &mut Config) {
    config.fill("hidden_size", Json::Integer(4096));
    config.fill("num_attention_heads", Json::Integer(32));
    config.fill("num_hidden_layers", Json::Integer(32));
    config.fill("rms_norm_eps", Json::Float(1e-6));
    config.fill("rope_theta", Json::Float(10_000.0));
    config.fill("vocab_size", Json::Integer(32_000));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Transform;
    use crate::model::tensor::Mapped;

    fn filled(family: &Family, text: &str) -> Config {
        let mut config = Config::from_text(text);
        (family.fill)(&mut config).unwrap();
        config
    }

    fn map(config: &Config, name: &str) -> (String, Transform, Vec<u64>) {
        match TensorRow::map(LLAMA.tensors, name, config).unwrap() {
            Some(Mapped::To { name, transform, shape }) => (name, transform, shape),
            other => panic!("{name}: {other:?}"),
        }
    }

    #[test]
    fn queries_and_keys_are_permuted_by_their_own_heads_biases_as_well() {
        let config = filled(
            &LLAMA,
            "{\"hidden_size\": 64, \"num_attention_heads\": 8, \"num_key_value_heads\": 2, \"head_dim\": 16,
              \"num_hidden_layers\": 2}",
        );
        let permuted = |heads| Transform::PermuteHeads { heads };
        let layer = |name: &str| map(&config, &format!("model.layers.1.self_attn.{name}"));
        assert_eq!(layer("q_proj.weight"), ("blk.1.attn_q.weight".into(), permuted(8), vec![128, 64]));
        assert_eq!(layer("q_proj.bias"), ("blk.1.attn_q.bias".into(), permuted(8), vec![128]));
        assert_eq!(layer("k_proj.weight"), ("blk.1.attn_k.weight".into(), permuted(2), vec![32, 64]));
        assert_eq!(layer("k_proj.bias"), ("blk.1.attn_k.bias".into(), permuted(2), vec![32]));
        assert_eq!(layer("v_proj.weight"), ("blk.1.attn_v.weight".into(), Transform::None, vec![32, 64]));
        assert_eq!(
            layer("o_proj.weight"),
            ("blk.1.attn_output.weight".into(), Transform::None, vec![64, 128])
        );
    }

    #[test]
    fn the_output_matrix_is_required_unless_it_is_tied() {
        let missing = |config: &Config| {
            TensorRow::missing(LLAMA.tensors, config, |name| name != "output.weight").unwrap()
        };
        let untied = filled(&LLAMA, "{\"num_hidden_layers\": 1}");
        let tied = filled(&LLAMA, "{\"num_hidden_layers\": 1, \"tie_word_embeddings\": true}");
        assert_eq!(missing(&untied), Some("output.weight".into()));
        assert_eq!(missing(&tied), None);
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
