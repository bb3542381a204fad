//! Nemotron, whose norms are stored as the difference from one and whose feed-forward part has no gate.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::arrange::{Tensor, plus_one, same};
use crate::model::dimension::{head_size, heads, hidden};
use crate::model::keys::{COMMON, Facts, KeyValue, row};
use crate::model::tensor::both;
use crate::model::{Arranged, Default, Family};
use crate::tokenizer::Scheme;

/// Nemotron and Minitron, whose norms are stored as the difference from one.
pub(super) static NEMOTRON: Family = Family {
    name: "nemotron",
    architectures: &["NemotronForCausalLM"],
    arch: "nemotron",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("hidden_size", Default::Integer(6144)),
        ("intermediate_size", Default::Integer(24_576)),
        ("max_position_embeddings", Default::Integer(4096)),
        ("norm_eps", Default::Number(1e-5)),
        ("num_attention_heads", Default::Integer(48)),
        ("num_hidden_layers", Default::Integer(32)),
        ("partial_rotary_factor", Default::Number(0.5)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(256_000)),
    ],
    fill: |config| {
        fill_key_value_heads(config)?;
        let size = head_size(config)?;
        config.fill("head_dim", Json::Integer(size.into()));
        Ok(())
    },
    keys: &[
        COMMON,
        &[
            number("vocab_size", &["vocab_size"]),
            row(
                "attention.layer_norm_epsilon",
                KeyValue::F32(&["layer_norm_eps", "layer_norm_epsilon", "norm_epsilon", "norm_eps"]),
            ),
            row("rope.dimension_count", KeyValue::Formula(nemotron_rotated)),
            row("rope.scaling.type", KeyValue::Formula(nemotron_scaling)),
            row("rope.scaling.factor", KeyValue::F32(&["factor"])),
        ],
    ],
    tensors: &[
        &[
            EMBEDDINGS,
            ENDS[2],
            both("model.norm", "output_norm", &[hidden]).by(weight_plus_one),
            NORMS_WITH_BIAS[0].by(weight_plus_one),
            NORMS_WITH_BIAS[1].by(weight_plus_one),
        ],
        ATTENTION,
        &[GATED[1], GATED[2]],
    ],
    tokenizer: Scheme::Nemotron,
    ..DECODER
};

fn nemotron_rotated(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    let all = rotated(config, &["partial_rotary_factor", "rope_pct", "rope_percent"], 0.5, hidden(config)?)?
        .trunc();
    whole_number((all / heads(config)? as f64).floor(), facts)
}

fn nemotron_scaling(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let has_factor = facts.config.get("factor").is_some();
    Ok(Some(if has_factor { "linear" } else { "none" }.into()))
}

/// `x + 1` for a weight; a bias stays.
fn weight_plus_one(tensor: &Tensor<'_>) -> Result<Arranged> {
    if tensor.name.ends_with(".bias") { same(tensor) } else { plus_one(tensor) }
}
