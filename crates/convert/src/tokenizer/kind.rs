//! Which vocabulary a directory holds, and which of its files is to be believed.
//!
//! `tokenizer.json` is what the tokenizers library runs, so it decides. A SentencePiece model beside it is
//! read where both hold the same pieces: it has the scores, which the merges of a `tokenizer.json` only
//! imply. Where they contradict, one of them was left behind by an edit, and the model is not read.

use std::collections::HashSet;
use std::path::PathBuf;

use super::files::Files;
use super::proto::{Algorithm, Model};
use super::{rwkv, slow};
use crate::json::{Json, is_present};
use crate::{Error, Result};

/// A vocabulary, and where it is found.
#[derive(Debug)]
pub(super) enum Kind {
    /// BPE over bytes, in `tokenizer.json`.
    ByteLevel,
    /// WordPiece, in `tokenizer.json`.
    WordPiece,
    /// SentencePiece's BPE, with its scores.
    SentencePiece(Model),
    /// SentencePiece's BPE as merges, in `tokenizer.json`.
    Merges,
    /// The most likely sequence of pieces, in `tokenizer.json`.
    Unigram,
    /// The same, in SentencePiece's own file.
    UnigramModel(Model),
    /// RWKV's list of words, in this file.
    Rwkv(PathBuf),
}

/// The names that SentencePiece models go by.
const MODELS: [&str; 3] = ["tokenizer.model", "spiece.model", "sentencepiece.bpe.model"];

impl Kind {
    /// Finds the vocabulary among the files, which are completed with a `tokenizer.json` made of older ones
    /// where there is no other.
    ///
    /// # Errors
    ///
    /// When there is none, or it is of a kind that no runtime has.
    pub(super) fn of(files: &mut Files) -> Result<Self> {
        let path = MODELS.iter().map(|name| files.directory.join(name)).find(|path| is_present(path));
        if files.tokenizer.is_none() && path.is_none() {
            let words = files.directory.join(rwkv::FILE);
            if is_present(&words) {
                return Ok(Self::Rwkv(words));
            }
            slow::complete(files)?;
        }
        let Some(tokenizer) = &files.tokenizer else {
            let Some(path) = path else { return Err(nothing(files)) };
            let model = Model::read(&path)?;
            return Ok(match model.algorithm()? {
                Algorithm::Unigram => Self::UnigramModel(model),
                Algorithm::BytePair => Self::SentencePiece(model),
            });
        };
        let model = tokenizer.get("model").unwrap_or(&Json::Null);
        match model_type(model) {
            Some("WordPiece") => Ok(Self::WordPiece),
            Some("Unigram") => Ok(Self::Unigram),
            Some("BPE") if falls_back_to_bytes(tokenizer) => {
                // A file that is no SentencePiece model contradicts as well; other formats go by that name. One
                // that cannot be read says nothing.
                let model = path.map(|path| Model::read_if_model(&path)).transpose()?.flatten();
                let same = model.filter(|sentencepiece| {
                    matches!(sentencepiece.algorithm(), Ok(Algorithm::BytePair))
                        && agrees(sentencepiece, files)
                });
                Ok(same.map_or(Self::Merges, Self::SentencePiece))
            }
            Some("BPE") => Ok(Self::ByteLevel),
            _ => {
                let found = model.get("type").unwrap_or(&Json::Null);
                Err(files.bad(format!(
                    "the model's \"type\" is {found}; runtimes have \"BPE\", \"Unigram\" and \"WordPiece\""
                )))
            }
        }
    }
}

fn nothing(files: &Files) -> Error {
    Error::bad(
        &files.directory,
        format!(
            "there is no tokenizer: none of tokenizer.json, {}, {}, vocab.txt, and vocab.json with merges.txt",
            MODELS.join(", "),
            rwkv::FILE
        ),
    )
}

/// The type of a `tokenizer.json`'s model. Old files leave it out; then the members tell, as they tell the
/// tokenizers library.
pub(super) fn model_type(model: &Json) -> Option<&str> {
    match model.get("type") {
        Some(stated) if !stated.is_null() => stated.as_str(),
        _ if model.get("merges").is_some() => Some("BPE"),
        _ if model.get("max_input_chars_per_word").is_some() => Some("WordPiece"),
        _ if model.get("vocab").and_then(Json::as_array).is_some() => Some("Unigram"),
        _ => None,
    }
}

/// Whether BPE was made of a SentencePiece model: it falls back to bytes and is not byte-level.
fn falls_back_to_bytes(tokenizer: &Json) -> bool {
    let fallback = tokenizer.get("model").and_then(|model| model.get("byte_fallback")?.as_bool());
    fallback == Some(true)
        && !has_step(tokenizer.get("pre_tokenizer"), "pretokenizers", "ByteLevel")
        && !has_step(tokenizer.get("decoder"), "decoders", "ByteLevel")
}

/// Whether a step, or one in a sequence of them, is of this type.
pub(super) fn has_step(step: Option<&Json>, children: &str, kind: &str) -> bool {
    step.is_some_and(|step| {
        step.get("type").and_then(Json::as_str) == Some(kind)
            || step
                .get(children)
                .and_then(Json::as_array)
                .is_some_and(|several| several.iter().any(|step| has_step(Some(step), children, kind)))
    })
}

/// Whether the model has the pieces of `tokenizer.json`, under the same ids. Added tokens may lie beyond the
/// pieces, or stand in the place of one.
fn agrees(model: &Model, files: &Files) -> bool {
    let Some(vocabulary) =
        files.tokenizer.as_ref().and_then(|json| json.get("model")?.get("vocab")?.as_object())
    else {
        return false;
    };
    let Ok(added) = files.added_tokens() else { return false };
    let added_ids: HashSet<u32> = added.iter().map(|token| token.id).collect();
    let pieces = model.pieces();
    let is_piece = |(text, id): (&String, &Json)| {
        id.as_u32().is_some_and(|id| {
            added_ids.contains(&id) || pieces.get(id as usize).is_some_and(|piece| piece.text == *text)
        })
    };
    let is_token = |(id, text): (usize, &str)| {
        vocabulary.contains_key(text) || u32::try_from(id).is_ok_and(|id| added_ids.contains(&id))
    };
    vocabulary.iter().all(is_piece)
        && pieces.iter().enumerate().all(|(id, piece)| is_token((id, piece.text.as_str())))
}
