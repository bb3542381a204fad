//! A type that the user names for a tensor is the one it gets, whatever the recipe and the source.

#![allow(clippy::unwrap_used)]

use briq_format::{Gguf, TensorType};
use briq_tests::{Folder, retyped, safetensors};

const EXPERTS: &str = "families/gpt_oss-mxfp4";

/// The type of `tensor` after a conversion of `source` with these options.
fn converted(folder: &Folder, source: &str, options: &[&str], tensor: &str) -> TensorType {
    // What is quantized already is said on standard error.
    let run = folder.briq(&[&["convert", source, "--out", "out.gguf", "--force"], options].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    Gguf::open(folder.path("out.gguf")).unwrap().tensor(tensor).unwrap().info.tensor_type().unwrap()
}

#[test]
fn what_stands_in_for_a_named_type_is_written_from_a_directory_as_from_a_gguf_file() {
    let folder = Folder::with("checkpoints/tiny-llama", "model");
    folder.succeeds(&["convert", "model", "--type", "F32", "--out", "model.gguf"]);
    let options = ["--type", "F16", "--tensor-type", "attn_output=Q4_K"];
    // Its rows are 128 long.
    for source in ["model", "model.gguf"] {
        let ty = converted(&folder, source, &options, "blk.0.attn_output.weight");
        assert_eq!(ty, TensorType::Q5_0, "{source}");
    }
}

#[test]
fn experts_in_mxfp4_are_carried_unless_a_type_is_named_for_them() {
    let folder = Folder::with(EXPERTS, "model");
    let experts = "blk.0.ffn_up_exps.weight";
    assert_eq!(converted(&folder, "model", &["--type", "F16"], experts), TensorType::MXFP4);
    let named = ["--type", "F16", "--tensor-type", "exps=Q8_0"];
    assert_eq!(converted(&folder, "model", &named, experts), TensorType::Q8_0);
}

#[test]
fn integers_of_a_gguf_file_are_carried_unless_a_type_is_named_for_them() {
    let folder = Folder::new();
    let header = r#"{"w.weight":{"dtype":"I8","shape":[2,32],"data_offsets":[0,64]}}"#;
    folder.write("w.safetensors", safetensors(header, &[7; 64]));
    let options = ["--arch", "llama", "--type", "Q8_0"];
    assert_eq!(converted(&folder, "w.safetensors", &options, "w.weight"), TensorType::I8);
    let named = ["--arch", "llama", "--type", "Q8_0", "--tensor-type", "w=Q4_0"];
    assert_eq!(converted(&folder, "w.safetensors", &named, "w.weight"), TensorType::Q4_0);
}

#[test]
fn integers_of_a_directory_are_weights() {
    let folder = Folder::with("families/mixtral", "model");
    let tensor = "model.layers.0.self_attn.q_proj.weight";
    retyped(&folder, "model/model.safetensors", tensor, "I16");
    let ty = converted(&folder, "model", &["--type", "F32"], "blk.0.attn_q.weight");
    assert_eq!(ty, TensorType::F32);
}

#[test]
fn codes_and_scales_of_mxfp4_that_are_no_bytes_are_refused() {
    for (part, dtype) in [("blocks", "I8"), ("scales", "F8_E8M0")] {
        let folder = Folder::with(EXPERTS, "model");
        let tensor = format!("model.layers.0.mlp.experts.down_proj_{part}");
        retyped(&folder, "model/model.safetensors", &tensor, dtype);
        folder.refuses(
            &["convert", "model", "--type", "auto", "--out", "out.gguf"],
            3,
            &format!(
                "model/model.safetensors: tensor \"{tensor}\" of MXFP4 has dtype {dtype}; allowed is U8"
            ),
        );
    }
}
