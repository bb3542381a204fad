//! What a model directory may say is what its files hold; everything else is refused by name, with nothing written.

#![allow(clippy::unwrap_used)]

use std::fs;

use briq_tests::Folder;

const LLAMA: &str = "checkpoints/tiny-llama";
const SHARDED: &str = "checkpoints/tiny-llama-yarn";
const INDEX: &str = "model/model.safetensors.index.json";
const FIRST: &str = "model/model-00001-of-00003.safetensors";
const SECOND: &str = "model/model-00002-of-00003.safetensors";
const CONFIG: &str = "model/config.json";
const BAD_INPUT: i32 = 3;

const CONVERT: [&str; 6] = ["convert", "model", "--type", "Q8_0", "--out", "out.gguf"];

#[track_caller]
fn refused(folder: &Folder, message: &str) {
    folder.refuses(&CONVERT, BAD_INPUT, message);
}

/// The sharded model with `lm_head.weight` in the index under another file name, or under none.
fn with_head_in(name: Option<&str>) -> Folder {
    let folder = Folder::with(SHARDED, "model");
    let mut index: serde_json::Value = serde_json::from_slice(&folder.read(INDEX)).unwrap();
    let map = index["weight_map"].as_object_mut().unwrap();
    match name {
        Some(name) => map["lm_head.weight"] = name.into(),
        None => drop(map.remove("lm_head.weight").unwrap()),
    }
    folder.write(INDEX, index.to_string());
    folder
}

#[test]
fn an_index_names_files_beside_itself_whatever_the_system() {
    let long = "x".repeat(300);
    for (name, shown) in [
        ("C:\\x", r#""C:\\x""#),
        ("\\\\srv\\s", r#""\\\\srv\\s""#),
        ("con", r#""con""#),
        ("x\0y", r#""x\0y""#),
        ("\u{1b}[2J", r#""\u{1b}[2J""#),
        ("", r#""""#),
        (".", r#"".""#),
        ("..", r#""..""#),
        ("sub/x", r#""sub/x""#),
        (long.as_str(), &format!("\"{}\"...", "x".repeat(60))),
    ] {
        let problem = "allowed is the name of a file beside the index";
        let message =
            format!("{INDEX}: \"weight_map\" puts tensor \"lm_head.weight\" into {shown}; {problem}");
        refused(&with_head_in(Some(name)), &message);
    }
}

#[test]
fn an_index_must_name_every_tensor() {
    refused(&with_head_in(None), &format!("{INDEX}: tensor \"lm_head.weight\" of {FIRST} is not named here"));
}

#[test]
fn a_tensor_in_two_files_of_an_index_is_refused() {
    let folder = Folder::with(SHARDED, "model");
    folder.write(SECOND, folder.read(FIRST));
    refused(&folder, &format!("{SECOND}: tensor \"lm_head.weight\" is in {FIRST} as well"));
}

#[cfg(unix)]
#[test]
fn a_folder_or_a_device_under_the_name_of_a_shard_is_refused() {
    let folder = Folder::with(SHARDED, "model");
    fs::remove_file(folder.path(SECOND)).unwrap();
    fs::create_dir(folder.path(SECOND)).unwrap();
    refused(&folder, &format!("{SECOND}: cannot open: it is a directory, and a file is expected"));
    fs::remove_dir(folder.path(SECOND)).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path(SECOND)).unwrap();
    let message = format!("{SECOND}: cannot open: it is not a regular file");
    // Not `refused`: to compare the files before and after would read the device.
    let run = folder.briq(&CONVERT);
    assert_eq!((run.code, run.stderr), (Some(BAD_INPUT), format!("briq: {message}\n")));
    assert_eq!(folder.names(), ["model"]);
}

#[test]
fn weights_that_an_index_passes_over_are_named() {
    let folder = Folder::with(SHARDED, "model");
    folder.succeeds(&CONVERT);
    let expected = folder.read("out.gguf");
    folder.write("model/model.safetensors", "no weights at all");
    let run = folder.briq(&[&CONVERT[..], &["--force"]].concat());
    let told = "briq: model/model.safetensors is left out: the index beside it names other files\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), told));
    assert!(folder.read("out.gguf") == expected);
}

#[test]
fn sizes_are_integers_that_fit_and_nothing_is_made_by_them_before() {
    let sizes =
        ["num_hidden_layers", "num_attention_heads", "num_key_value_heads", "hidden_size", "head_dim"];
    for key in sizes.into_iter().chain(["intermediate_size", "vocab_size"]) {
        for (value, shown) in [
            ("-1", "-1"),
            ("0", "0"),
            ("4294967296", "4294967296"),
            ("1000000000000000000", "1000000000000000000"),
            ("1e18", "1e18"),
            ("3.5", "3.5"),
            ("\"32\"", "\"32\""),
            ("true", "true"),
            ("[1]", "an array of 1"),
            ("{}", "an object of 0 members"),
            ("Infinity", "a number that is not finite"),
        ] {
            let folder = Folder::with(LLAMA, "model");
            let mut config: serde_json::Value = serde_json::from_slice(&folder.read(CONFIG)).unwrap();
            config[key] = "PLACE".into();
            folder.write(CONFIG, config.to_string().replace("\"PLACE\"", value));
            let message = format!("{CONFIG}: {key:?} is {shown}; allowed is an integer from 1 to 4294967295");
            refused(&folder, &message);
        }
    }
}

#[test]
fn code_in_a_directory_is_never_run() {
    let script = "import pathlib; pathlib.Path('ran').touch()";
    let folder = Folder::with(LLAMA, "model");
    folder.edit(CONFIG, "\"hidden_size\"", "\"auto_map\": {\"AutoModel\": \"code.Model\"}, \"hidden_size\"");
    folder.write("model/code.py", script);
    folder.succeeds(&CONVERT);
    assert_eq!(folder.names(), ["model", "out.gguf"]);
    assert!(!folder.path("model/ran").exists());
}

#[test]
fn weights_that_are_quantized_in_no_known_way_are_refused() {
    for (setting, said) in [
        ("{\"quant_method\": \"novel\\u001b\"}", "has quant_method \"novel\\u{1b}\""),
        ("{\"quant_method\": 3}", "has quant_method 3"),
        ("{}", "has no quant_method"),
        ("3", "has no quant_method"),
    ] {
        let folder = Folder::with(LLAMA, "model");
        folder.edit(
            CONFIG,
            "\"hidden_size\"",
            &format!("\"quantization_config\": {setting}, \"hidden_size\""),
        );
        let message = format!(
            "{CONFIG}: the weights are quantized already (\"quantization_config\" {said}), and weights in FP8 and \
             8-bit integers with scales are read; convert the checkpoint in floats that this one was made from, or \
             turn its weights into floats first"
        );
        refused(&folder, &message);
    }
}

#[test]
fn an_output_matrix_that_is_promised_must_be_there() {
    let folder = Folder::with(LLAMA, "model");
    folder.edit(CONFIG, "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
    refused(&folder, "model: no tensor becomes \"output.weight\", which the architecture llama requires");
}

#[test]
fn two_tensors_that_become_one_are_refused() {
    let folder = Folder::with(LLAMA, "model");
    let file = folder.read("model/model.safetensors");
    let (length, rest) = file.split_at(8);
    let (header, data) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
    let mut header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let offsets = [data.len(), data.len() + 1024];
    header["norm.weight"] = serde_json::json!({ "dtype": "F32", "shape": [256], "data_offsets": offsets });
    let data = [data, &[0; 1024]].concat();
    folder.write("model/model.safetensors", briq_tests::safetensors(&header.to_string(), &data));
    refused(
        &folder,
        "model/model.safetensors: tensor \"norm.weight\" becomes \"output_norm.weight\", and so does \
         \"model.norm.weight\"",
    );
}
