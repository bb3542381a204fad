//! SentencePiece: from the `tokenizer.model` protobuf, or from the `tokenizer.json` that was made of one.
//!
//! Only the pieces are read; runtimes bring the rest. A `tokenizer.json` has merges where the model has
//! scores, and the scores cannot be got back: every token gets the same, as llama.cpp's converter has it.

use prost::Message;

use super::files::{AddedToken, Files, NAMED};
use super::vocabulary::{ADDED_SCORE, Entries, Token, TokenType, Vocabulary, added_token};
use crate::json::{self, Json};
use crate::model::Config;
use crate::{Error, Result};

/// The part of SentencePiece's `ModelProto` that is read.
#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
}

#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, tag = "1")]
    piece: String,
    #[prost(float, tag = "2")]
    score: f32,
    /// Normal where absent.
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

impl Piece {
    /// User-defined pieces count as normal, as the converter has it.
    fn token_type(&self) -> TokenType {
        match self.kind {
            Some(2) => TokenType::Unknown,
            Some(3) => TokenType::Control,
            Some(5) => TokenType::Unused,
            Some(6) => TokenType::Byte,
            _ => TokenType::Normal,
        }
    }
}

/// The vocabulary in `tokenizer.model`, with the tokens that `added_tokens.json` and
/// `tokenizer_config.json` put beside or over its own. Tokens beyond the config's `vocab_size` are left out.
pub(super) fn vocabulary(files: &Files, config: &Config) -> Result<Vocabulary> {
    let path = files.sentencepiece_path();
    let bytes = json::read_bytes(&path, json::TOKENIZER_CAP)?;
    let model = ModelProto::decode(bytes.as_slice())
        .map_err(|error| Error::bad(&path, format!("not a SentencePiece model: {error}")))?;
    if model.pieces.is_empty() {
        return Err(Error::bad(&path, "not a SentencePiece model: it has no pieces"));
    }
    let added_path = files.directory.join("added_tokens.json");
    let added = json::read_if_present(&added_path, json::TOKENIZER_CAP)?;
    let added = user_tokens(added.as_ref())
        .ok_or_else(|| Error::bad(&added_path, "not an object of ids by token"))?;
    let settings_tokens = files.settings_tokens()?;

    let entries = model.pieces.len() + added.len() + settings_tokens.len();
    let count = config.optional_size("vocab_size")?.unwrap_or(model.pieces.len() as u64);
    let mut vocabulary = Vocabulary::unused(count, entries, config)?;
    for (token, piece) in vocabulary.iter_mut().zip(&model.pieces) {
        *token = Token { text: piece.piece.clone(), kind: piece.token_type(), score: piece.score };
    }
    for (id, text) in added {
        if let Some(token) = vocabulary.get_mut(id) {
            *token = Token { text: text.to_owned(), kind: TokenType::UserDefined, score: ADDED_SCORE };
        }
    }
    for added in &settings_tokens {
        if let Some(token) = vocabulary.get_mut(added.id) {
            *token = added_token(added);
        }
    }
    Ok(vocabulary)
}

/// The ids and texts of `added_tokens.json`.
fn user_tokens(json: Option<&Json>) -> Option<Vec<(u32, &str)>> {
    let Some(json) = json else { return Some(Vec::new()) };
    json.as_object()?.iter().map(|(text, id)| Some((id.as_u32()?, text.as_str()))).collect()
}

/// Whether `tokenizer` was made of a SentencePiece model: BPE that falls back to bytes and is not byte-level.
pub(super) fn is_json_form(tokenizer: &Json) -> bool {
    let model = |key| tokenizer.get("model").and_then(|model| model.get(key));
    let decoder = tokenizer.get("decoder").and_then(|decoder| decoder.get("type"));
    model("type").and_then(Json::as_str) == Some("BPE")
        && model("byte_fallback").and_then(Json::as_bool) == Some(true)
        && decoder.and_then(Json::as_str) == Some("Sequence")
}

/// The vocabulary of a `tokenizer.json` for which [`is_json_form`] holds.
pub(super) fn vocabulary_from_json(files: &Files, config: &Config) -> Result<Vocabulary> {
    let model = files.model("BPE")?;
    let entries = Entries::of(files, model)?;
    let mut vocabulary = Vocabulary::unused(entries.id_count(config)?, entries.by_id.len(), config)?;
    let is_special = |token: &AddedToken<'_>| {
        token.is_special || NAMED.iter().any(|name| files.special_text(name) == Some(token.content))
    };
    for (&id, &text) in &entries.by_id {
        let Some(token) = vocabulary.get_mut(id) else { continue };
        let kind = match entries.added.get(&id) {
            _ if is_byte(text) => TokenType::Byte,
            Some(added) if is_special(added) => TokenType::Control,
            Some(_) if model.get("vocab").and_then(|vocab| vocab.get(text)).is_none() => {
                TokenType::UserDefined
            }
            _ => TokenType::Normal,
        };
        *token = Token { text: text.to_owned(), kind, score: ADDED_SCORE };
    }
    Ok(vocabulary)
}

/// `<0x0A>`: a token for one byte.
fn is_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}
