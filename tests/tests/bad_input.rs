//! Bad input ends with exit code 3, one clear line, and nothing written.

use std::fs;

use briq_tests::{Folder, safetensors, two_rows};

const MODEL: &str = "checkpoints/tiny-llama";
const SHARDED: &str = "checkpoints/tiny-llama-yarn";
const BAD_INPUT: i32 = 3;

/// Converts `source`, which must be refused with `message`.
#[track_caller]
fn refused(folder: &Folder, source: &str, message: &str) {
    folder.refuses(&["convert", source, "--type", "Q4_0", "--out", "out.gguf"], BAD_INPUT, message);
}

/// Converts a safetensors file of these bytes, which must be refused with `message`.
#[track_caller]
fn refused_file(bytes: &[u8], message: &str) {
    let folder = Folder::new();
    folder.write("w.safetensors", bytes);
    let arguments = ["convert", "w.safetensors", "--arch", "x", "--type", "Q4_0", "--out", "out.gguf"];
    folder.refuses(&arguments, BAD_INPUT, message);
}

#[test]
fn a_missing_config_is_named() {
    let folder = Folder::with(MODEL, "model");
    fs::remove_file(folder.path("model/config.json")).unwrap();
    refused(&folder, "model", "model/config.json: the file does not exist");
}

#[test]
fn a_config_that_is_no_json_is_named_with_line_and_column() {
    let folder = Folder::with(MODEL, "model");
    folder.edit("model/config.json", "\"hidden_size\": 256,", "\"hidden_size\": 256");
    refused(&folder, "model", "model/config.json: expected `,` or `}` at line 10 column 3");
}

#[test]
fn a_size_that_a_config_gives_twice_is_refused() {
    let folder = Folder::with(MODEL, "model");
    folder.edit("model/config.json", "\"hidden_size\": 256,", "\"hidden_size\": 256, \"hidden_size\": 64,");
    refused(
        &folder,
        "model",
        "model/config.json: the key \"hidden_size\" is given twice at line 9 column 35",
    );
}

#[test]
fn an_unknown_architecture_is_told_which_are_known_and_what_else_there_is() {
    let folder = Folder::with(MODEL, "model");
    folder.edit("model/config.json", "LlamaForCausalLM", "ParrotForCausalLM");
    refused(
        &folder,
        "model",
        "model/config.json: the architecture \"ParrotForCausalLM\" is not known; --list-families lists those that \
         are. A single .safetensors file converts with its tensor names unchanged under any --arch NAME, and a \
         directory whose tensors are those of a known family converts with --arch-as FAMILY",
    );
}

#[test]
fn a_config_that_contradicts_the_tensors_is_refused() {
    let folder = Folder::with(MODEL, "model");
    folder.edit("model/config.json", "\"intermediate_size\": 256", "\"intermediate_size\": 512");
    refused(
        &folder,
        "model",
        "model/model.safetensors: tensor \"model.layers.0.mlp.down_proj.weight\" has shape [256, 256], but \
         config.json asks for [256, 512]",
    );
}

#[test]
fn a_missing_tensor_is_named() {
    let folder = Folder::with(MODEL, "model");
    folder.edit("model/config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    refused(
        &folder,
        "model",
        "model: no tensor becomes \"blk.2.attn_norm.weight\", \"blk.2.ffn_norm.weight\", \"blk.2.attn_q.weight\", \
         \"blk.2.attn_k.weight\", \"blk.2.attn_v.weight\", \"blk.2.attn_output.weight\", \"blk.2.ffn_gate.weight\", \
         \"blk.2.ffn_up.weight\", and more, which the architecture llama requires",
    );
}

#[test]
fn a_tensor_that_would_end_up_nowhere_is_named() {
    let folder = Folder::with(MODEL, "model");
    let file = folder.read("model/model.safetensors");
    // A name of the same length keeps the header whole.
    let name = b"model.layers.1.mlp.up_proj.weight";
    let at = file.windows(name.len()).position(|window| window == name).unwrap();
    let mut file = file;
    file[at..at + name.len()].copy_from_slice(b"model.layers.1.mlp.xy_proj.weight");
    folder.write("model/model.safetensors", file);
    refused(
        &folder,
        "model",
        "model: tensor \"model.layers.1.mlp.xy_proj.weight\" has no place in the architecture llama, so it would end \
         up nowhere; no tensor becomes \"blk.1.ffn_up.weight\", which the architecture llama requires",
    );
}

#[test]
fn a_dtype_that_holds_no_weights_is_named_with_those_that_do() {
    let header = r#"{"w":{"dtype":"U8","shape":[1,32],"data_offsets":[0,32]}}"#;
    refused_file(
        &safetensors(header, &[0; 32]),
        "w.safetensors: tensor \"w\" has dtype U8; allowed are F64, F32, F16, BF16 and signed integers",
    );
}

#[test]
fn a_dtype_that_nobody_knows_is_named() {
    let header = r#"{"w":{"dtype":"F5","shape":[1,32],"data_offsets":[0,20]}}"#;
    refused_file(
        &safetensors(header, &[0; 20]),
        "w.safetensors: tensor \"w\": dtype \"F5\" is none of F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, \
         U8, BOOL, C64, F8_E4M3, F8_E5M2, F8_E8M0, F8_E4M3FNUZ, F8_E5M2FNUZ, F6_E2M3, F6_E3M2, F4",
    );
}

#[test]
fn a_missing_shard_is_named() {
    let folder = Folder::with(SHARDED, "model");
    fs::remove_file(folder.path("model/model-00002-of-00003.safetensors")).unwrap();
    refused(
        &folder,
        "model",
        "model/model.safetensors.index.json: model-00002-of-00003.safetensors is named here, but is not in the \
         directory",
    );
    // Without the index the names of the others tell.
    fs::remove_file(folder.path("model/model.safetensors.index.json")).unwrap();
    refused(&folder, "model", "model: model-00001-of-00003.safetensors is one of 3 shards, but 2 are there");
}

#[test]
fn an_index_that_leads_out_of_the_directory_is_refused_although_the_file_is_there() {
    for name in ["../elsewhere.safetensors", "/elsewhere.safetensors", "sub/../../elsewhere.safetensors"] {
        let folder = Folder::with(SHARDED, "model");
        folder.write("elsewhere.safetensors", folder.read("model/model-00001-of-00003.safetensors"));
        let index = String::from_utf8(folder.read("model/model.safetensors.index.json")).unwrap();
        folder.write(
            "model/model.safetensors.index.json",
            index.replace("model-00001-of-00003.safetensors", name),
        );
        let message = format!(
            "model/model.safetensors.index.json: \"weight_map\" puts tensor \"lm_head.weight\" into \"{name}\"; \
             allowed is the name of a file beside the index"
        );
        refused(&folder, "model", &message);
    }
}

#[test]
fn an_index_and_a_shard_that_disagree_are_refused() {
    let folder = Folder::with(SHARDED, "model");
    let index = String::from_utf8(folder.read("model/model.safetensors.index.json")).unwrap();
    let moved = index.replacen("model-00001-of-00003", "model-00002-of-00003", 1);
    folder.write("model/model.safetensors.index.json", &moved);
    refused(
        &folder,
        "model",
        "model/model.safetensors.index.json: tensor \"lm_head.weight\" is to be in model-00002-of-00003.safetensors, \
         but is not there",
    );
}

#[test]
fn a_tensor_whose_size_does_not_match_its_shape_is_refused() {
    let header = r#"{"w":{"dtype":"F32","shape":[2,32],"data_offsets":[0,128]}}"#;
    refused_file(
        &safetensors(header, &[0; 128]),
        "w.safetensors: tensor \"w\": data_offsets 0 to 128, but shape [32, 2] of F32 takes 256 bytes",
    );
}

#[test]
fn tensors_that_overlap_or_leave_a_gap_are_refused() {
    for begin in [64_u64, 192] {
        let end = begin + 128;
        let entry = |name, begin, end| {
            format!(r#""{name}":{{"dtype":"F32","shape":[32],"data_offsets":[{begin},{end}]}}"#)
        };
        let header = format!("{{{},{}}}", entry("a", 0, 128), entry("b", begin, end));
        let message = format!(
            "w.safetensors: tensor \"b\" begins at {begin} in the data, where the one before ends at 128"
        );
        refused_file(&safetensors(&header, &vec![0; end as usize]), &message);
    }
}

#[test]
fn a_name_given_twice_in_one_file_is_refused() {
    let entry = r#""w":{"dtype":"F32","shape":[32],"data_offsets":[0,128]}"#;
    refused_file(
        &safetensors(&format!("{{{entry},{entry}}}"), &[0; 128]),
        "w.safetensors: tensor \"w\" is given twice",
    );
}

#[test]
fn a_name_in_two_files_is_refused() {
    let folder = Folder::with(MODEL, "model");
    folder.write("model/model-extra.safetensors", folder.read("model/model.safetensors"));
    refused(
        &folder,
        "model",
        "model/model.safetensors: tensor \"model.embed_tokens.weight\" is in model/model-extra.safetensors as well",
    );
}

#[test]
fn an_empty_file_and_every_cut_is_refused_with_the_place() {
    let whole = two_rows(&[1.0; 64]);
    refused_file(&[], "w.safetensors: not a safetensors file: 0 bytes, where the length alone takes 8");
    refused_file(
        &whole[..7],
        "w.safetensors: not a safetensors file: 7 bytes, where the length alone takes 8",
    );
    refused_file(&whole[..40], "w.safetensors: byte 0: a header of 66 bytes, but the file ends at 40");
    refused_file(
        &whole[..whole.len() - 1],
        "w.safetensors: tensor \"w.weight\" ends at 256 in the data, which has 255 bytes",
    );
}

#[test]
fn a_truncated_checkpoint_names_the_tensor_that_is_cut() {
    let folder = Folder::with(MODEL, "model");
    let mut file = folder.read("model/model.safetensors");
    file.truncate(file.len() / 2);
    folder.write("model/model.safetensors", file);
    refused(
        &folder,
        "model",
        "model/model.safetensors: tensor \"model.layers.0.self_attn.o_proj.weight\" ends at 672768 in the data, \
         which has 655576 bytes",
    );
}

#[test]
fn an_empty_and_a_truncated_gguf_are_refused() {
    let folder = Folder::new();
    let mut file = Folder::with("golden/tiny-llama-f32.gguf", "x").read("x");
    file.pop();
    // The last tensor is padded to its end: one byte less cuts into it.
    folder.write("cut.gguf", &file);
    folder.write("empty.gguf", []);
    refused(
        &folder,
        "cut.gguf",
        "cut.gguf: byte 9830: tensor \"output_norm.weight\" ends at 2636448, but the file ends at 2636447",
    );
    refused(
        &folder,
        "empty.gguf",
        "empty.gguf: byte 0: the magic \"GGUF\" takes 4 bytes, but only 0 are left",
    );
}

#[test]
fn what_is_not_there_or_no_source_is_named() {
    let folder = Folder::new();
    fs::create_dir(folder.path("empty")).unwrap();
    folder.write("pickled/pytorch_model.bin", "");
    folder.write("model.bin", "");
    refused(&folder, "nowhere", "nowhere: cannot open: No such file or directory (os error 2)");
    refused(&folder, "empty", "empty: no safetensors file in the directory");
    refused(
        &folder,
        "pickled",
        "pickled: no safetensors file; pytorch_model.bin is a Python pickle, which can run code when it is read: \
         convert it to safetensors first",
    );
    refused(
        &folder,
        "model.bin",
        "model.bin: a source is a model directory, a .safetensors file or a .gguf file; its name must say which",
    );
}

#[cfg(unix)]
#[test]
fn a_pipe_is_refused_without_waiting_for_its_other_end() {
    let folder = Folder::new();
    let status = std::process::Command::new("mkfifo").arg(folder.path("pipe.gguf")).status().unwrap();
    assert!(status.success());
    // Not `refused`: listing the folder would itself wait for the pipe.
    let run = folder.briq(&["convert", "pipe.gguf", "--type", "Q4_0", "--out", "out.gguf"]);
    assert_eq!(run.code, Some(BAD_INPUT), "{run:?}");
    assert_eq!(run.stderr, "briq: pipe.gguf: cannot open: it is not a regular file\n");
    assert!(!folder.path("out.gguf").exists());
}
