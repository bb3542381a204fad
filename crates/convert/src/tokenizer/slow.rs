//! Directories without a `tokenizer.json`: one is made of the older files, as their class would make it.

use super::files::Files;
use super::wordpiece;
use crate::json::{self, Json, Object};
use crate::{Error, Result};

/// What the class of a tokenizer implies beyond its two files.
struct Class {
    names: &'static [&'static str],
    /// Normalizer, pre-tokenizer and post-processor, as `tokenizer.json` has them.
    steps: &'static str,
    /// Special tokens where the settings do not name any.
    special: &'static [(&'static str, &'static str)],
}

/// The classes that keep `vocab.json` and `merges.txt`. Source: the transformers library.
const CLASSES: [Class; 3] = [
    Class {
        names: &["GPT2Tokenizer", "GPT2TokenizerFast", "CodeGenTokenizer", "CodeGenTokenizerFast"],
        steps: r#"{"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
                   "post_processor": {"type": "ByteLevel"}}"#,
        special: &[("bos", "<|endoftext|>"), ("eos", "<|endoftext|>"), ("unk", "<|endoftext|>")],
    },
    Class {
        names: &["RobertaTokenizer", "RobertaTokenizerFast"],
        steps: r#"{"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
                   "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]}}"#,
        special: &[
            ("bos", "<s>"),
            ("eos", "</s>"),
            ("unk", "<unk>"),
            ("sep", "</s>"),
            ("pad", "<pad>"),
            ("cls", "<s>"),
            ("mask", "<mask>"),
        ],
    },
    Class {
        names: &["Qwen2Tokenizer", "Qwen2TokenizerFast"],
        steps: r#"{"normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "behavior": "Isolated", "pattern": {"Regex":
             "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}},
            {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]},
            "post_processor": {"type": "ByteLevel"}}"#,
        special: &[("eos", "<|endoftext|>"), ("pad", "<|endoftext|>")],
    },
];

/// Makes a `tokenizer.json` of `vocab.txt`, or of `vocab.json` and `merges.txt`, when the directory has these.
/// A class that is not known leaves the pre-tokenizer open: then it has to be named.
///
/// # Errors
///
/// When a file cannot be read, or says nonsense.
pub(super) fn complete(files: &mut Files) -> Result<()> {
    wordpiece::complete(files)?;
    let (vocabulary, merges) = (files.directory.join("vocab.json"), files.merges_path());
    if files.tokenizer.is_some() || !json::is_present(&vocabulary) || !json::is_present(&merges) {
        return Ok(());
    }
    let Json::Object(ids) = json::read(&vocabulary, json::TOKENIZER_CAP)? else {
        return Err(Error::bad(&vocabulary, "not an object of ids by token"));
    };
    let name = files.setting("tokenizer_class").and_then(Json::as_str).unwrap_or_default();
    let class = CLASSES.iter().find(|class| class.names.contains(&name));
    let mut tokenizer = match class.map(|class| json::parse(&vocabulary, class.steps)).transpose()? {
        Some(Json::Object(steps)) => steps,
        _ => Object::new(),
    };
    for (key, token) in class.map_or(&[][..], |class| class.special) {
        if files.special_text(key).is_none() && ids.contains_key(*token) {
            files.settings.insert(format!("{key}_token"), Json::String((*token).to_owned()));
        }
    }
    tokenizer.insert("added_tokens".to_owned(), Json::Array(special_tokens(files, &ids)));
    let model = [("type", Json::String("BPE".to_owned())), ("vocab", Json::Object(ids))];
    tokenizer.insert("model".to_owned(), object(model));
    files.tokenizer = Some(Json::Object(tokenizer));
    Ok(())
}

/// The special tokens that the settings name and the vocabulary has, as entries of `added_tokens`.
pub(super) fn special_tokens(files: &Files, ids: &Object) -> Vec<Json> {
    let mut texts: Vec<&str> =
        super::files::NAMED.iter().filter_map(|name| files.special_text(name)).collect();
    texts.sort_unstable();
    texts.dedup();
    let entry = |content: &str| {
        let id = ids.get(content)?.clone();
        Some(object([
            ("id", id),
            ("content", Json::String(content.to_owned())),
            ("special", Json::Bool(true)),
        ]))
    };
    texts.into_iter().filter_map(entry).collect()
}

pub(super) fn object<'k>(members: impl IntoIterator<Item = (&'k str, Json)>) -> Json {
    Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
