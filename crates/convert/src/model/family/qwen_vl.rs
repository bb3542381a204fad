//! The parts of Qwen's models of pictures that read. A position has several coordinates, and Qwen 3's first layers
//! take up what the picture's encoder found on the way.

use briq_format::metadata::OwnedValue;

use super::qwen::{DENSE_LAYERS, ENDS_OF_ANY, QWEN2, QWEN3, QWEN3_MOE, SPARSE, is_sparse};
use super::shared::*;
use crate::Result;
use crate::model::arrange::Tensor;
use crate::model::dimension::{expert_width, experts, hidden, twice_expert_width};
use crate::model::keys::{COMMON, Facts, KeyRow, KeyValue, row};
use crate::model::tensor::{TensorRow, whole};
use crate::model::{Arranged, Family};

/// Qwen 2 and 2.5 VL.
pub(super) static QWEN2_VL: Family = Family {
    name: "qwen2_vl",
    architectures: &["Qwen2VLForConditionalGeneration", "Qwen2VLModel", "Qwen2_5_VLForConditionalGeneration"],
    arch: "qwen2vl",
    keys: &[COMMON],
    ..QWEN2
};

/// Qwen 3 VL.
pub(super) static QWEN3_VL: Family = Family {
    name: "qwen3_vl",
    architectures: &["Qwen3VLForConditionalGeneration"],
    arch: "qwen3vl",
    keys: &[COMMON, POOLING, DEEP_STACK],
    ..QWEN3
};

/// Qwen 3 VL with experts.
pub(super) static QWEN3_VL_MOE: Family = Family {
    name: "qwen3_vl_moe",
    architectures: &["Qwen3VLMoeForConditionalGeneration"],
    arch: "qwen3vlmoe",
    keys: &[COMMON, &[number("expert_feed_forward_length", &["moe_intermediate_size"])], DEEP_STACK],
    tensors: &[ENDS_OF_ANY, NORMS, ATTENTION, HEAD_NORMS, SPARSE, TRANSPOSED_EXPERTS, DENSE_LAYERS],
    ..QWEN3_MOE
};

const DEEP_STACK: &[KeyRow] = &[row("n_deepstack_layers", KeyValue::Formula(deep_stack_layers))];

/// How many layers take up what the picture's encoder found.
fn deep_stack_layers(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    const KEY: &str = "deepstack_visual_indexes";
    let Some(indexes) = facts.config.get("vision_config").and_then(|vision| vision.get(KEY)) else {
        return Ok(Some(0_u32.into()));
    };
    let problem = || facts.config.bad(format!("{KEY:?} is {indexes}; allowed is an array of layers"));
    Ok(Some((indexes.as_array().ok_or_else(problem)?.len() as u32).into()))
}

/// All experts of a layer in one tensor, with rows and columns exchanged.
const TRANSPOSED_EXPERTS: &[TensorRow] = &[
    whole(
        "model.layers.N.mlp.experts.down_proj",
        "blk.N.ffn_down_exps.weight",
        &[experts, expert_width, hidden],
    )
    .transposed()
    .needed_if(is_sparse),
    whole(
        "model.layers.N.mlp.experts.gate_up_proj",
        "blk.N.ffn_gate_exps.weight",
        &[experts, hidden, twice_expert_width],
    )
    .by(|tensor| half_of_columns(tensor, 0))
    .needed_if(is_sparse),
    whole(
        "model.layers.N.mlp.experts.gate_up_proj",
        "blk.N.ffn_up_exps.weight",
        &[experts, hidden, twice_expert_width],
    )
    .by(|tensor| half_of_columns(tensor, 1))
    .needed_if(is_sparse),
];

/// The first or the second half of the columns of each matrix, as rows.
fn half_of_columns(tensor: &Tensor<'_>, which: u64) -> Result<Arranged> {
    let half = expert_width(tensor.config)?;
    let shape = vec![experts(tensor.config)?, half, hidden(tensor.config)?];
    let view = tensor.view().narrow(2, which * half, half).and_then(|view| view.swap(1, 2));
    tensor.check(view.and_then(|view| Arranged::new(shape, view)), "its columns are no two halves")
}
