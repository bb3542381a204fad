//! Tensors that keep the type they have, whatever the recipe: small, and sensitive to rounding.

use std::fmt;

/// Why a tensor is not quantized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untouched {
    /// It has one dimension: a norm, a bias, a scale.
    OneDimension,
    /// Its name does not end in `weight`.
    NotAWeight,
    /// It is a norm of more than one dimension.
    Norm,
    /// Its name holds this text, one of a list of parts that are too sensitive.
    Sensitive(&'static str),
}

impl fmt::Display for Untouched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneDimension => f.write_str("one dimension: not quantized"),
            Self::NotAWeight => f.write_str("its name does not end in weight: not quantized"),
            Self::Norm => f.write_str("a norm: not quantized"),
            Self::Sensitive(part) => write!(f, "{part} is sensitive: not quantized"),
        }
    }
}

/// The dimensions of a shape, not counting a tail of ones.
pub(super) fn dimensions(shape: &[u64]) -> usize {
    shape.iter().rposition(|&length| length != 1).map_or(1, |last| last + 1)
}

/// Says why the tensor must keep its type, or nothing where it may be quantized.
pub(super) fn untouched(name: &str, shape: &[u64], architecture: &str) -> Option<Untouched> {
    if dimensions(shape) < 2 {
        return Some(Untouched::OneDimension);
    }
    if !name.ends_with("weight") {
        return Some(Untouched::NotAWeight);
    }
    if name.contains("_norm.weight") {
        return Some(Untouched::Norm);
    }
    let mut whole = WHOLE_NAMES.iter().filter(|&&entry| entry == name);
    let mut parts = PARTS.iter().filter(|&&part| name.contains(part));
    let of_architecture = PARTS_BY_ARCHITECTURE.iter().filter(|(entry, _)| *entry == architecture);
    let mut special = of_architecture.flat_map(|(_, parts)| *parts).filter(|&&part| name.contains(part));
    let part = whole.next().or_else(|| parts.next()).or_else(|| special.next())?;
    Some(Untouched::Sensitive(part))
}

// The lists are llama.cpp's; they grow with the architectures it knows.

const WHOLE_NAMES: &[&str] = &["position_embd.weight", "token_types.weight"];

const PARTS: &[&str] = &[
    // Routers, and projections of a few rows.
    "ffn_gate_inp.weight",
    "ffn_gate_tid2eid.weight",
    "altup",
    "laurel",
    "per_layer_model_proj",
    "indexer.k_proj.weight",
    "indexer.q_proj.weight",
    // Short convolutions.
    "ssm_conv1d",
    "shortconv.conv.weight",
    // RWKV.
    "time_mix_first.weight",
    "time_mix_w0.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_v0.weight",
    "time_mix_v1.weight",
    "time_mix_v2.weight",
    "time_mix_a0.weight",
    "time_mix_a1.weight",
    "time_mix_a2.weight",
    "time_mix_g1.weight",
    "time_mix_g2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "time_mix_lerp_fused.weight",
    // Positions.
    "attn_rel_b.weight",
    ".position_embd",
    ".rel_pos",
    "sam.pos_embd",
    // Vision and audio.
    "sam.neck.",
    "sam.net_",
    ".patch_embd",
    ".patch_merger",
    "a.rvq.codebook",
    "mm.a.code_embd",
];

const PARTS_BY_ARCHITECTURE: &[(&str, &[&str])] = &[(
    "glm5-next",
    &[
        "hc_",
        "indexer.attn_q_b",
        "indexer.attn_k",
        "indexer.proj",
        "indexer_compressor_gate",
        "indexer_compressor_ape",
        "ssm_f_a.weight",
        "ssm_f_b.weight",
        "ssm_g_a.weight",
        "ssm_g_b.weight",
        "ssm_beta.weight",
        "attn_kv_a_mqa.weight",
        "attn_k_b.weight",
        "attn_v_b.weight",
    ],
)];
