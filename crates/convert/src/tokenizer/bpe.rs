//! Byte-level BPE from `tokenizer.json`: tokens, and merges as text.
//!
//! Tokens are written in the alphabet in which `tokenizer.json` has them, where each byte is a printable
//! character; runtimes know it. An added token's text is taken as it stands.

use std::borrow::Cow;

use briq_format::metadata::MetadataBuf;

use super::files::Files;
use super::vocabulary::{Entries, Vocabulary};
use crate::json::{self, Json, Object, Quoted};
use crate::model::Config;
use crate::{Error, Result};

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
    // Only the array form can hold a space inside a part; its place in the alphabet of bytes is U+0120.
    let spelled = |part: &str| part.replace(' ', "\u{120}");
    let merges = merges(files, files.model("BPE")?)?;
    let texts: Vec<String> =
        merges.iter().map(|(left, right)| format!("{} {}", spelled(left), spelled(right))).collect();
    if !texts.is_empty() {
        metadata.set("tokenizer.ggml.merges", texts)?;
    }
    Ok(())
}

/// A merge: the two parts that become one.
type Merge<'a> = (Cow<'a, str>, Cow<'a, str>);

/// The merges of `model`, or those of `merges.txt` where the model has none.
///
/// # Errors
///
/// As [`write_merges`].
pub(super) fn merges<'a>(files: &Files, model: &'a Json) -> Result<Vec<Merge<'a>>> {
    let empty = Object::new();
    let vocabulary = model.get("vocab").and_then(Json::as_object).unwrap_or(&empty);
    let check = |(left, right): &Merge<'_>| {
        let joined = format!("{left}{right}");
        let unknown = [left.as_ref(), right.as_ref(), &joined]
            .into_iter()
            .find(|text| !vocabulary.contains_key(*text))?;
        Some(format!("the vocabulary has no token {}", Quoted(unknown)))
    };
    let listed = match model.get("merges") {
        None => return of_text(files, &check),
        Some(merges) => {
            merges.as_array().ok_or_else(|| files.bad("the model's \"merges\" is not an array"))?
        }
    };
    let mut merges = Vec::with_capacity(listed.len());
    for (index, merge) in listed.iter().enumerate() {
        let (left, right) = parts(merge).ok_or_else(|| {
            files.bad(format!(
                "merge {index} is {merge}; allowed is two parts, as an array or with one space between"
            ))
        })?;
        let merge = (left.into(), right.into());
        if let Some(problem) = check(&merge) {
            return Err(files.bad(format!("merge {index}: {problem}")));
        }
        merges.push(merge);
    }
    Ok(merges)
}

/// The merges of `merges.txt`: a line each, after a line of comment.
fn of_text(files: &Files, check: &dyn Fn(&Merge<'_>) -> Option<String>) -> Result<Vec<Merge<'static>>> {
    let path = files.merges_path();
    if !json::is_present(&path) {
        return Err(files.bad("the model's \"merges\" is not an array, and there is no merges.txt"));
    }
    let text = json::read_text(&path, json::TOKENIZER_CAP)?;
    let mut merges = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || (index == 0 && line.starts_with('#')) {
            continue;
        }
        let bad = |problem: &str| Error::bad(&path, format!("line {}: {problem}", index + 1));
        let parts = line.split_once(' ').filter(|(_, right)| !right.contains(' '));
        let (left, right) = parts.ok_or_else(|| bad("allowed is two parts with one space between"))?;
        let merge = (left.to_owned().into(), right.to_owned().into());
        if let Some(problem) = check(&merge) {
            return Err(bad(&problem));
        }
        merges.push(merge);
    }
    Ok(merges)
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
