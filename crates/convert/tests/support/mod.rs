//! Directories of models whose tokenizers are ready to be spoiled.

#![allow(dead_code, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use briq_convert::model::{MetadataRequest, Model, Parameters};
use briq_format::MetadataBuf;
use briq_format::metadata::Value;
use serde_json::{Value as Json, json};

/// A directory of a Llama with a byte-level BPE of six tokens, ready to be spoiled.
pub(crate) struct Directory {
    files: tempfile::TempDir,
    pub(crate) tokenizer: Json,
}

impl Directory {
    pub(crate) fn new() -> Self {
        let tokenizer = json!({
            "added_tokens": [
                {"id": 4, "content": "<|start|>", "special": true},
                {"id": 5, "content": "<\u{2581}tool>", "special": false},
            ],
            "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3}, "merges": ["a b"]},
        });
        let directory = Self { files: tempfile::tempdir().unwrap(), tokenizer };
        directory.write(
            "config.json",
            json!({"architectures": ["LlamaForCausalLM"], "vocab_size": 8}).to_string(),
        );
        directory
    }

    pub(crate) fn path(&self) -> &Path {
        self.files.path()
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), content).unwrap();
    }

    /// The keys, or the message.
    pub(crate) fn metadata(&self) -> Result<MetadataBuf, String> {
        self.write("tokenizer.json", self.tokenizer.to_string());
        self.as_it_is()
    }

    pub(crate) fn as_it_is(&self) -> Result<MetadataBuf, String> {
        self.with_pre(None)
    }

    pub(crate) fn with_pre(&self, pre: Option<&str>) -> Result<MetadataBuf, String> {
        let request =
            MetadataRequest { directory_name: "x", file_type: 0, parameters: Parameters::default(), pre };
        let metadata = Model::open(self.path(), None).and_then(|model| model.metadata(&request));
        metadata.map_err(|error| self.without_path(&error.to_string()))
    }

    /// A message with the files named as they are in the directory, which is called `model`.
    fn without_path(&self, message: &str) -> String {
        let path = self.path().display().to_string();
        message.replace(&format!("{path}/"), "").replace(&path, "model")
    }
}

pub(crate) fn texts(metadata: &MetadataBuf, key: &str) -> Vec<String> {
    let array = metadata.get(key).and_then(|value| value.as_array()).unwrap();
    array.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

pub(crate) fn numbers(metadata: &MetadataBuf, key: &str) -> Vec<i32> {
    let array = metadata.get(key).and_then(|value| value.as_array()).unwrap();
    let number = |value| if let Value::I32(number) = value { number } else { panic!("{value:?}") };
    array.iter().map(number).collect()
}
