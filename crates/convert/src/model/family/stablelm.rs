//! StableLM.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::dimension::{head_size, heads, hidden, key_value_heads};
use crate::model::keys::{FILE_TYPE, Facts, KeyValue, row};
use crate::model::tensor::{Stack, both, weight};
use crate::model::{Default, Family};

/// StableLM 3B, Zephyr and 2.
pub(super) static STABLELM: Family = Family {
    name: "stablelm",
    architectures: &["StableLmForCausalLM", "StableLMEpochForCausalLM", "LlavaStableLMEpochForCausalLM"],
    arch: "stablelm",
    required: REQUIRED_WITH_MEAN,
    defaults: &[
        ("hidden_size", Default::Integer(2560)),
        ("intermediate_size", Default::Integer(6912)),
        ("layer_norm_eps", Default::Number(1e-5)),
        ("max_position_embeddings", Default::Integer(4096)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(32)),
        ("partial_rotary_factor", Default::Number(0.25)),
        ("vocab_size", Default::Integer(50_304)),
    ],
    fill: |config| {
        // The class of the first releases worked in parallel unless told otherwise.
        let is_first = config.architecture().is_ok_and(|class| class != "StableLmForCausalLM");
        config.fill("use_parallel_residual", Json::Bool(is_first));
        Ok(())
    },
    keys: &[&[
        number("context_length", &["max_position_embeddings"]),
        number("embedding_length", &["hidden_size"]),
        number("block_count", &["num_hidden_layers"]),
        number("feed_forward_length", &["intermediate_size"]),
        row("rope.dimension_count", KeyValue::Formula(stablelm_rotated)),
        number("attention.head_count", &["num_attention_heads"]),
        number("attention.head_count_kv", &["num_key_value_heads"]),
        row("use_parallel_residual", KeyValue::Flag(&["use_parallel_residual"])),
        row("attention.layer_norm_epsilon", KeyValue::F32(&["layer_norm_eps", "norm_eps"])),
        FILE_TYPE,
    ]],
    tensors: &[
        &[
            EMBEDDINGS,
            ENDS[2],
            both("model.norm", "output_norm", &[hidden]),
            NORMS_WITH_BIAS[0],
            // With the residual in parallel there is but one norm.
            weight("model.layers.N.post_attention_layernorm", "blk.N.ffn_norm", &[hidden]).optional(),
        ],
        ATTENTION,
        GATED,
        &[
            weight("model.layers.N.self_attn.q_layernorm.norms.E", "blk.N.attn_q_norm", &[head_size])
                .stack(Stack::Numbers(heads))
                .optional(),
            weight("model.layers.N.self_attn.k_layernorm.norms.E", "blk.N.attn_k_norm", &[head_size])
                .stack(Stack::Numbers(key_value_heads))
                .optional(),
        ],
    ],
    pre_tokenizers: &["stablelm2"],
    ..DECODER
};

fn stablelm_rotated(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    rotated_of_head(facts, &["partial_rotary_factor", "rope_pct"])
}
