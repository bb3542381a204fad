//! SentencePiece's `ModelProto`: the pieces and the few settings that a GGUF file carries.

use std::path::{Path, PathBuf};

use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use super::vocabulary::{MOST_TOKENS, TokenType};
use crate::json;
use crate::{Error, Result};

/// A SentencePiece model file.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) path: PathBuf,
    proto: ModelProto,
}

/// How a model cuts text into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// The most likely sequence of pieces.
    Unigram,
    /// Pairs are merged, best score first.
    BytePair,
}

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<Trainer>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<Normalizer>,
}

/// A piece: its text, its score, and what it is for.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Piece {
    #[prost(string, tag = "1")]
    pub(super) text: String,
    #[prost(float, tag = "2")]
    pub(super) score: f32,
    /// Normal where absent.
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

impl Piece {
    /// User-defined pieces count as normal, as llama.cpp's converter has it.
    pub(super) fn token_type(&self) -> TokenType {
        match self.kind {
            Some(2) => TokenType::Unknown,
            Some(3) => TokenType::Control,
            Some(5) => TokenType::Unused,
            Some(6) => TokenType::Byte,
            _ => TokenType::Normal,
        }
    }
}

#[derive(Clone, PartialEq, Message)]
struct Trainer {
    /// 1 where absent.
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Normalizer {
    #[prost(bytes = "vec", tag = "2")]
    precompiled_charsmap: Vec<u8>,
    /// True where absent, as is the next.
    #[prost(bool, optional, tag = "3")]
    add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    remove_extra_whitespaces: Option<bool>,
}

impl Model {
    /// Reads the model at `path`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, is no SentencePiece model, or has no pieces or too many.
    pub(super) fn read(path: &Path) -> Result<Self> {
        Self::of_bytes(path, &json::read_bytes(path, json::TOKENIZER_CAP)?)
            .map_err(|problem| Error::bad(path, format!("not a SentencePiece model: {problem}")))
    }

    /// As [`read`](Self::read), but a file of another format is `None`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read.
    pub(super) fn read_if_model(path: &Path) -> Result<Option<Self>> {
        Ok(Self::of_bytes(path, &json::read_bytes(path, json::TOKENIZER_CAP)?).ok())
    }

    fn of_bytes(path: &Path, bytes: &[u8]) -> Result<Self, String> {
        let pieces = piece_count(bytes);
        if pieces > MOST_TOKENS {
            return Err(format!("it has {pieces} pieces, where at most {MOST_TOKENS} are allowed"));
        }
        let proto = ModelProto::decode(bytes).map_err(|error| error.to_string())?;
        match proto.pieces.is_empty() {
            true => Err("it has no pieces".to_owned()),
            false => Ok(Self { path: path.to_owned(), proto }),
        }
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.proto.pieces
    }

    /// # Errors
    ///
    /// When the model is of a kind that runtimes do not have: words, or characters.
    pub(super) fn algorithm(&self) -> Result<Algorithm> {
        match self.proto.trainer.as_ref().and_then(|trainer| trainer.model_type) {
            None | Some(1) => Ok(Algorithm::Unigram),
            Some(2) => Ok(Algorithm::BytePair),
            Some(other) => Err(Error::bad(
                &self.path,
                format!("the model type is {other}; runtimes have 1 (unigram) and 2 (BPE)"),
            )),
        }
    }

    /// Whether a space is put in front of a text.
    pub(super) fn adds_space_in_front(&self) -> bool {
        self.proto.normalizer.as_ref().and_then(|normalizer| normalizer.add_dummy_prefix).unwrap_or(true)
    }

    /// Whether several spaces become one, and those at the ends go.
    pub(super) fn removes_extra_spaces(&self) -> bool {
        let normalizer = self.proto.normalizer.as_ref();
        normalizer.and_then(|normalizer| normalizer.remove_extra_whitespaces).unwrap_or(true)
    }

    /// The table by which characters are replaced, in SentencePiece's own form.
    pub(super) fn character_map(&self) -> &[u8] {
        self.proto.normalizer.as_ref().map_or(&[], |normalizer| &normalizer.precompiled_charsmap)
    }
}

/// The number of pieces up to the end or to what is no field, before room is made for them.
fn piece_count(mut bytes: &[u8]) -> usize {
    let mut count = 0;
    while let Ok((tag, wire_type)) = decode_key(&mut bytes)
        && skip_field(wire_type, tag, &mut bytes, DecodeContext::default()).is_ok()
    {
        count += usize::from(tag == 1);
    }
    count
}
