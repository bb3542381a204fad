//! Unigram vocabularies, as T5 and XLM-RoBERTa have them: pieces with probabilities.
//!
//! Runtimes call them `t5`. Beside the pieces a file carries the table by which SentencePiece replaces
//! characters, and what it does to spaces.

use super::PreTokenizer;
use super::base64;
use super::files::Files;
use super::kind::has_step;
use super::pre;
use super::proto::Model;
use super::sentencepiece::{is_byte, user_tokens};
use super::vocabulary::{ADDED_SCORE, Entries, Token, TokenType, Vocabulary, hold_tokens};
use crate::json::{self, Json};
use crate::model::Config;
use crate::{Error, Result};

/// A vocabulary and what is done to a text before it is cut.
#[derive(Debug)]
pub(super) struct Unigram {
    pub(super) vocabulary: Vocabulary,
    /// Whether a space is put in front of a text.
    pub(super) space_in_front: bool,
    /// Whether several spaces become one, and those at the ends go.
    pub(super) removes_extra_spaces: bool,
    /// SentencePiece's table of replacements; empty when there is none.
    pub(super) character_map: Vec<u8>,
}

impl Unigram {
    /// The vocabulary of a SentencePiece model, with the tokens that other files add.
    ///
    /// # Errors
    ///
    /// When a file is malformed, or the config has fewer ids than there are tokens.
    pub(super) fn of_model(model: &Model, files: &Files, config: &Config) -> Result<Self> {
        let mut pieces: Vec<Token> = model
            .pieces()
            .iter()
            .map(|piece| Token { text: piece.text.clone(), kind: piece.token_type(), score: piece.score })
            .collect();
        if model.path.ends_with("sentencepiece.bpe.model") {
            realign(&mut pieces);
        }
        let added_path = files.directory.join("added_tokens.json");
        let user = json::read_if_present(&added_path, json::TOKENIZER_CAP)?;
        let user = user_tokens(user.as_ref())
            .ok_or_else(|| Error::bad(&added_path, "not an object of ids by token"))?;
        let settings = files.settings_tokens()?;
        let last = user.iter().map(|(id, _)| *id).chain(settings.iter().map(|token| token.id)).max();
        let needed = (pieces.len() as u64).max(last.map_or(0, |id| u64::from(id) + 1));
        let count = Entries::count(config, needed)?;
        let entries = pieces.len() + user.len() + settings.len();
        let mut vocabulary = Vocabulary::unused(count, entries, config)?;
        vocabulary.iter_mut().zip(pieces).for_each(|(token, piece)| *token = piece);
        for (id, text) in user {
            if let Some(token) = vocabulary.get_mut(id) {
                *token = Token { text: text.to_owned(), kind: TokenType::UserDefined, score: ADDED_SCORE };
            }
        }
        for added in &settings {
            if let Some(token) = vocabulary.get_mut(added.id) {
                token.add(added);
            }
        }
        Ok(Self {
            vocabulary,
            space_in_front: model.adds_space_in_front(),
            removes_extra_spaces: model.removes_extra_spaces(),
            character_map: model.character_map().to_vec(),
        })
    }

    /// The vocabulary of a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// When the file is malformed, the config has fewer ids than there are tokens, or a step before the
    /// cutting is one that runtimes do not have and no pre-tokenizer is chosen.
    pub(super) fn of_json(files: &Files, config: &Config, pre: &PreTokenizer<'_>) -> Result<Self> {
        let tokenizer = files.tokenizer()?;
        let model = files.model("Unigram")?;
        let pieces = model.get("vocab").and_then(Json::as_array);
        let pieces = pieces.ok_or_else(|| files.bad("the model's \"vocab\" is not an array"))?;
        hold_tokens(&files.tokenizer_path(), pieces.len())?;
        let unknown = model.get("unk_id").and_then(Json::as_u32);
        let added = files.added_tokens()?;
        let last = added.iter().map(|token| u64::from(token.id) + 1).max().unwrap_or(0);
        let count = Entries::count(config, last.max(pieces.len() as u64))?;
        let mut vocabulary = Vocabulary::unused(count, pieces.len() + added.len(), config)?;
        for ((id, token), piece) in (0_u32..).zip(vocabulary.iter_mut()).zip(pieces) {
            let (text, score) = piece_of(piece).ok_or_else(|| {
                files.bad(format!("piece {id} is {piece}; allowed is an array of a text and a finite score"))
            })?;
            let kind = match text {
                _ if Some(id) == unknown => TokenType::Unknown,
                text if is_byte(text) => TokenType::Byte,
                _ => TokenType::Normal,
            };
            *token = Token { text: text.to_owned(), kind, score };
        }
        for added in &added {
            if let Some(token) = vocabulary.get_mut(added.id) {
                token.add(added);
            }
        }
        let mut unigram = Self {
            vocabulary,
            space_in_front: false,
            removes_extra_spaces: has_step(
                tokenizer.get("pre_tokenizer"),
                "pretokenizers",
                "WhitespaceSplit",
            ),
            character_map: Vec::new(),
        };
        for (kind, step) in pre::flat(tokenizer) {
            let known = unigram.read_step(kind, step, files)?;
            if !known && pre.chosen.is_none() {
                return Err(files.bad(format!(
                    "a Unigram vocabulary with the step {}; runtimes know \"Precompiled\", \"Replace\" of several \
                     spaces, \"Strip\", \"WhitespaceSplit\" and \"Metaspace\". To leave the step out, say \
                     --pre default",
                    pre::shown(&pre::spell(kind, step))
                )));
            }
        }
        Ok(unigram)
    }

    /// Reads one step of normalizer or pre-tokenizer; whether it is one that runtimes have.
    fn read_step(&mut self, kind: &str, step: &Json, files: &Files) -> Result<bool> {
        match kind {
            "Precompiled" => {
                let text = step.get("precompiled_charsmap").and_then(Json::as_str).unwrap_or_default();
                self.character_map = base64::decode(text)
                    .ok_or_else(|| files.bad("the normalizer's \"precompiled_charsmap\" is not Base64"))?;
            }
            "Replace" => {
                let pattern = step.get("pattern").and_then(|pattern| pattern.get("Regex")?.as_str());
                self.removes_extra_spaces |= pattern == Some(" {2,}");
                return Ok(pattern == Some(" {2,}"));
            }
            "Metaspace" => {
                let scheme = step.get("prepend_scheme").and_then(Json::as_str);
                let prefix = step.get("add_prefix_space").and_then(Json::as_bool).unwrap_or(true);
                self.space_in_front |= scheme.map_or(prefix, |scheme| scheme != "never");
            }
            "Strip" | "WhitespaceSplit" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A piece of `tokenizer.json`: `["text", -1.5]`.
fn piece_of(piece: &Json) -> Option<(&str, f32)> {
    let [text, score] = piece.as_array()? else { return None };
    let score = crate::model::number(score)? as f32;
    Some((text.as_str()?, score)).filter(|_| score.is_finite())
}

/// The ids of fairseq, which XLM-RoBERTa keeps: `<s> <pad> </s> <unk>`, then the pieces after the first three.
fn realign(pieces: &mut Vec<Token>) {
    let special = [
        ("<s>", TokenType::Control),
        ("<pad>", TokenType::Control),
        ("</s>", TokenType::Control),
        ("<unk>", TokenType::Unknown),
    ];
    let special = special.map(|(text, kind)| Token { text: text.to_owned(), kind, score: 0.0 });
    pieces.splice(..pieces.len().min(3), special);
}
