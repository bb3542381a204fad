//! Dense decoders of Llama's kind that differ in norms, keys, and how their projections are stored: SmolLM 3, GLM-4,
//! EXAONE 4, InternLM 2, Baichuan, MiniCPM, BitNet, OLMo 1 and 2, StableLM, Nemotron, LFM 2.

use briq_format::metadata::OwnedValue;

use super::gpt::rotated_of_head;
use super::llama::frequency_factors;
use super::mamba::per_layer;
use super::shared::*;
use crate::Result;
use crate::json::Json;
use crate::model::arrange::{Tensor, interleave, plus_one, same, without_middle};
use crate::model::dimension::{
    feed_forward, head_size, heads, hidden, key_value_heads, key_width, layers, one, query_key_value_width,
    query_width, thrice_hidden, twice_feed_forward, untied, vocabulary,
};
use crate::model::keys::{COMMON, FILE_TYPE, Facts, KeyValue, row};
use crate::model::tensor::{Stack, both, weight};
use crate::model::{Arranged, Config, Default, Family, Value, View, rope};
use crate::tokenizer::Scheme;

/// SmolLM 3. Which layers do without rotary embeddings is fixed in runtimes.
pub(super) static SMOLLM3: Family = Family {
    name: "smollm3",
    architectures: &["SmolLM3ForCausalLM"],
    arch: "smollm3",
    defaults: &[
        ("hidden_size", Default::Integer(2048)),
        ("intermediate_size", Default::Integer(11_008)),
        ("max_position_embeddings", Default::Integer(32_768)),
        ("num_attention_heads", Default::Integer(16)),
        ("num_hidden_layers", Default::Integer(36)),
        ("num_key_value_heads", Default::Integer(4)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_theta", Default::Number(2e6)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(128_256)),
    ],
    keys: &[COMMON, VOCABULARY_AND_ROTATED],
    tensors: &[ENDS, NORMS, ATTENTION_PERMUTED, GATED],
    generated: frequency_factors,
    tokenizer: Scheme::Llama,
    pre_tokenizers: &["smaug-bpe"],
    ..DECODER
};

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
    keys: &[COMMON, &[row("rope.dimension_count", KeyValue::Formula(glm4_rotated))]],
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

/// EXAONE 4.
pub(super) static EXAONE4: Family = Family {
    name: "exaone4",
    architectures: &["Exaone4ForCausalLM"],
    arch: "exaone4",
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(16_384)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-5)),
        ("rope_theta", Default::Number(10_000.0)),
        ("sliding_window", Default::Integer(4096)),
        ("sliding_window_pattern", Default::Integer(4)),
        ("vocab_size", Default::Integer(102_400)),
    ],
    fill: |config| {
        let size = head_size(config)?;
        config.fill("head_dim", Json::Integer(size.into()));
        Ok(())
    },
    keys: &[
        COMMON,
        &[
            number("vocab_size", &["vocab_size"]),
            number("attention.sliding_window", &["sliding_window"]),
            row("attention.sliding_window_pattern", KeyValue::Formula(sliding_layers)),
        ],
    ],
    tensors: &[ENDS, NORMS_AFTER, ATTENTION, HEAD_NORMS, GATED],
    generated: |config| Ok(rope::llama3_factors(config, head_size(config)?, 16.0)?.into_iter().collect()),
    pre_tokenizers: &["exaone4"],
    ..DECODER
};

/// InternLM 2 and 2.5.
pub(super) static INTERNLM2: Family = Family {
    name: "internlm2",
    architectures: &["InternLM2ForCausalLM"],
    arch: "internlm2",
    tensors: &[&[
        weight("model.tok_embeddings", "token_embd", &[vocabulary, hidden]),
        weight("model.norm", "output_norm", &[hidden]),
        weight("output", "output", &[vocabulary, hidden]).needed_if(untied),
        weight("model.layers.N.attention_norm", "blk.N.attn_norm", &[hidden]),
        weight("model.layers.N.ffn_norm", "blk.N.ffn_norm", &[hidden]),
        weight("model.layers.N.attention.wqkv", "blk.N.attn_q", &[query_key_value_width, hidden])
            .by(grouped_queries),
        weight("model.layers.N.attention.wqkv", "blk.N.attn_k", &[query_key_value_width, hidden])
            .by(grouped_keys),
        weight("model.layers.N.attention.wqkv", "blk.N.attn_v", &[query_key_value_width, hidden])
            .by(grouped_values),
        weight("model.layers.N.attention.wo", "blk.N.attn_output", &[hidden, query_width]),
        weight("model.layers.N.feed_forward.w1", "blk.N.ffn_gate", &[feed_forward, hidden]),
        weight("model.layers.N.feed_forward.w2", "blk.N.ffn_down", &[hidden, feed_forward]),
        weight("model.layers.N.feed_forward.w3", "blk.N.ffn_up", &[feed_forward, hidden]),
    ]],
    tokenizer: Scheme::InternLm2,
    ..DECODER
};

/// Baichuan 1 and 2.
pub(super) static BAICHUAN: Family = Family {
    name: "baichuan",
    architectures: &["BaichuanForCausalLM", "BaiChuanForCausalLM"],
    arch: "baichuan",
    keys: &[
        COMMON,
        &[
            row("tensor_data_layout", KeyValue::Text("Meta AI original pth")),
            row("rope.dimension_count", KeyValue::Size(head_size)),
        ],
    ],
    tensors: &[
        ENDS,
        NORMS,
        GATED,
        &[
            weight("model.layers.N.self_attn.W_pack", "blk.N.attn_q", &[thrice_hidden, hidden])
                .by(first_third),
            weight("model.layers.N.self_attn.W_pack", "blk.N.attn_k", &[thrice_hidden, hidden])
                .by(second_third),
            weight("model.layers.N.self_attn.W_pack", "blk.N.attn_v", &[thrice_hidden, hidden])
                .by(last_third),
            ATTENTION_OUTPUT,
        ],
    ],
    ..DECODER
};

/// MiniCPM 1 and 2.
pub(super) static MINICPM: Family = Family {
    name: "minicpm",
    architectures: &["MiniCPMForCausalLM"],
    arch: "minicpm",
    defaults: &[("tie_word_embeddings", Default::Flag(true))],
    keys: &[
        COMMON,
        &[
            row("embedding_scale", KeyValue::F32(&["scale_emb"])),
            row("residual_scale", KeyValue::Formula(residual_scale)),
            row("logit_scale", KeyValue::Formula(logit_scale)),
        ],
    ],
    tensors: &[ENDS, NORMS, ATTENTION_PERMUTED, GATED],
    generated: |config| rope::long_and_short_factors(config, head_size(config)?),
    ..DECODER
};

/// BitNet, whose projections are rounded to three values. Their norms go by two names.
pub(super) static BITNET: Family = Family {
    name: "bitnet",
    architectures: &["BitnetForCausalLM", "BitNetForCausalLM"],
    arch: "bitnet",
    defaults: &[("tie_word_embeddings", Default::Flag(true))],
    keys: &[
        COMMON,
        &[
            row("rope.scaling.type", KeyValue::Text("linear")),
            row("rope.scaling.factor", KeyValue::Formula(|_| Ok(Some(1.0_f32.into())))),
        ],
    ],
    canonical: |name, _| {
        name.replace(".self_attn.attn_sub_norm.", ".self_attn.inner_attn_ln.")
            .replace(".mlp.ffn_sub_norm.", ".mlp.ffn_layernorm.")
    },
    tensors: &[
        ENDS,
        NORMS,
        &[
            weight("model.layers.N.self_attn.inner_attn_ln", "blk.N.attn_sub_norm", &[query_width]),
            weight("model.layers.N.mlp.ffn_layernorm", "blk.N.ffn_sub_norm", &[feed_forward]),
            ATTENTION[0].by(ternary),
            ATTENTION[1].by(ternary),
            ATTENTION[2].by(ternary),
            ATTENTION[3].by(ternary),
            GATED[0].by(ternary),
            GATED[1].by(ternary),
            GATED[2].by(ternary),
        ],
    ],
    ..DECODER
};

/// OLMo, whose norms have no weights.
pub(super) static OLMO: Family = Family {
    name: "olmo",
    architectures: &["OlmoForCausalLM", "OLMoForCausalLM"],
    arch: "olmo",
    defaults: OLMO_DEFAULTS,
    fill: fill_key_value_heads,
    keys: &[
        COMMON,
        &[
            row("attention.layer_norm_epsilon", KeyValue::Formula(|_| Ok(Some(1e-5_f32.into())))),
            row("attention.clamp_kqv", KeyValue::F32(&["clip_qkv"])),
        ],
    ],
    tensors: &[&[EMBEDDINGS, ENDS[2]], ATTENTION_PERMUTED, GATED],
    ..DECODER
};

/// OLMo 2 and 3.
pub(super) static OLMO2: Family = Family {
    name: "olmo2",
    architectures: &["Olmo2ForCausalLM", "Olmo3ForCausalLM"],
    arch: "olmo2",
    defaults: &[
        ("hidden_size", Default::Integer(4096)),
        ("intermediate_size", Default::Integer(11_008)),
        ("max_position_embeddings", Default::Integer(2048)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("rms_norm_eps", Default::Number(1e-5)),
        ("rope_theta", Default::Number(10_000.0)),
        ("vocab_size", Default::Integer(50_304)),
    ],
    fill: fill_key_value_heads,
    keys: &[
        COMMON,
        &[
            number("attention.sliding_window", &["sliding_window"]),
            row("attention.sliding_window_pattern", KeyValue::Formula(sliding_layers)),
        ],
    ],
    tensors: &[
        ENDS,
        NORMS_AFTER,
        ATTENTION,
        GATED,
        &[
            weight("model.layers.N.self_attn.q_norm", "blk.N.attn_q_norm", &[query_width]),
            weight("model.layers.N.self_attn.k_norm", "blk.N.attn_k_norm", &[key_width]),
        ],
    ],
    ..DECODER
};

/// StableLM 3B, Zephyr and 2.
pub(super) static STABLELM: Family = Family {
    name: "stablelm",
    architectures: &["StableLmForCausalLM", "StableLMEpochForCausalLM", "LlavaStableLMEpochForCausalLM"],
    arch: "stablelm",
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

/// Nemotron and Minitron, whose norms are stored as the difference from one.
pub(super) static NEMOTRON: Family = Family {
    name: "nemotron",
    architectures: &["NemotronForCausalLM"],
    arch: "nemotron",
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

/// LFM 2: short convolutions and a few layers of attention.
pub(super) static LFM2: Family = Family {
    name: "lfm2",
    architectures: &["Lfm2ForCausalLM"],
    arch: "lfm2",
    defaults: &[
        ("block_auto_adjust_ff_dim", Default::Flag(true)),
        ("block_ffn_dim_multiplier", Default::Number(1.0)),
        ("block_multiple_of", Default::Integer(256)),
        ("conv_L_cache", Default::Integer(3)),
        ("hidden_size", Default::Integer(2560)),
        ("max_position_embeddings", Default::Integer(128_000)),
        ("norm_eps", Default::Number(1e-5)),
        ("num_attention_heads", Default::Integer(32)),
        ("num_hidden_layers", Default::Integer(32)),
        ("num_key_value_heads", Default::Integer(8)),
        ("rope_theta", Default::Number(1e6)),
        ("tie_word_embeddings", Default::Flag(true)),
        ("vocab_size", Default::Integer(65_536)),
    ],
    fill: fill_lfm2,
    keys: &[
        COMMON,
        &[
            row("attention.head_count_kv", KeyValue::Formula(lfm2_key_value_heads)),
            number("vocab_size", &["vocab_size"]),
            number("shortconv.l_cache", &["conv_L_cache"]),
        ],
    ],
    tensors: &[&[
        EMBEDDINGS,
        ENDS[2],
        weight("model.embedding_norm", "token_embd_norm", &[hidden]),
        weight("model.layers.N.operator_norm", "blk.N.attn_norm", &[hidden]),
        weight("model.layers.N.ffn_norm", "blk.N.ffn_norm", &[hidden]),
        weight("model.layers.N.conv.conv", "blk.N.shortconv.conv", &[hidden, one, cache])
            .by(without_middle)
            .needed_if(is_convolution),
        weight("model.layers.N.conv.in_proj", "blk.N.shortconv.in_proj", &[thrice_hidden, hidden])
            .needed_if(is_convolution),
        weight("model.layers.N.conv.out_proj", "blk.N.shortconv.out_proj", &[hidden, hidden])
            .needed_if(is_convolution),
        weight("model.layers.N.feed_forward.w1", "blk.N.ffn_gate", &[feed_forward, hidden]),
        weight("model.layers.N.feed_forward.w2", "blk.N.ffn_down", &[hidden, feed_forward]),
        weight("model.layers.N.feed_forward.w3", "blk.N.ffn_up", &[feed_forward, hidden]),
        weight("model.layers.N.self_attn.q_layernorm", "blk.N.attn_q_norm", &[head_size])
            .needed_if(is_attention),
        weight("model.layers.N.self_attn.k_layernorm", "blk.N.attn_k_norm", &[head_size])
            .needed_if(is_attention),
        ATTENTION[0].needed_if(is_attention),
        ATTENTION[1].needed_if(is_attention),
        ATTENTION[2].needed_if(is_attention),
        weight("model.layers.N.self_attn.out_proj", "blk.N.attn_output", &[hidden, query_width])
            .needed_if(is_attention),
    ]],
    pre_tokenizers: &["lfm2"],
    ..DECODER
};

const OLMO_DEFAULTS: &[(&str, Default)] = &[
    ("hidden_size", Default::Integer(4096)),
    ("intermediate_size", Default::Integer(11_008)),
    ("max_position_embeddings", Default::Integer(2048)),
    ("num_attention_heads", Default::Integer(32)),
    ("num_hidden_layers", Default::Integer(32)),
    ("rope_theta", Default::Number(10_000.0)),
    ("vocab_size", Default::Integer(50_304)),
];

fn glm4_rotated(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let size = head_size(facts.config)?;
    whole_number(rotated(facts.config, &["partial_rotary_factor"], 0.5, size)?.trunc(), facts)
}

fn stablelm_rotated(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    rotated_of_head(facts, &["partial_rotary_factor", "rope_pct"])
}

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

/// Which layers attend to a window only; written where the model has one.
fn sliding_layers(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    if config.get("sliding_window").is_none() {
        return Ok(None);
    }
    let is_sliding: Vec<bool> = match config.get("layer_types").and_then(Json::as_array) {
        Some(kinds) => kinds.iter().map(|kind| kind.as_str() == Some("sliding_attention")).collect(),
        None => {
            let count = layers(config)?.min(1 << 16);
            let pattern = config.get("sliding_window_pattern");
            match pattern.and_then(Json::as_str).map(str::as_bytes).filter(|letters| !letters.is_empty()) {
                // A letter for each kind, over and over: L is local, G global.
                Some(letters) => {
                    letters.iter().cycle().zip(0..count).map(|(letter, _)| *letter == b'L').collect()
                }
                None => {
                    let period = config.optional_size("sliding_window_pattern")?.unwrap_or(4);
                    (0..count).map(|layer| !(layer + 1).is_multiple_of(period)).collect()
                }
            }
        }
    };
    Ok(Some(is_sliding.into()))
}

/// What InternLM stores group by group: queries, then a key and a value for them.
fn group_part(tensor: &Tensor<'_>, which: impl Fn(u64) -> (u64, u64)) -> Result<(Option<View>, u64)> {
    let (groups, heads, size) =
        (key_value_heads(tensor.config)?, heads(tensor.config)?, head_size(tensor.config)?);
    let each = heads / groups;
    let (from, count) = which(each);
    let view = tensor.view().split(0, &[groups, each + 2, size]).and_then(|view| view.narrow(1, from, count));
    Ok((view, groups * count))
}

const NO_GROUPS: &str = "its rows are no groups of queries, a key and a value";

fn rotated_heads(tensor: &Tensor<'_>, which: impl Fn(u64) -> (u64, u64)) -> Result<Arranged> {
    let (view, count) = group_part(tensor, which)?;
    let shape = tensor.with_rows(count * head_size(tensor.config)?);
    let view = view.and_then(|view| interleave(view, 2, 1));
    tensor.check(view.and_then(|view| Arranged::new(shape, view)), NO_GROUPS)
}

fn grouped_queries(tensor: &Tensor<'_>) -> Result<Arranged> {
    rotated_heads(tensor, |each| (0, each))
}

fn grouped_keys(tensor: &Tensor<'_>) -> Result<Arranged> {
    rotated_heads(tensor, |each| (each, 1))
}

fn grouped_values(tensor: &Tensor<'_>) -> Result<Arranged> {
    let (view, count) = group_part(tensor, |each| (each + 1, 1))?;
    let shape = tensor.with_rows(count * head_size(tensor.config)?);
    tensor.check(view.and_then(|view| Arranged::new(shape, view)), NO_GROUPS)
}

/// A third of the rows, with `heads` heads to permute, if any.
fn third(tensor: &Tensor<'_>, which: u64, heads: Option<u64>) -> Result<Arranged> {
    let rows = tensor.rows() / 3;
    let view = tensor.view().narrow(0, which * rows, rows);
    let view = match heads {
        Some(heads) => view.and_then(|view| interleave(view, 0, heads)),
        None => view,
    };
    tensor.check(
        view.and_then(|view| Arranged::new(tensor.with_rows(rows), view)),
        "its rows are no three thirds",
    )
}

fn first_third(tensor: &Tensor<'_>) -> Result<Arranged> {
    third(tensor, 0, Some(heads(tensor.config)?))
}

fn second_third(tensor: &Tensor<'_>) -> Result<Arranged> {
    third(tensor, 1, Some(heads(tensor.config)?))
}

fn last_third(tensor: &Tensor<'_>) -> Result<Arranged> {
    third(tensor, 2, None)
}

fn ternary(tensor: &Tensor<'_>) -> Result<Arranged> {
    Ok(same(tensor)?.with(Value::Ternary))
}

/// `x + 1` for a weight; a bias stays.
fn weight_plus_one(tensor: &Tensor<'_>) -> Result<Arranged> {
    if tensor.name.ends_with(".bias") { same(tensor) } else { plus_one(tensor) }
}

fn residual_scale(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let scale = facts.config.optional_number("scale_depth")?;
    let root = (layers(facts.config)? as f64).sqrt();
    Ok(scale.map(|scale| ((scale / root) as f32).into()))
}

fn logit_scale(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let base = facts.config.optional_number("dim_model_base")?.filter(|&base| base != 0.0);
    let width = hidden(facts.config)? as f64;
    Ok(base.map(|base| ((width / base) as f32).into()))
}

fn cache(config: &Config) -> Result<u64> {
    config.size("conv_L_cache")
}

/// The width of the feed-forward part is stated before two thirds of it are taken and rounded up.
fn fill_lfm2(config: &mut Config) -> Result<()> {
    let stated = ["block_ff_dim", "intermediate_size"].into_iter().find(|name| config.get(name).is_some());
    let mut width = stated.map_or(Ok(12_288), |name| config.size(name))?;
    if config.optional_flag("block_auto_adjust_ff_dim")? == Some(true) {
        width = 2 * width / 3;
        let factor = config.optional_number("block_ffn_dim_multiplier")?.unwrap_or(1.0);
        // Cut off, as the class cuts.
        width = (factor * width as f64).clamp(0.0, f64::from(u32::MAX)) as u64;
        let multiple = config.size("block_multiple_of")?;
        width = width.div_ceil(multiple).saturating_mul(multiple);
    }
    config.set("intermediate_size", Json::Integer(width.into()));
    Ok(())
}

/// Whether a layer attends; the config lists the kinds, or the layers that do.
fn is_attention(config: &Config, layer: u64) -> Result<bool> {
    let index = usize::try_from(layer).unwrap_or(usize::MAX);
    if let Some(kinds) = config.get("layer_types").and_then(Json::as_array) {
        return Ok(kinds.get(index).and_then(Json::as_str) == Some("full_attention"));
    }
    match config.get("full_attn_idxs").and_then(Json::as_array) {
        Some(listed) => Ok(listed.iter().any(|listed| listed.as_u32().map(u64::from) == Some(layer))),
        None => Ok(true),
    }
}

fn is_convolution(config: &Config, layer: u64) -> Result<bool> {
    Ok(!is_attention(config, layer)?)
}

fn lfm2_key_value_heads(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    let count = key_value_heads(config)?;
    per_layer(config, layers(config)?, |layer| Ok(if is_attention(config, layer)? { count } else { 0 }))
}
