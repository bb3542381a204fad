//! BERT: encoders with learned positions and biases everywhere, used for embeddings and for ranking.
//!
//! The pooler and the heads of pre-training are left out: an embedding is pooled from the last layer as
//! sentence-transformers' files say. Names come with or without `bert.` in front, and from old TensorFlow
//! checkpoints with `gamma` and `beta` for a norm's weight and bias.

use briq_format::metadata::OwnedValue;

use crate::Result;
use crate::json::Json;
use crate::model::keys::{COMMON, Facts, KeyRow, KeyValue};
use crate::model::pooling;
use crate::model::tensor::{Change, Dimension, Need, TensorRow};
use crate::model::{Config, Family};
use crate::tokenizer::Scheme;

/// BERT.
pub(super) static BERT: Family = Family {
    architectures: &["BertModel", "BertForMaskedLM", "BertForSequenceClassification"],
    arch: "bert",
    fill,
    sizes: &[
        "hidden_size",
        "intermediate_size",
        "max_position_embeddings",
        "num_attention_heads",
        "num_hidden_layers",
        "type_vocab_size",
        "vocab_size",
    ],
    keys: &[COMMON, OWN_KEYS],
    canonical,
    dropped: &[
        ("embeddings.position_ids", "the numbers 0, 1, 2 and so on"),
        ("pooler.*", "embeddings are pooled from the last layer"),
        ("cls.*", "a head of pre-training"),
    ],
    tensors: TENSORS,
    generated: |_| Ok(Vec::new()),
    tokenizer: Scheme::Bert,
    pre_tokenizers: &[],
};

const OWN_KEYS: &[KeyRow] = &[
    KeyRow { key: "attention.causal", value: KeyValue::Formula(|_| Ok(Some(false.into()))) },
    KeyRow { key: "pooling_type", value: KeyValue::Formula(|facts| pooling::pooling_type(facts.directory)) },
    KeyRow { key: "classifier.output_labels", value: KeyValue::Formula(output_labels) },
];

const TENSORS: &[TensorRow] = &[
    row("embeddings.word_embeddings", "token_embd", &[vocabulary, hidden], Need::Weight),
    row("embeddings.position_embeddings", "position_embd", &[positions, hidden], Need::Weight),
    row("embeddings.token_type_embeddings", "token_types", &[token_types, hidden], Need::Weight),
    row("embeddings.LayerNorm", "token_embd_norm", &[hidden], Need::WeightAndBias),
    row("encoder.layer.N.attention.self.query", "blk.N.attn_q", &[hidden, hidden], Need::WeightAndBias),
    row("encoder.layer.N.attention.self.key", "blk.N.attn_k", &[hidden, hidden], Need::WeightAndBias),
    row("encoder.layer.N.attention.self.value", "blk.N.attn_v", &[hidden, hidden], Need::WeightAndBias),
    row(
        "encoder.layer.N.attention.output.dense",
        "blk.N.attn_output",
        &[hidden, hidden],
        Need::WeightAndBias,
    ),
    row(
        "encoder.layer.N.attention.output.LayerNorm",
        "blk.N.attn_output_norm",
        &[hidden],
        Need::WeightAndBias,
    ),
    row("encoder.layer.N.intermediate.dense", "blk.N.ffn_up", &[feed_forward, hidden], Need::WeightAndBias),
    row("encoder.layer.N.output.dense", "blk.N.ffn_down", &[hidden, feed_forward], Need::WeightAndBias),
    row("encoder.layer.N.output.LayerNorm", "blk.N.layer_output_norm", &[hidden], Need::WeightAndBias),
    row("classifier", "cls", &[label_count, hidden], Need::Nothing),
    row("classifier.out_proj", "cls.output", &[label_count, hidden], Need::Nothing),
];

const fn row(
    source: &'static str,
    target: &'static str,
    shape: &'static [Dimension],
    need: Need,
) -> TensorRow {
    TensorRow { source, target, shape, change: Change::None, need }
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

fn positions(config: &Config) -> Result<u64> {
    config.size("max_position_embeddings")
}

fn token_types(config: &Config) -> Result<u64> {
    config.size("type_vocab_size")
}

fn label_count(config: &Config) -> Result<u64> {
    // A config without labels means two, as its class has it.
    Ok(labels(config)?.map_or(2, |labels| labels.len() as u64))
}

/// The labels of a classifier by their number, when the config has any.
fn labels(config: &Config) -> Result<Option<Vec<String>>> {
    const KEY: &str = "id2label";
    let problem = || config.error(KEY, "an object with a label for each number");
    let Some(value) = config.get(KEY) else { return Ok(None) };
    let mut labels = Vec::new();
    for (number, label) in value.as_object().ok_or_else(problem)? {
        let number: u32 = number.parse().map_err(|_| problem())?;
        labels.push((number, label.as_str().ok_or_else(problem)?.to_owned()));
    }
    labels.sort_unstable();
    Ok(Some(labels.into_iter().map(|(_, label)| label).collect()))
}

/// The labels that are worth a key: the two that every config gets by default are not.
fn real_labels(config: &Config) -> Result<Option<Vec<String>>> {
    let is_default = |labels: &[String]| labels.len() == 2 && labels[0] == "LABEL_0";
    Ok(labels(config)?.filter(|labels| !labels.is_empty() && !is_default(labels)))
}

fn output_labels(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    Ok(real_labels(facts.config)?.map(OwnedValue::from))
}

fn canonical(name: &str, config: &Config) -> String {
    let name = name.strip_prefix("bert.").unwrap_or(name);
    if let Some(norm) = name.strip_suffix(".gamma") {
        return format!("{norm}.weight");
    }
    if let Some(norm) = name.strip_suffix(".beta") {
        return format!("{norm}.bias");
    }
    // With labels of its own, the classifier is the last projection of a ranking model.
    match name.strip_prefix("classifier.") {
        Some(suffix @ ("weight" | "bias")) if matches!(real_labels(config), Ok(Some(_))) => {
            format!("classifier.out_proj.{suffix}")
        }
        _ => name.to_owned(),
    }
}

/// The defaults of `BertConfig`.
fn fill(config: &mut Config) -> Result<()> {
    config.fill("hidden_size", Json::Integer(768));
    config.fill("intermediate_size", Json::Integer(3072));
    config.fill("layer_norm_eps", Json::Float(1e-12));
    config.fill("max_position_embeddings", Json::Integer(512));
    config.fill("num_attention_heads", Json::Integer(12));
    config.fill("num_hidden_layers", Json::Integer(12));
    config.fill("type_vocab_size", Json::Integer(2));
    config.fill("vocab_size", Json::Integer(30_522));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_and_old_names_of_norms_come_to_one_form() {
        let config = Config::from_text("{}");
        for (name, expected) in [
            ("bert.encoder.layer.0.output.LayerNorm.gamma", "encoder.layer.0.output.LayerNorm.weight"),
            ("embeddings.LayerNorm.beta", "embeddings.LayerNorm.bias"),
            ("bert.pooler.dense.weight", "pooler.dense.weight"),
            ("classifier.weight", "classifier.weight"),
        ] {
            assert_eq!(canonical(name, &config), expected);
        }
    }

    #[test]
    fn labels_are_sorted_by_number_and_the_default_ones_are_none() {
        let of = |labels: &str| real_labels(&Config::from_text(&format!("{{\"id2label\": {labels}}}")));
        let many: Vec<String> = (0..11).map(|label| format!("\"{label}\": \"l{label}\"")).collect();
        let sorted: Vec<String> = (0..11).map(|label| format!("l{label}")).collect();
        assert_eq!(of(&format!("{{{}}}", many.join(", "))).unwrap(), Some(sorted));
        assert_eq!(of("{\"0\": \"LABEL_0\", \"1\": \"LABEL_1\"}").unwrap(), None);
        assert_eq!(of("{\"0\": \"LABEL_0\"}").unwrap(), Some(vec!["LABEL_0".into()]));
        assert_eq!(of("{}").unwrap(), None);
        for bad in ["[]", "{\"x\": \"a\"}", "{\"0\": 1}"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_classifier_with_labels_is_the_output_of_a_ranking_model() {
        let ranking = Config::from_text("{\"id2label\": {\"0\": \"LABEL_0\"}}");
        assert_eq!(canonical("classifier.weight", &ranking), "classifier.out_proj.weight");
        assert_eq!(label_count(&ranking).unwrap(), 1);
        assert_eq!(label_count(&Config::from_text("{}")).unwrap(), 2);
    }
}
