//! A config that contradicts its checkpoint, or says what no file can hold, is refused by what is wrong with it.

#![allow(clippy::unwrap_used)]

use briq_tests::{Folder, safetensors};

const BAD_INPUT: i32 = 3;

const CONVERT: [&str; 6] = ["convert", "hf", "--type", "F32", "--out", "out.gguf"];

/// Converts the fixture with `old` replaced by `new` in its config, which must be refused with `message`.
#[track_caller]
fn refused(fixture: &str, old: &str, new: &str, message: &str) {
    let folder = Folder::with(fixture, "hf");
    folder.edit("hf/config.json", old, new);
    folder.refuses(&CONVERT, BAD_INPUT, message);
}

/// As [`refused`], with a message about the config itself.
#[track_caller]
fn refused_config(fixture: &str, old: &str, new: &str, problem: &str) {
    refused(fixture, old, new, &format!("hf/config.json: {problem}"));
}

#[test]
fn layers_that_the_config_does_not_count_are_not_left_out() {
    let fixture = "families/deepseek_v2-lite";
    refused(
        fixture,
        "\"num_hidden_layers\": 27",
        "\"num_hidden_layers\": 26",
        "hf: tensors \"model.layers.26.input_layernorm.weight\", \"model.layers.26.mlp.experts.0.down_proj.weight\", \
         \"model.layers.26.mlp.experts.0.gate_proj.weight\", \"model.layers.26.mlp.experts.0.up_proj.weight\", \
         \"model.layers.26.mlp.experts.1.down_proj.weight\", \"model.layers.26.mlp.experts.1.gate_proj.weight\", \
         \"model.layers.26.mlp.experts.1.up_proj.weight\", \"model.layers.26.mlp.gate.weight\", and more have no \
         place in the architecture deepseek2, so they would end up nowhere",
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
        let problem = "a width of 64 cannot be parted into 100003 heads of one size";
        refused_config(fixture, heads, "\"num_attention_heads\": 100003", problem);
    }
}

#[test]
fn a_key_that_runtimes_need_is_not_left_out() {
    for (fixture, architecture, family, new) in [
        ("families/mixtral", "llama", "mixtral", "\"rms_norm_eps\": null"),
        ("families/bitnet", "bitnet", "bitnet", "\"x\": 1"),
    ] {
        let problem = format!(
            "nothing says what {architecture}.attention.layer_norm_rms_epsilon is to be, which the family {family} \
             requires"
        );
        refused_config(fixture, "\"rms_norm_eps\": 1e-05", new, &problem);
    }
}

#[test]
fn a_number_beyond_f32_is_refused_by_its_key() {
    for (fixture, key, old, new, given) in [
        ("families/mixtral", "rope_theta", "1000000.0", "1e300", "1e300"),
        ("families/granitemoe", "attention_multiplier", "0.125", "1e300", "1e300"),
        ("families/phi3-longrope", "original_max_position_embeddings", "256", "1", "inf"),
    ] {
        let entry = |value| format!("{key:?}: {value}");
        let problem = format!("{key:?} gives {given}, which is no number that an f32 can hold");
        refused_config(fixture, &entry(old), &entry(new), &problem);
    }
}

#[test]
fn kinds_of_layers_must_be_known_and_one_for_each_layer() {
    let fixture = "families/lfm2";
    let kinds = "\"conv\"\n  ],";
    for (new, found) in [("\"conv\", \"conv\"\n  ],", "an array of 4"), ("\"parrot\"\n  ],", "\"parrot\"")] {
        let allowed = "allowed is for each of 3 layers one of [\"conv\", \"full_attention\"]";
        refused_config(fixture, kinds, new, &format!("\"layer_types\" has {found}; {allowed}"));
    }
}

#[test]
fn a_value_of_the_wrong_kind_is_named_instead_of_ignored() {
    for (fixture, key, old, new, least) in [
        ("families/deepseek_v2-lite", "first_k_dense_replace", "1", "\"x\"", 0),
        ("families/roberta", "pad_token_id", "1", "-1", 0),
        ("families/granitemoe", "num_local_experts", "4", "\"x\"", 1),
    ] {
        let entry = |value| format!("{key:?}: {value}");
        let problem = format!("{key:?} is {new}; allowed is an integer from {least} to 4294967295");
        refused_config(fixture, &entry(old), &entry(new), &problem);
    }
}

#[test]
fn sizes_that_no_runtime_can_use_are_refused() {
    for (key, old, new, problem) in [
        (
            "max_position_embeddings",
            "32768",
            "0",
            "llama.context_length would be 0; allowed is 1 to 4294967295",
        ),
        ("num_experts_per_tok", "2", "5", "llama.expert_used_count would be 5; allowed is 1 to 4"),
        (
            "rms_norm_eps",
            "1e-05",
            "-1",
            "llama.attention.layer_norm_rms_epsilon would be -1; allowed is 0 or more",
        ),
    ] {
        let entry = |value| format!("{key:?}: {value}");
        refused_config("families/mixtral", &entry(old), &entry(new), problem);
    }
}

#[test]
fn embeddings_are_held_against_the_padded_vocabulary() {
    let vocabulary = "\"vocab_size\": 384";
    let message = "hf/model.safetensors: tensor \"backbone.embeddings.weight\" has shape [384, 64], but config.json \
                   asks for [376, 64]";
    refused("families/mamba", vocabulary, "\"vocab_size\": 376", message);
    // The rows that pad 381 tokens to a multiple of 8.
    let folder = Folder::with("families/mamba", "hf");
    folder.edit("hf/config.json", vocabulary, "\"vocab_size\": 381");
    folder.succeeds(&CONVERT);
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
    let message = "hf/tokenizer.model: a git-lfs pointer in place of the file; run `git lfs pull`";
    folder.refuses(&CONVERT, BAD_INPUT, message);
    // Another format under that name says nothing.
    folder.write("hf/tokenizer.model", "IQ== 0\nIg== 1\n");
    folder.succeeds(&CONVERT);
}

#[test]
fn two_chat_templates_under_one_key_are_refused() {
    let folder = Folder::with("checkpoints/tiny-llama", "hf");
    let two = r#"{"chat_template": [{"name": "a-b", "template": "x"}, {"name": "a_b", "template": "y"}]}"#;
    folder.write("hf/tokenizer_config.json", two);
    let message = "hf: two chat templates go by the name \"a_b\", as part of a key";
    folder.refuses(&CONVERT, BAD_INPUT, message);
    let long = format!(r#"{{"chat_template": [{{"name": "{}", "template": "x"}}]}}"#, "n".repeat(70_000));
    folder.write("hf/tokenizer_config.json", long);
    let message = format!(
        "hf/tokenizer_config.json: \"chat_template\": the name \"{}\"... has 70000 bytes; at most 256 are allowed",
        "n".repeat(60)
    );
    folder.refuses(&CONVERT, BAD_INPUT, &message);
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
    let message = "hf/model.safetensors: tensor \"shared.weight\" becomes \"token_embd.weight\", and so does \
                   \"encoder.embed_tokens.weight\"";
    zeros.refuses(&CONVERT, BAD_INPUT, message);
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
