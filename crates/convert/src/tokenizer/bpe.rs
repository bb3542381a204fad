//! Byte-level BPE from `tokenizer.json`: tokens, and merges as text.
//!
//! Tokens are written in the alphabet in which `tokenizer.json` has them, where each byte is a printable
//! character; runtimes know it. An added token's text is taken as it stands.

use briq_format::metadata::MetadataBuf;

use super::files::Files;
use super::vocabulary::{Entries, Vocabulary};
use crate::Result;
use crate::json::{Json, Object, Quoted};
use crate::model::Config;

/// The vocabulary of a byte-level BPE tokenizer.
pub(super) fn vocabulary(files: &Files, config: &Config) -> Result<Vocabulary> {
    Entries::of(files, files.model("BPE")?)?.vocabulary(config)
}

/// Writes the merges, each as its two parts with a space between.
///
/// # Errors
///
/// When a merge has neither of the two forms that exist, or joins what the vocabulary does not have.
pub(super) fn write_merges(files: &Files, metadata: &mut MetadataBuf) -> Result<()> {
    let model = files.model("BPE")?;
    let merges = model.get("merges").and_then(Json::as_array);
    let merges = merges.ok_or_else(|| files.bad("the model's \"merges\" is not an array"))?;
    let empty = Object::new();
    let vocabulary = model.get("vocab").and_then(Json::as_object).unwrap_or(&empty);
    let mut texts = Vec::with_capacity(merges.len());
    for (index, merge) in merges.iter().enumerate() {
        let (left, right) = parts(merge).ok_or_else(|| {
            files.bad(format!(
                "merge {index} is {merge}; allowed is two parts, as an array or with one space between"
            ))
        })?;
        for text in [left, right, &format!("{left}{right}")] {
            if !vocabulary.contains_key(text) {
                let text = Quoted(text);
                return Err(files.bad(format!("merge {index}: the vocabulary has no token {text}")));
            }
        }
        // Only the array form can hold a space inside a part; its place in the alphabet of bytes is U+0120.
        texts.push(format!("{} {}", left.replace(' ', "\u{120}"), right.replace(' ', "\u{120}")));
    }
    if !texts.is_empty() {
        metadata.set("tokenizer.ggml.merges", texts)?;
    }
    Ok(())
}

/// The two parts of a merge.
fn parts(merge: &Json) -> Option<(&str, &str)> {
    let (left, right) = match merge {
        Json::String(text) => text.split_once(' ').filter(|(_, right)| !right.contains(' '))?,
        Json::Array(pair) => match pair.as_slice() {
            [Json::String(left), Json::String(right)] => (left.as_str(), right.as_str()),
            _ => return None,
        },
        _ => return None,
    };
    (!left.is_empty() && !right.is_empty()).then_some((left, right))
}
