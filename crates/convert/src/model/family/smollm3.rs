//! SmolLM 3.

use super::llama::frequency_factors;
use super::shared::*;
use crate::model::keys::COMMON;
use crate::model::{Default, Family};
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
