//! GLM-4.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::model::dimension::{head_size, hidden, twice_feed_forward};
use crate::model::keys::{COMMON, Facts, KeyValue, row};
use crate::model::tensor::weight;
use crate::model::{Default, Family};
use crate::tokenizer::Scheme;

/// GLM-4, with norms after both parts as well.
pub(super) static GLM4: Family = Family {
    name: "glm4",
    architectures: &["Glm4ForCausalLM"],
    arch: "glm4",
    defaults: &[
        ("head_dim", Default::Integer(128)),
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(13_696)),
        ("max_position_embeddings", Default::Integer(131_072)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(40)),
        ("num_key_value_heads", Default::Integer(2)),
        ("partial_rotary_factor", Default::Number(0.5)),
        ("rms_norm_eps", Default::Number(1.5625e-7)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(151_552)),
    ],
    keys: &[COMMON, &[row("rope.dimension_count", KeyValue::Formula(rotated_size))]],
    tensors: &[
        ENDS,
        NORMS,
        ATTENTION,
        &[
            weight("model.layers.N.post_self_attn_layernorm", "blk.N.post_attention_norm", &[hidden]),
            weight("model.layers.N.post_mlp_layernorm", "blk.N.post_ffw_norm", &[hidden]),
            weight("model.layers.N.mlp.gate_up_proj", "blk.N.ffn_up", &[twice_feed_forward, hidden]),
            GATED[2],
        ],
    ],
    tokenizer: Scheme::Glm4,
    ..DECODER
};

fn rotated_size(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let size = head_size(facts.config)?;
    whole_number(rotated(facts.config, &["partial_rotary_factor"], 0.5, size)?.trunc(), facts)
}
