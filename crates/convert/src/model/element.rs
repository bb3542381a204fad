//! Which tensors stay in F32 whatever type is asked for.
//!
//! Runtimes read norms, biases and a few small tables only as F32, and llama.cpp's converter writes them so;
//! its rule, by the tensor's name in the file and its number of dimensions, is restated here. What the other
//! tensors become is decided by a recipe.

/// What the element type of a tensor follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementRule {
    /// Always F32; the reason is for the plan.
    KeepF32(&'static str),
    /// The type that was asked for.
    Follow,
}

/// Matrices that are F32 though their names end in `.weight`; in a layer, the part after `blk.N.`.
const ALWAYS_F32: [&str; 18] = [
    "position_embd.weight",
    "token_types.weight",
    "ffn_gate_inp.weight",
    "ffn_gate_inp_shexp.weight",
    "ssm_conv1d.weight",
    "ssm_conv1d_q.weight",
    "ssm_conv1d_k.weight",
    "ssm_conv1d_v.weight",
    "shortconv.conv.weight",
    "time_mix_first.weight",
    "time_mix_lerp_fused.weight",
    "time_mix_w1.weight",
    "time_mix_w2.weight",
    "time_mix_decay_w1.weight",
    "time_mix_decay_w2.weight",
    "indexer.proj.weight",
    "altup_correct_coef.weight",
    "altup_predict_coef.weight",
];

/// The rule for the tensor `name` of the written file, which has `dimensions` dimensions.
pub fn element_rule(name: &str, dimensions: usize) -> ElementRule {
    if dimensions <= 1 {
        ElementRule::KeepF32("one-dimensional")
    } else if name.ends_with("_norm.weight") {
        ElementRule::KeepF32("a norm")
    } else if ALWAYS_F32.contains(&without_layer(name)) {
        ElementRule::KeepF32("read as F32 by every runtime")
    } else if ![".weight", ".lora_a", ".lora_b"].iter().any(|suffix| name.ends_with(suffix)) {
        ElementRule::KeepF32("not a weight matrix")
    } else {
        ElementRule::Follow
    }
}

/// `name` without a leading `blk.N.`.
fn without_layer(name: &str) -> &str {
    let Some((layer, rest)) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else {
        return name;
    };
    if layer.bytes().all(|byte| byte.is_ascii_digit()) { rest } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_matrices_of_weights_follow_the_type_asked_for() {
        let follows = |name, dimensions| element_rule(name, dimensions) == ElementRule::Follow;
        for name in
            ["token_embd.weight", "output.weight", "blk.11.attn_q.weight", "cls.weight", "rope_x.lora_a"]
        {
            assert!(follows(name, 2), "{name}");
            assert!(!follows(name, 1), "{name}");
        }
        for name in [
            "blk.0.attn_q_norm.weight",
            "position_embd.weight",
            "token_types.weight",
            "blk.123.ffn_gate_inp.weight",
            "blk.0.shortconv.conv.weight",
            "blk.0.ffn_down_exps.bias",
            "blk.0.ssm_a",
        ] {
            assert!(!follows(name, 2), "{name}");
        }
    }
}
