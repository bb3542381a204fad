//! A config that contradicts its checkpoint, or says what no file can hold, is refused by what is wrong with it.

#![allow(clippy::unwrap_used)]

use briq_tests::{Folder, safetensors};

const BAD_INPUT: i32 = 3;

/// Converts the fixture with `old` replaced by `new` in its config; what is refused names all of `parts`.
#[track_caller]
fn refused(fixture: &str, old: &str, new: &str, parts: &[&str]) {
    let folder = Folder::with(fixture, "hf");
    folder.edit("hf/config.json", old, new);
    names(&folder, parts);
}

#[track_caller]
fn names(folder: &Folder, parts: &[&str]) {
    let run = folder.briq(&["convert", "hf", "--type", "F32", "--out", "out.gguf"]);
    assert_eq!(run.code, Some(BAD_INPUT), "{run:?}");
    for part in parts {
        assert!(run.stderr.contains(part), "{part:?} is not in {}", run.stderr);
    }
    assert!(!folder.path("out.gguf").exists());
}

#[test]
fn layers_that_the_config_does_not_count_are_not_left_out() {
    let fixture = "families/deepseek_v2-lite";
    refused(
        fixture,
        "\"num_hidden_layers\": 27",
        "\"num_hidden_layers\": 26",
        &["model.layers.26.", "no place"],
    );
    let folder = Folder::with(fixture, "hf");
    let ahead = "\"num_hidden_layers\": 26, \"num_nextn_predict_layers\": 1";
    folder.edit("hf/config.json", "\"num_hidden_layers\": 27", ahead);
    let plan = folder.succeeds(&["convert", "hf", "--type", "F32", "--out", "out.gguf", "--dry-run"]);
    assert!(
        plan.contains("left out: model.layers.26.input_layernorm.weight (a layer that predicts"),
        "{plan}"
    );
}

#[test]
fn heads_that_do_not_divide_the_width_are_refused() {
    let heads = "\"num_attention_heads\": 4";
    for fixture in ["families/mixtral", "families/roberta", "families/bitnet"] {
        refused(fixture, heads, "\"num_attention_heads\": 100003", &["config.json", "64", "100003 heads"]);
    }
}

#[test]
fn a_key_that_runtimes_need_is_not_left_out() {
    let missing = "layer_norm_rms_epsilon";
    refused("families/mixtral", "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": null", &[missing]);
    refused("families/bitnet", "\"rms_norm_eps\": 1e-05", "\"x\": 1", &[missing]);
}

#[test]
fn a_number_beyond_f32_is_refused_by_its_key() {
    let names = |key| ["config.json", key, "1e300", "f32"];
    refused("families/mixtral", "\"rope_theta\": 1000000.0", "\"rope_theta\": 1e300", &names("rope_theta"));
    let multiplier = "\"attention_multiplier\": 0.125";
    let name = "attention_multiplier";
    refused("families/granitemoe", multiplier, "\"attention_multiplier\": 1e300", &names(name));
    let trained = "original_max_position_embeddings";
    let one = ("\"original_max_position_embeddings\": 256", "\"original_max_position_embeddings\": 1");
    refused("families/phi3-longrope", one.0, one.1, &["config.json", trained, "inf"]);
}

#[test]
fn kinds_of_layers_must_be_known_and_one_for_each_layer() {
    let fixture = "families/lfm2";
    let kinds = "\"conv\"\n  ],";
    refused(fixture, kinds, "\"conv\", \"conv\"\n  ],", &["\"layer_types\" has an array of 4", "3 layers"]);
    refused(fixture, kinds, "\"parrot\"\n  ],", &["\"layer_types\"", "\"parrot\"", "\"full_attention\""]);
}

#[test]
fn a_value_of_the_wrong_kind_is_named_instead_of_ignored() {
    let deepseek = "families/deepseek_v2-lite";
    let dense = "\"first_k_dense_replace\": 1";
    refused(deepseek, dense, "\"first_k_dense_replace\": \"x\"", &["\"first_k_dense_replace\" is \"x\""]);
    let padding = "\"pad_token_id\": 1";
    refused("families/roberta", padding, "\"pad_token_id\": -1", &["\"pad_token_id\" is -1"]);
    let experts = "\"num_local_experts\": 4";
    refused(
        "families/granitemoe",
        experts,
        "\"num_local_experts\": \"x\"",
        &["\"num_local_experts\" is \"x\""],
    );
}

#[test]
fn sizes_that_no_runtime_can_use_are_refused() {
    let context = "\"max_position_embeddings\": 32768";
    let moe = "families/mixtral";
    refused(moe, context, "\"max_position_embeddings\": 0", &["context_length would be 0"]);
    let used = "\"num_experts_per_tok\": 2";
    refused(moe, used, "\"num_experts_per_tok\": 5", &["expert_used_count would be 5", "1 to 4"]);
    refused(moe, "\"rms_norm_eps\": 1e-05", "\"rms_norm_eps\": -1", &["epsilon would be -1"]);
}

#[test]
fn embeddings_are_held_against_the_padded_vocabulary() {
    let vocabulary = "\"vocab_size\": 384";
    refused("families/mamba", vocabulary, "\"vocab_size\": 376", &["[384, 64]", "[376, 64]"]);
    // The rows that pad 381 tokens to a multiple of 8.
    let folder = Folder::with("families/mamba", "hf");
    folder.edit("hf/config.json", vocabulary, "\"vocab_size\": 381");
    folder.succeeds(&["convert", "hf", "--type", "F32", "--out", "out.gguf"]);
}

#[test]
fn a_rotary_setting_that_the_file_cannot_say_is_named_in_the_plan() {
    let folder = Folder::with("families/gemma2", "hf");
    folder.edit("hf/config.json", "\"rope_theta\": 10000.0", "\"rope_theta\": 1000000.0");
    let plan = folder.succeeds(&["convert", "hf", "--type", "F32", "--out", "out.gguf", "--dry-run"]);
    assert!(
        plan.contains("left out: rope_theta of config.json (its architecture has no key for it"),
        "{plan}"
    );
}

#[test]
fn a_model_of_sentencepiece_that_cannot_be_read_is_not_passed_over() {
    let folder = Folder::with("checkpoints/tiny-llama-spm", "hf");
    folder.write("hf/tokenizer.model", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n");
    names(&folder, &["tokenizer.model", "git lfs pull"]);
    // Another format under that name says nothing.
    folder.write("hf/tokenizer.model", "IQ== 0\nIg== 1\n");
    folder.succeeds(&["convert", "hf", "--type", "F32", "--out", "out.gguf"]);
}

#[test]
fn two_chat_templates_under_one_key_are_refused() {
    let folder = Folder::with("checkpoints/tiny-llama", "hf");
    let two = r#"{"chat_template": [{"name": "a-b", "template": "x"}, {"name": "a_b", "template": "y"}]}"#;
    folder.write("hf/tokenizer_config.json", two);
    names(&folder, &["two chat templates", "\"a_b\""]);
    let long = format!(r#"{{"chat_template": [{{"name": "{}", "template": "x"}}]}}"#, "n".repeat(70_000));
    folder.write("hf/tokenizer_config.json", long);
    names(&folder, &["tokenizer_config.json", "70000 bytes"]);
}

/// A T5 of one layer on either side, with these tensors beside the others.
fn t5(config: &str, more: &[(&str, [u64; 2], u8)]) -> Folder {
    let folder = Folder::new();
    let attention = ["q", "k", "v", "o"];
    let mut tensors: Vec<(String, Vec<u64>, u8)> = Vec::new();
    let mut add = |name: String, shape: &[u64], fill| tensors.push((name, shape.to_vec(), fill));
    for (side, parts) in
        [("encoder", &["SelfAttention"][..]), ("decoder", &["SelfAttention", "EncDecAttention"])]
    {
        add(format!("{side}.final_layer_norm.weight"), &[4], 1);
        for (layer, part) in parts.iter().enumerate() {
            for name in attention {
                add(format!("{side}.block.0.layer.{layer}.{part}.{name}.weight"), &[4, 4], 2);
            }
            add(format!("{side}.block.0.layer.{layer}.layer_norm.weight"), &[4], 1);
        }
        add(format!("{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"), &[2, 2], 3);
        let last = parts.len();
        add(format!("{side}.block.0.layer.{last}.DenseReluDense.wi.weight"), &[8, 4], 4);
        add(format!("{side}.block.0.layer.{last}.DenseReluDense.wo.weight"), &[4, 8], 5);
        add(format!("{side}.block.0.layer.{last}.layer_norm.weight"), &[4], 1);
    }
    for (name, shape, fill) in more {
        add((*name).to_owned(), shape, *fill);
    }
    tensors.sort();
    let (mut entries, mut data) = (Vec::new(), Vec::new());
    for (name, shape, fill) in tensors {
        let (begin, bytes) = (data.len(), 2 * shape.iter().product::<u64>() as usize);
        data.resize(begin + bytes, fill);
        let end = data.len();
        entries.push(format!(
            r#""{name}": {{"dtype": "F16", "shape": {shape:?}, "data_offsets": [{begin}, {end}]}}"#
        ));
    }
    std::fs::create_dir(folder.path("hf")).unwrap();
    folder.write("hf/model.safetensors", safetensors(&format!("{{{}}}", entries.join(", ")), &data));
    folder.write(
        "hf/config.json",
        format!(
            r#"{{"architectures": ["T5ForConditionalGeneration"], "d_model": 4, "d_ff": 8, "d_kv": 2, "num_heads": 2,
            "num_layers": 1, "vocab_size": 3, "relative_attention_num_buckets": 2 {config}}}"#
        ),
    );
    folder.write(
        "hf/tokenizer.json",
        r#"{"model": {"type": "Unigram", "unk_id": 2, "vocab": [["<pad>", 0], ["</s>", 0], ["<unk>", 0]]}}"#,
    );
    folder
}

#[test]
fn a_second_embedding_is_left_out_only_where_it_is_the_same() {
    let shared = ("shared.weight", [3, 4], 7);
    let same = t5("", &[shared, ("encoder.embed_tokens.weight", [3, 4], 7)]);
    let plan = same.succeeds(&["convert", "hf", "--type", "F32", "--out", "out.gguf", "--dry-run"]);
    assert!(plan.contains("left out: shared.weight (equal to the embeddings"), "{plan}");
    let zeros = t5("", &[shared, ("encoder.embed_tokens.weight", [3, 4], 0)]);
    names(&zeros, &["\"shared.weight\"", "\"encoder.embed_tokens.weight\"", "token_embd.weight"]);
}

#[test]
fn an_output_matrix_that_is_missing_is_named_in_the_plan() {
    let (shared, head) = (("shared.weight", [3, 4], 7), ("lm_head.weight", [3, 4], 8));
    let untied = ", \"tie_word_embeddings\": false";
    let plan = ["convert", "hf", "--type", "F32", "--out", "out.gguf", "--dry-run"];
    let named = "left out: tie_word_embeddings of config.json (there is no output matrix";
    assert!(t5(untied, &[shared]).succeeds(&plan).contains(named));
    assert!(!t5(untied, &[shared, head]).succeeds(&plan).contains("left out"));
}
