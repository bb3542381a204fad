//! The smallest model directory that converts: one layer, 24 tokens, weights of zeros.
//!
//! How many inputs a second are tried depends on it, and so does what a change of one byte reaches: in a file of
//! a few hundred bytes, most of them matter.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use briq_convert::model::Model;

use crate::scratch;

/// The tokens of the model.
pub(crate) const TOKENS: usize = 24;

/// The name of an index.
pub(crate) const INDEX: &str = "model.safetensors.index.json";

pub(crate) const CONFIG: &str = r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":4,
"intermediate_size":8,"num_attention_heads":2,"num_key_value_heads":1,"num_hidden_layers":1,"rms_norm_eps":1e-5,
"rope_theta":10000.0,"max_position_embeddings":32,"tie_word_embeddings":true,"vocab_size":24,"bos_token_id":1,
"eos_token_id":2}"#;

pub(crate) const TOKENIZER_CONFIG: &str = r#"{"add_bos_token":true,"add_prefix_space":false,"bos_token":"<s>",
"eos_token":{"content":"</s>"},"added_tokens_decoder":{"0":{"content":"<unk>","special":true}},
"chat_template":"{{ messages }}","tokenizer_class":"LlamaTokenizer"}"#;

/// The tensors, in two halves, each with its shape.
const TENSORS: [&[(&str, &[u64])]; 2] = [
    &[
        ("model.embed_tokens.weight", &[TOKENS as u64, 4]),
        ("model.layers.0.input_layernorm.weight", &[4]),
        ("model.layers.0.mlp.down_proj.weight", &[4, 8]),
        ("model.layers.0.mlp.gate_proj.weight", &[8, 4]),
        ("model.layers.0.mlp.up_proj.weight", &[8, 4]),
    ],
    &[
        ("model.layers.0.post_attention_layernorm.weight", &[4]),
        ("model.layers.0.self_attn.k_proj.weight", &[2, 4]),
        ("model.layers.0.self_attn.o_proj.weight", &[4, 4]),
        ("model.layers.0.self_attn.q_proj.weight", &[4, 4]),
        ("model.layers.0.self_attn.v_proj.weight", &[2, 4]),
        ("model.norm.weight", &[4]),
    ],
];

thread_local! {
    static FOLDERS: RefCell<HashMap<String, PathBuf>> = RefCell::default();
    static MODELS: RefCell<HashMap<PathBuf, Model>> = RefCell::default();
}

/// The model directory called `name`, with these bytes in one of its files. It has a tokenizer of the fixtures
/// unless that file takes the tokenizer's place, and an index only if that is the file.
pub(crate) fn with(name: &str, file: &str, bytes: &[u8]) -> PathBuf {
    let make = || {
        let folder = scratch::folder().join(name);
        fs::create_dir(&folder).expect("a folder can be made");
        let put = |name: &str, bytes: &[u8]| {
            fs::write(folder.join(name), bytes).expect("a scratch file can be written");
        };
        put("config.json", CONFIG.as_bytes());
        match file {
            INDEX => {
                put("a.safetensors", &safetensors(TENSORS[0].iter()));
                put("b.safetensors", &safetensors(TENSORS[1].iter()));
            }
            _ => put("model.safetensors", &safetensors(TENSORS.iter().copied().flatten())),
        }
        if file != "tokenizer.model" {
            put("tokenizer.json", crate::seeds::first_tokenizer().as_slice());
            put("tokenizer_config.json", TOKENIZER_CONFIG.as_bytes());
        }
        folder
    };
    let folder = FOLDERS.with_borrow_mut(|made| made.entry(name.to_owned()).or_insert_with(make).clone());
    scratch::write(&folder.join(file), bytes);
    folder
}

/// Hands on the model of a directory, whose config is read once.
pub(crate) fn with_model<T>(folder: &Path, then: impl FnOnce(&Model) -> T) -> T {
    MODELS.with_borrow_mut(|models| {
        let open = || Model::open(folder, None).expect("the config is that of a model");
        then(models.entry(folder.to_owned()).or_insert_with(open))
    })
}

/// An index of the two files.
pub(crate) fn index() -> String {
    let lines = TENSORS.iter().zip(["a", "b"]).flat_map(|(tensors, file)| {
        tensors.iter().map(move |(name, _)| format!("\"{name}\":\"{file}.safetensors\""))
    });
    format!(
        "{{\"metadata\":{{\"total_size\":1}},\"weight_map\":{{{}}}}}",
        lines.collect::<Vec<_>>().join(",")
    )
}

/// A file of tensors in BF16, all zero.
fn safetensors<'a>(tensors: impl Iterator<Item = &'a (&'a str, &'a [u64])>) -> Vec<u8> {
    let (mut entries, mut end) = (Vec::new(), 0);
    for (name, shape) in tensors {
        let begin = end;
        end += 2 * shape.iter().product::<u64>();
        entries.push(format!(
            "\"{name}\":{{\"dtype\":\"BF16\",\"shape\":{shape:?},\"data_offsets\":[{begin},{end}]}}"
        ));
    }
    let header = format!("{{{}}}", entries.join(","));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &vec![0; end as usize]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_converts_and_so_does_every_tokenizer_that_it_gets() {
        let plan = |folder: &Path| {
            use briq_convert::plan::{Plan, PlanOptions};
            Plan::new(folder, &PlanOptions::new(briq_convert::recipe::Recipe::Auto)).map(drop)
        };
        plan(&with("config", "config.json", CONFIG.as_bytes())).unwrap();
        plan(&with("index", INDEX, index().as_bytes())).unwrap();
        for (number, seed) in crate::seeds::tokenizer().iter().enumerate() {
            let folder = with("tokenizer", "tokenizer.json", seed);
            plan(&folder).unwrap_or_else(|error| panic!("tokenizer {number}: {error}"));
        }
        for seed in crate::seeds::sentencepiece() {
            plan(&with("sentencepiece", "tokenizer.model", &seed)).unwrap();
        }
    }
}
