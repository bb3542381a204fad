//! What `briq convert` says with `--json`.

use std::path::Path;

use briq_convert::plan::{Plan, Planned};
use briq_convert::recipe::{Importance, Unheeded};
use briq_format::TensorInfo;
use serde::Serialize;
use serde_json::json;

use crate::json::InTurn;

/// The plan as JSON, its keys in the order of the alphabet.
#[derive(Serialize)]
pub(super) struct Report<'a> {
    #[serde(flatten)]
    first: serde_json::Value,
    tensors: InTurn<'a>,
    #[serde(flatten)]
    last: serde_json::Value,
}

pub(super) fn as_json<'a>(plan: &'a Plan, output: &Path, seconds: Option<f64>) -> Report<'a> {
    let tensor = |(tensor, info): (&Planned, TensorInfo<'_>)| {
        json!({
            "name": info.name,
            "shape": info.shape.dims(),
            "source_name": tensor.origin_name,
            "source_type": tensor.stored_as,
            "type": info.type_id.to_string(),
            "reason": tensor.reason,
            "fallback": tensor.is_fallback,
            "importance": match tensor.importance {
                Importance::Unused => "unused",
                Importance::Entry(_) => "used",
                Importance::Missing => "missing",
            },
            "offset": info.offset_in_file,
            "bytes": info.bytes,
        })
    };
    let named = |left_out: &[(String, &str)]| -> serde_json::Value {
        left_out.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect()
    };
    let first = json!({
        "bits_per_weight": plan.bits_per_weight(),
        "bytes": plan.file.file_bytes(),
        "fallback_weights": plan.fallback_weights(),
        "imatrix": plan.imatrix.as_ref().map(|imatrix| imatrix.path().to_string_lossy().into_owned()),
        "left_out": named(&plan.dropped),
        "output": output.to_string_lossy(),
        "quantized_before": plan.quantized_before().map(|tensor| tensor.spec.name()).collect::<Vec<_>>(),
        "recipe": plan.recipe.name(),
        "record": plan.record,
        "seconds": seconds,
        "source_bytes": plan.source.bytes(),
    });
    let unheeded = |Unheeded { named_for, ty, tensor }: &Unheeded| {
        let ty = ty.name();
        json!({ "named_for": named_for, "type": ty, "tensor": tensor })
    };
    let last = json!({
        "unheeded": plan.unheeded.iter().map(unheeded).collect::<Vec<_>>(),
        "unmatched_patterns": plan.unmatched,
        "unquantized_weights": plan.unquantized_weights(),
        "unsaid": named(&plan.unsaid),
        "written": seconds.is_some(),
    });
    let tensors = InTurn::of(move || plan.tensors.iter().zip(plan.file.infos()).map(tensor));
    Report { first, tensors, last }
}
