//! BitNet, whose projections are rounded to three values.

use super::shared::*;
use crate::Result;
use crate::model::arrange::{Tensor, same};
use crate::model::dimension::{feed_forward, query_width};
use crate::model::keys::{COMMON, KeyValue, row};
use crate::model::tensor::weight;
use crate::model::{Arranged, Default, Family, Value};

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
            row("rope.scaling.factor", KeyValue::FixedF32(1.0)),
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

fn ternary(tensor: &Tensor<'_>) -> Result<Arranged> {
    Ok(same(tensor)?.with(Value::Ternary))
}
