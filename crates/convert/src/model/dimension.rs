//! The lengths that tensors' shapes are made of, as functions of the config.
//!
//! Classes spell the same quantity in several ways; each function knows the spellings.

use super::Config;
use crate::Result;

/// A length as a function of the config; at least 1.
pub type Dimension = fn(&Config) -> Result<u64>;

/// Spellings of sizes, all of which must be at least 1 wherever they are.
pub(super) const SIZES: [&[&str]; 6] =
    [HIDDEN, FEED_FORWARD, HEADS, LAYERS, KEY_VALUE_HEADS, &["vocab_size"]];

const HIDDEN: &[&str] = &["hidden_size", "n_embd", "n_embed", "d_model", "dim"];
const FEED_FORWARD: &[&str] = &["intermediate_size", "n_inner", "ffn_hidden_size", "d_ff"];
const HEADS: &[&str] = &["num_attention_heads", "n_head", "n_heads", "num_heads"];
const LAYERS: &[&str] = &["num_hidden_layers", "n_layer", "n_layers", "num_layers"];
const KEY_VALUE_HEADS: &[&str] = &["num_key_value_heads", "num_kv_heads", "n_head_kv", "n_kv_heads"];

/// One.
pub(super) fn one(_: &Config) -> Result<u64> {
    Ok(1)
}

/// The width of the residual stream.
pub(super) fn hidden(config: &Config) -> Result<u64> {
    config.first_size(HIDDEN)
}

/// The width of the feed-forward part.
pub(super) fn feed_forward(config: &Config) -> Result<u64> {
    config.first_size(FEED_FORWARD)
}

/// Rows of a gate and an upward projection in one.
pub(super) fn twice_feed_forward(config: &Config) -> Result<u64> {
    Ok(2 * feed_forward(config)?)
}

/// Four times the width of the residual stream, where a class fixes the feed-forward part at that.
pub(super) fn four_hidden(config: &Config) -> Result<u64> {
    Ok(4 * hidden(config)?)
}

/// Rows of queries, keys and values in one, where all have the width of the residual stream.
pub(super) fn thrice_hidden(config: &Config) -> Result<u64> {
    Ok(3 * hidden(config)?)
}

/// Tokens.
pub(super) fn vocabulary(config: &Config) -> Result<u64> {
    config.size("vocab_size")
}

/// Tokens, and what fills them up to a multiple of `pad_vocab_size_multiple`.
pub(super) fn padded_vocabulary(config: &Config) -> Result<u64> {
    let multiple = config.optional_size("pad_vocab_size_multiple")?.unwrap_or(1);
    Ok(vocabulary(config)?.div_ceil(multiple).saturating_mul(multiple))
}

/// Layers.
pub(super) fn layers(config: &Config) -> Result<u64> {
    config.first_size(LAYERS)
}

/// Heads of the queries.
pub(super) fn heads(config: &Config) -> Result<u64> {
    config.first_size(HEADS)
}

/// Heads of keys and values; as many as of queries where the config does not say.
pub(super) fn key_value_heads(config: &Config) -> Result<u64> {
    match KEY_VALUE_HEADS.iter().any(|name| config.get(name).is_some()) {
        true => config.first_size(KEY_VALUE_HEADS),
        false => heads(config),
    }
}

/// The width of a head. Where the config does not say, all heads together have that of the residual stream.
pub(super) fn head_size(config: &Config) -> Result<u64> {
    match config.optional_size("head_dim")? {
        Some(size) => Ok(size),
        None => parted(config, hidden(config)?, heads(config)?, "heads"),
    }
}

/// The width of each of so many parts.
///
/// # Errors
///
/// When they do not divide the whole.
pub(super) fn parted(config: &Config, whole: u64, count: u64, parts: &str) -> Result<u64> {
    match whole.is_multiple_of(count) {
        true => Ok(whole / count),
        false => {
            Err(config.bad(format!("a width of {whole} cannot be parted into {count} {parts} of one size")))
        }
    }
}

/// Rows of all queries.
pub(super) fn query_width(config: &Config) -> Result<u64> {
    Ok(heads(config)?.saturating_mul(head_size(config)?))
}

/// Rows of all keys.
pub(super) fn key_width(config: &Config) -> Result<u64> {
    Ok(key_value_heads(config)?.saturating_mul(head_size(config)?))
}

/// Rows of queries, keys and values in one.
pub(super) fn query_key_value_width(config: &Config) -> Result<u64> {
    Ok(query_width(config)?.saturating_add(key_width(config)?.saturating_mul(2)))
}

/// Experts of a layer.
pub(super) fn experts(config: &Config) -> Result<u64> {
    config.first_size(&["num_local_experts", "num_experts", "n_routed_experts"])
}

/// The width of an expert.
pub(super) fn expert_width(config: &Config) -> Result<u64> {
    config.first_size(&["moe_intermediate_size", "intermediate_size"])
}

/// Rows of an expert's gate and upward projection in one.
pub(super) fn twice_expert_width(config: &Config) -> Result<u64> {
    Ok(2 * expert_width(config)?)
}

/// Whether the output matrix is one of its own.
pub(super) fn untied(config: &Config, _: u64) -> Result<bool> {
    Ok(!config.optional_flag("tie_word_embeddings")?.unwrap_or(false))
}
