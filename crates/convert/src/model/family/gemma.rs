//! Gemma: decoders whose norms are stored as the difference from one and whose output matrix is the embeddings.

use super::shared::*;
use crate::model::arrange::plus_one;
use crate::model::keys::{COMMON, FILE_TYPE, KeyRow, KeyValue, row};
use crate::model::tensor::TensorRow;
use crate::model::{Default, Family};
use crate::tokenizer::Scheme;

/// Gemma.
pub(super) static GEMMA: Family = Family {
    name: "gemma",
    architectures: &["GemmaForCausalLM"],
    arch: "gemma",
    defaults: &[
        ("head_dim", Default::Integer(256)),
        ("hidden_size", Default::Integer(3072)),
        ("intermediate_size", Default::Integer(24_576)),
        ("max_position_embeddings", Default::Integer(8192)),
        ("num_attention_heads", Default::Integer(16)),
        ("num_hidden_layers", Default::Integer(28)),
        ("num_key_value_heads", Default::Integer(16)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("vocab_size", Default::Integer(256_000)),
    ],
    keys: &[KEYS],
    tensors: &[&[EMBEDDINGS, LAST_NORM, NORMS[0].by(plus_one), NORMS[1].by(plus_one)], ATTENTION, GATED],
    tokenizer: Scheme::Gemma,
    ..BASE
};

/// Gemma 2.
pub(super) static GEMMA2: Family = Family {
    name: "gemma2",
    architectures: &["Gemma2ForCausalLM"],
    arch: "gemma2",
    defaults: &[
        ("attn_logit_softcapping", Default::Number(50.0)),
        ("final_logit_softcapping", Default::Number(30.0)),
        ("head_dim", Default::Integer(256)),
        ("hidden_size", Default::Integer(2304)),
        ("intermediate_size", Default::Integer(9216)),
        ("max_position_embeddings", Default::Integer(8192)),
        ("num_attention_heads", Default::Integer(8)),
        ("num_hidden_layers", Default::Integer(26)),
        ("num_key_value_heads", Default::Integer(4)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("sliding_window", Default::Integer(4096)),
        ("vocab_size", Default::Integer(256_000)),
    ],
    keys: &[
        KEYS,
        &[
            row("attn_logit_softcapping", KeyValue::F32(&["attn_logit_softcapping"])),
            row("final_logit_softcapping", KeyValue::F32(&["final_logit_softcapping"])),
            number("attention.sliding_window", &["sliding_window"]),
        ],
    ],
    tensors: &[&[EMBEDDINGS, LAST_NORM], FOUR_NORMS_PLUS_ONE, ATTENTION, GATED],
    ..BASE
};

/// The part of Gemma 3 that reads.
pub(super) static GEMMA3: Family = Family {
    name: "gemma3",
    architectures: &["Gemma3ForCausalLM", "Gemma3TextModel", "Gemma3ForConditionalGeneration"],
    arch: "gemma3",
    defaults: &[
        ("head_dim", Default::Integer(256)),
        ("hidden_size", Default::Integer(2304)),
        ("intermediate_size", Default::Integer(9216)),
        ("max_position_embeddings", Default::Integer(131_072)),
        ("num_attention_heads", Default::Integer(8)),
        ("num_hidden_layers", Default::Integer(26)),
        ("num_key_value_heads", Default::Integer(4)),
        ("rms_norm_eps", Default::Number(1e-6)),
        ("rope_local_base_freq", Default::Number(10_000.0)),
        ("rope_theta", Default::Number(1e6)),
        ("sliding_window", Default::Integer(4096)),
        ("vocab_size", Default::Integer(262_208)),
    ],
    keys: &[
        COMMON,
        &[
            row("final_logit_softcapping", KeyValue::F32(&["final_logit_softcapping"])),
            number("attention.sliding_window", &["sliding_window"]),
        ],
        POOLING,
    ],
    canonical: with_model,
    tensors: &[
        &[EMBEDDINGS.with_spare_rows(), LAST_NORM],
        FOUR_NORMS_PLUS_ONE,
        &[HEAD_NORMS[0].by(plus_one), HEAD_NORMS[1].by(plus_one)],
        ATTENTION,
        GATED,
    ],
    ..BASE
};

const BASE: Family = Family {
    dropped: &[("lm_head.weight", "the embeddings are the output matrix")],
    tokenizer: Scheme::GemmaLater,
    ..DECODER
};

const KEYS: &[KeyRow] = &[
    number("context_length", &["max_position_embeddings"]),
    number("embedding_length", &["hidden_size"]),
    number("block_count", &["num_hidden_layers"]),
    number("feed_forward_length", &["intermediate_size"]),
    number("attention.head_count", &["num_attention_heads"]),
    number("attention.head_count_kv", &["num_key_value_heads"]),
    row("attention.layer_norm_rms_epsilon", KeyValue::F32(&["rms_norm_eps"])),
    number("attention.key_length", &["head_dim"]),
    number("attention.value_length", &["head_dim"]),
    FILE_TYPE,
];

const LAST_NORM: TensorRow = ENDS[1].by(plus_one);

const FOUR_NORMS_PLUS_ONE: &[TensorRow] = &[
    FOUR_NORMS[0].by(plus_one),
    FOUR_NORMS[1].by(plus_one),
    FOUR_NORMS[2].by(plus_one),
    FOUR_NORMS[3].by(plus_one),
];
