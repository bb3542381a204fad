//! BERT: encoders with learned positions and biases everywhere, used for embeddings and for ranking.
//!
//! The pooler and the heads of pre-training are left out: an embedding is pooled from the last layer as
//! sentence-transformers' files say. Names come with or without `bert.` in front, and from old TensorFlow
//! checkpoints with `gamma` and `beta` for a norm's weight and bias.

use briq_format::metadata::OwnedValue;

use super::shared::{DECODER, POOLING, REQUIRED_WITH_MEAN, number};
use crate::Result;
use crate::json::Json;
use crate::model::arrange::Tensor;
use crate::model::dimension::{feed_forward, hidden, query_width, thrice_hidden, vocabulary};
use crate::model::keys::{COMMON, Facts, KeyRow, KeyValue, row};
use crate::model::tensor::{TensorRow, both, weight};
use crate::model::{Arranged, Config, Default, Family};
use crate::tokenizer::Scheme;

/// BERT.
pub(super) static BERT: Family = Family {
    name: "bert",
    architectures: &["BertModel", "BertForMaskedLM", "BertForSequenceClassification"],
    tensors: &[TENSORS, POSITIONS],
    ..BASE
};

/// RoBERTa, whose positions begin behind the padding token's number.
pub(super) static ROBERTA: Family = Family {
    name: "roberta",
    architectures: &["RobertaModel", "RobertaForSequenceClassification"],
    ..ROBERTA_BASE
};

/// XLM-RoBERTa.
pub(super) static XLM_ROBERTA: Family = Family {
    name: "xlm-roberta",
    architectures: &["XLMRobertaModel", "XLMRobertaForSequenceClassification"],
    ..ROBERTA_BASE
};

/// Nomic's BERT, with rotary embeddings and a gated feed-forward part.
pub(super) static NOMIC_BERT: Family = Family {
    name: "nomic-bert",
    architectures: &["NomicBertModel"],
    arch: "nomic-bert",
    defaults: &[
        ("layer_norm_epsilon", Default::Number(1e-12)),
        ("rotary_emb_base", Default::Number(10_000.0)),
        ("type_vocab_size", Default::Integer(2)),
    ],
    fill: nomic_context,
    tensors: &[&[
        weight("embeddings.word_embeddings", "token_embd", &[vocabulary, hidden]),
        weight("embeddings.token_type_embeddings", "token_types", &[token_types, hidden]),
        both("emb_ln", "token_embd_norm", &[hidden]),
        weight("encoder.layers.N.attn.Wqkv", "blk.N.attn_qkv", &[thrice_hidden, hidden]),
        weight("encoder.layers.N.attn.out_proj", "blk.N.attn_output", &[hidden, query_width]),
        both("encoder.layers.N.norm1", "blk.N.attn_output_norm", &[hidden]),
        weight("encoder.layers.N.mlp.fc11", "blk.N.ffn_up", &[feed_forward, hidden]),
        weight("encoder.layers.N.mlp.fc12", "blk.N.ffn_gate", &[feed_forward, hidden]),
        weight("encoder.layers.N.mlp.fc2", "blk.N.ffn_down", &[hidden, feed_forward]),
        both("encoder.layers.N.norm2", "blk.N.layer_output_norm", &[hidden]),
    ]],
    ..BASE
};

const ROBERTA_BASE: Family = Family {
    canonical: |name, config| canonical(name.strip_prefix("roberta.").unwrap_or(name), config),
    keys: &[COMMON, &[number("context_length", &["usable_positions"])], OWN_KEYS, POOLING, LABELS],
    fill: fill_roberta,
    tensors: &[TENSORS, POSITIONS_BEHIND_PADDING],
    ..BASE
};

const BASE: Family = Family {
    arch: "bert",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("hidden_size", Default::Integer(768)),
        ("intermediate_size", Default::Integer(3072)),
        ("layer_norm_eps", Default::Number(1e-12)),
        ("max_position_embeddings", Default::Integer(512)),
        ("num_attention_heads", Default::Integer(12)),
        ("num_hidden_layers", Default::Integer(12)),
        ("type_vocab_size", Default::Integer(2)),
        ("vocab_size", Default::Integer(30_522)),
    ],
    keys: &[COMMON, OWN_KEYS, POOLING, LABELS],
    canonical,
    dropped: &[
        ("embeddings.position_ids", "the numbers 0, 1, 2 and so on"),
        ("pooler.*", "embeddings are pooled from the last layer"),
        ("cls.*", "a head of pre-training"),
        ("lm_head.*", "a head of pre-training"),
    ],
    tokenizer: Scheme::Bert,
    ..DECODER
};

const OWN_KEYS: &[KeyRow] = &[row("attention.causal", KeyValue::Formula(|_| Ok(Some(false.into()))))];
const LABELS: &[KeyRow] = &[row("classifier.output_labels", KeyValue::Formula(output_labels))];

const TENSORS: &[TensorRow] = &[
    weight("embeddings.word_embeddings", "token_embd", &[vocabulary, hidden]),
    weight("embeddings.token_type_embeddings", "token_types", &[token_types, hidden]),
    both("embeddings.LayerNorm", "token_embd_norm", &[hidden]),
    both("encoder.layer.N.attention.self.query", "blk.N.attn_q", &[query_width, hidden]),
    both("encoder.layer.N.attention.self.key", "blk.N.attn_k", &[query_width, hidden]),
    both("encoder.layer.N.attention.self.value", "blk.N.attn_v", &[query_width, hidden]),
    both("encoder.layer.N.attention.output.dense", "blk.N.attn_output", &[hidden, query_width]),
    both("encoder.layer.N.attention.output.LayerNorm", "blk.N.attn_output_norm", &[hidden]),
    both("encoder.layer.N.intermediate.dense", "blk.N.ffn_up", &[feed_forward, hidden]),
    both("encoder.layer.N.output.dense", "blk.N.ffn_down", &[hidden, feed_forward]),
    both("encoder.layer.N.output.LayerNorm", "blk.N.layer_output_norm", &[hidden]),
    both("classifier", "cls", &[label_count, hidden]).optional(),
    both("classifier.dense", "cls", &[hidden, hidden]).optional(),
    both("classifier.out_proj", "cls.output", &[label_count, hidden]).optional(),
];

const POSITIONS: &[TensorRow] =
    &[weight("embeddings.position_embeddings", "position_embd", &[positions, hidden])];

const POSITIONS_BEHIND_PADDING: &[TensorRow] =
    &[weight("embeddings.position_embeddings", "position_embd", &[positions, hidden]).by(behind_padding)];

fn positions(config: &Config) -> Result<u64> {
    config.size("max_position_embeddings")
}

fn token_types(config: &Config) -> Result<u64> {
    config.size("type_vocab_size")
}

/// The first position's number.
fn first_position(config: &Config) -> Result<u64> {
    Ok(config.optional_count("pad_token_id")?.map_or(2, |id| id + 1))
}

fn fill_roberta(config: &mut Config) -> Result<()> {
    config.fill("pad_token_id", Json::Integer(1));
    let usable = positions(config)?.saturating_sub(first_position(config)?);
    config.set("usable_positions", Json::Integer(usable.into()));
    Ok(())
}

/// The rows of positions that are used: those up to the padding token's number are not.
fn behind_padding(tensor: &Tensor<'_>) -> Result<Arranged> {
    let first = first_position(tensor.config)?;
    let count = tensor.rows().saturating_sub(first);
    let view = tensor.view().narrow(0, first, count).filter(|_| count > 0);
    let arranged = view.and_then(|view| Arranged::new(tensor.with_rows(count), view));
    tensor.check(arranged, &format!("no positions are left behind the first {first}"))
}

/// The context is the trained one, not what stretched frequencies reach.
fn nomic_context(config: &mut Config) -> Result<()> {
    let trained = config.optional_size("max_trained_positions")?;
    let context = match (config.optional_size("n_positions")?, trained) {
        (Some(8192), None) => Some(2048),
        (Some(2048), None) => Some(512),
        (stated, trained) => trained.or(stated),
    };
    if let Some(context) = context {
        config.set("n_positions", Json::Integer(context.into()));
    }
    Ok(())
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
