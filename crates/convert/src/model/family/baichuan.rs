//! Baichuan, whose queries, keys and values lie one after the other.

use super::shared::*;
use crate::Result;
use crate::model::arrange::{Tensor, interleave};
use crate::model::dimension::{head_size, heads, hidden, thrice_hidden};
use crate::model::keys::{COMMON, KeyValue, row};
use crate::model::tensor::weight;
use crate::model::{Arranged, Family};

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
