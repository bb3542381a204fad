//! DeepSeek 2 and 3: attention whose keys and values pass through a narrow layer, and many small experts.
//!
//! A runtime multiplies the projection that widens the keys into the queries, so that it is stored head by head
//! and transposed, apart from that of the values.

use briq_format::metadata::OwnedValue;

use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::arrange::Tensor;
use crate::model::dimension::{expert_width, heads, hidden, layers};
use crate::model::keys::{COMMON, Facts, KeyRow, KeyValue, row};
use crate::model::tensor::{TensorRow, weight};
use crate::model::{Arranged, Config, Default, Family, rope};

/// DeepSeek 2 and 2.5.
pub(super) static DEEPSEEK2: Family = Family {
    name: "deepseek_v2",
    architectures: &["DeepseekV2ForCausalLM"],
    defaults: &[
        ("first_k_dense_replace", Default::Integer(0)),
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(11_008)),
        ("kv_lora_rank", Default::Integer(512)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("moe_intermediate_size", Default::Integer(1407)),
        ("n_routed_experts", Default::Integer(64)),
        ("n_shared_experts", Default::Integer(2)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("q_lora_rank", Default::Integer(1536)),
        ("qk_nope_head_dim", Default::Integer(128)),
        ("qk_rope_head_dim", Default::Integer(64)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("routed_scaling_factor", Default::Number(1.0)),
        ("v_head_dim", Default::Integer(128)),
        ("vocab_size", Default::Integer(32_000)),
    ],
    ..BASE
};

/// DeepSeek 3 and R1.
pub(super) static DEEPSEEK3: Family = Family {
    name: "deepseek_v3",
    architectures: &["DeepseekV3ForCausalLM"],
    defaults: &[
        ("first_k_dense_replace", Default::Integer(3)),
        ("hidden_size", Default::Integer(7168)),
        ("intermediate_size", Default::Integer(18_432)),
        ("kv_lora_rank", Default::Integer(512)),
        ("max_position_embeddings", Default::Integer(4096)),
        ("moe_intermediate_size", Default::Integer(2048)),
        ("n_group", Default::Integer(8)),
        ("n_routed_experts", Default::Integer(256)),
        ("n_shared_experts", Default::Integer(1)),
        ("norm_topk_prob", Default::Flag(true)),
        ("num_attention_heads", Default::Integer(128)),
        ("num_experts_per_tok", Default::Integer(8)),
        ("num_hidden_layers", Default::Integer(61)),
        ("num_nextn_predict_layers", Default::Integer(1)),
        ("q_lora_rank", Default::Integer(1536)),
        ("qk_nope_head_dim", Default::Integer(128)),
        ("qk_rope_head_dim", Default::Integer(64)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(10_000.0)),
        ("routed_scaling_factor", Default::Number(2.5)),
        ("topk_group", Default::Integer(4)),
        ("v_head_dim", Default::Integer(128)),
        ("vocab_size", Default::Integer(129_280)),
    ],
    ..BASE
};

const BASE: Family = Family {
    arch: "deepseek2",
    fill,
    keys: &[COMMON, KEYS],
    dropped_if,
    tensors: &[
        ENDS,
        NORMS,
        ATTENTION,
        &[
            GATED[0].needed_unless(is_sparse),
            GATED[1].needed_unless(is_sparse),
            GATED[2].needed_unless(is_sparse),
        ],
        &[
            EXPERTS[0].needed_if(is_sparse),
            EXPERTS[1].needed_if(is_sparse),
            EXPERTS[2].needed_if(is_sparse),
            EXPERTS[3].needed_if(is_sparse),
            weight("model.layers.N.mlp.gate.e_score_correction", "blk.N.exp_probs_b", &[routed_experts])
                .optional(),
        ],
        &[
            weight(
                "model.layers.N.mlp.shared_experts.down_proj",
                "blk.N.ffn_down_shexp",
                &[hidden, shared_width],
            )
            .needed_if(has_shared),
            weight(
                "model.layers.N.mlp.shared_experts.gate_proj",
                "blk.N.ffn_gate_shexp",
                &[shared_width, hidden],
            )
            .needed_if(has_shared),
            weight(
                "model.layers.N.mlp.shared_experts.up_proj",
                "blk.N.ffn_up_shexp",
                &[shared_width, hidden],
            )
            .needed_if(has_shared),
        ],
    ],
    ..DECODER
};

const ATTENTION: &[TensorRow] = &[
    weight("model.layers.N.self_attn.q_proj", "blk.N.attn_q", &[query_width, hidden])
        .needed_unless(has_narrow_queries),
    weight("model.layers.N.self_attn.q_a_proj", "blk.N.attn_q_a", &[query_rank, hidden])
        .needed_if(has_narrow_queries),
    weight("model.layers.N.self_attn.q_a_layernorm", "blk.N.attn_q_a_norm", &[query_rank])
        .needed_if(has_narrow_queries),
    weight("model.layers.N.self_attn.q_b_proj", "blk.N.attn_q_b", &[query_width, query_rank])
        .needed_if(has_narrow_queries),
    weight("model.layers.N.self_attn.kv_a_proj_with_mqa", "blk.N.attn_kv_a_mqa", &[narrow_width, hidden]),
    weight("model.layers.N.self_attn.kv_a_layernorm", "blk.N.attn_kv_a_norm", &[rank]),
    weight("model.layers.N.self_attn.kv_b_proj", "blk.N.attn_k_b", &[wide_width, rank]).by(keys_of_heads),
    weight("model.layers.N.self_attn.kv_b_proj", "blk.N.attn_v_b", &[wide_width, rank]).by(values_of_heads),
    weight("model.layers.N.self_attn.o_proj", "blk.N.attn_output", &[hidden, value_width]),
];

const KEYS: &[KeyRow] = &[
    number("leading_dense_block_count", &["first_k_dense_replace"]),
    number("vocab_size", &["vocab_size"]),
    number("attention.q_lora_rank", &["q_lora_rank"]),
    number("attention.kv_lora_rank", &["kv_lora_rank"]),
    row("attention.key_length", KeyValue::Size(narrow_width)),
    row("attention.value_length", KeyValue::Size(rank)),
    row("attention.key_length_mla", KeyValue::Size(|config| Ok(plain_size(config)? + rotated_size(config)?))),
    row("attention.value_length_mla", KeyValue::Size(value_size)),
    number("expert_feed_forward_length", &["moe_intermediate_size"]),
    number("expert_shared_count", &["n_shared_experts"]),
    row("expert_weights_scale", KeyValue::F32(&["routed_scaling_factor"])),
    row("expert_weights_norm", KeyValue::Formula(weights_norm)),
    row("rope.dimension_count", KeyValue::Size(rotated_size)),
    row("rope.scaling.yarn_log_multiplier", KeyValue::Formula(log_multiplier)),
];

/// The keys and values that a runtime keeps are those of one head. The class has the rotated part as a head's
/// size, which gives the lengths their place among the keys.
fn fill(config: &mut Config) -> Result<()> {
    config.set("num_key_value_heads", Json::Integer(1));
    let size = rotated_size(config)?;
    config.fill("head_dim", Json::Integer(size.into()));
    Ok(())
}

fn dropped_if(name: &str, config: &Config) -> Result<Option<&'static str>> {
    if name == "lm_head.weight" && config.optional_flag("tie_word_embeddings")? == Some(true) {
        return Ok(Some("the embeddings are the output matrix"));
    }
    let layer =
        name.strip_prefix("model.layers.").and_then(|rest| rest.split('.').next()?.parse::<u64>().ok());
    match layer {
        Some(layer) if is_ahead(config, layer)? => Ok(Some("a layer that predicts the token after the next")),
        _ => Ok(None),
    }
}

/// Whether a layer is one of those behind the others that predict further ahead.
fn is_ahead(config: &Config, layer: u64) -> Result<bool> {
    let layers = layers(config)?;
    let ahead = config.optional_count("num_nextn_predict_layers")?.unwrap_or(0);
    Ok((layers..layers + ahead).contains(&layer))
}

fn rotated_size(config: &Config) -> Result<u64> {
    config.size("qk_rope_head_dim")
}

fn plain_size(config: &Config) -> Result<u64> {
    config.size("qk_nope_head_dim")
}

fn value_size(config: &Config) -> Result<u64> {
    config.size("v_head_dim")
}

fn rank(config: &Config) -> Result<u64> {
    config.size("kv_lora_rank")
}

fn query_rank(config: &Config) -> Result<u64> {
    config.size("q_lora_rank")
}

fn query_width(config: &Config) -> Result<u64> {
    Ok(heads(config)?.saturating_mul(plain_size(config)? + rotated_size(config)?))
}

fn value_width(config: &Config) -> Result<u64> {
    Ok(heads(config)?.saturating_mul(value_size(config)?))
}

fn narrow_width(config: &Config) -> Result<u64> {
    Ok(rank(config)? + rotated_size(config)?)
}

fn wide_width(config: &Config) -> Result<u64> {
    Ok(heads(config)?.saturating_mul(plain_size(config)? + value_size(config)?))
}

fn routed_experts(config: &Config) -> Result<u64> {
    config.size("n_routed_experts")
}

fn shared_width(config: &Config) -> Result<u64> {
    Ok(expert_width(config)?.saturating_mul(config.size("n_shared_experts")?))
}

fn has_narrow_queries(config: &Config, _: u64) -> Result<bool> {
    Ok(config.optional_size("q_lora_rank")?.is_some())
}

/// Whether a layer has experts: after the first few, every one or every `moe_layer_freq`-th.
fn is_sparse(config: &Config, layer: u64) -> Result<bool> {
    let first = config.optional_count("first_k_dense_replace")?.unwrap_or(0);
    let step = config.optional_size("moe_layer_freq")?.unwrap_or(1);
    Ok(layer >= first && layer.is_multiple_of(step) && config.get("n_routed_experts").is_some())
}

fn has_shared(config: &Config, layer: u64) -> Result<bool> {
    Ok(is_sparse(config, layer)? && config.get("n_shared_experts").is_some())
}

/// The first rows of each head, transposed.
fn keys_of_heads(tensor: &Tensor<'_>) -> Result<Arranged> {
    let (heads, size, rank) = (heads(tensor.config)?, plain_size(tensor.config)?, rank(tensor.config)?);
    let each = size + value_size(tensor.config)?;
    let view = tensor.view().split(0, &[heads, each]).and_then(|view| view.narrow(1, 0, size)?.swap(1, 2));
    tensor.check(
        view.and_then(|view| Arranged::new(vec![heads, rank, size], view)),
        "its rows are no key and value for each head",
    )
}

/// The last rows of each head.
fn values_of_heads(tensor: &Tensor<'_>) -> Result<Arranged> {
    let (heads, size, rank) = (heads(tensor.config)?, value_size(tensor.config)?, rank(tensor.config)?);
    let first = plain_size(tensor.config)?;
    let view = tensor.view().split(0, &[heads, first + size]).and_then(|view| view.narrow(1, first, size));
    tensor.check(
        view.and_then(|view| Arranged::new(vec![heads, size, rank], view)),
        "its rows are no key and value for each head",
    )
}

/// Written only where the weights of the experts are made to add up to one.
fn weights_norm(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    Ok(facts.config.optional_flag("norm_topk_prob")?.filter(|&norm| norm).map(OwnedValue::from))
}

fn log_multiplier(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    if rope::scaling_type(facts)? != Some("yarn".into()) {
        return Ok(None);
    }
    let all = rope::number_of(facts.config, "mscale_all_dim")?;
    all.map(|all| Ok(facts.config.single("mscale_all_dim", 0.1 * all)?.into())).transpose()
}
