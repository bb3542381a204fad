//! A vocabulary as a GGUF file holds it: for each id a text, a type and perhaps a score.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use briq_format::metadata::MetadataBuf;

use super::files::{AddedToken, Files, NAMED};
use crate::json::{Json, Quoted};
use crate::model::Config;
use crate::{Error, Result};

/// The most tokens of a file: twice as many as the largest vocabulary has, the 901,629 of XLM-V. Each takes some
/// hundred bytes on its way, and two of a file.
pub(super) const MOST_TOKENS: usize = 1 << 21;

/// Fails where the file at `path` has more tokens than [`MOST_TOKENS`].
pub(super) fn hold_tokens(path: &Path, tokens: usize) -> Result<()> {
    match tokens {
        0..=MOST_TOKENS => Ok(()),
        _ => {
            Err(Error::bad(path, format!("it has {tokens} tokens, where at most {MOST_TOKENS} are allowed")))
        }
    }
}

/// What a token is to a runtime; the numbers of `tokenizer.ggml.token_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenType {
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) kind: TokenType,
    pub(super) score: f32,
}

impl Token {
    /// Takes an added token's text, when it has another, and its type, where the model's own says nothing.
    pub(super) fn add(&mut self, added: &AddedToken<'_>) {
        let other = added_token(added);
        match self.kind {
            _ if self.text != added.content => *self = other,
            TokenType::Normal | TokenType::Unused => self.kind = other.kind,
            _ => {}
        }
    }
}

/// The score of tokens that were added to a SentencePiece model.
pub(super) const ADDED_SCORE: f32 = -1000.0;
/// The score of ids that no token has.
const UNUSED_SCORE: f32 = -10_000.0;

/// Tokens by id, without gaps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Vocabulary {
    tokens: Vec<Token>,
}

/// How many ids beyond its tokens a config may claim; real ones pad to a multiple of at most a few thousand.
const PADDING_CAP: u64 = 65_536;

impl Vocabulary {
    /// `count` ids without tokens, for at most `entries` of which tokens are known. Such an id is called
    /// `[PAD7]` after its number.
    ///
    /// # Errors
    ///
    /// When the count is out of proportion to the entries.
    pub(super) fn unused(count: u64, entries: usize, config: &Config) -> Result<Self> {
        if count > entries as u64 + PADDING_CAP {
            return Err(config.bad(format!(
                "\"vocab_size\" is {count}, but the tokenizer has {entries} tokens; at most {PADDING_CAP} more are \
                 allowed"
            )));
        }
        let unused = |id| Token { text: format!("[PAD{id}]"), kind: TokenType::Unused, score: UNUSED_SCORE };
        Ok(Self { tokens: (0..count).map(unused).collect() })
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The token with this id, when there is such an id.
    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Token> {
        self.tokens.get_mut(id as usize)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Token> {
        self.tokens.iter_mut()
    }

    /// Two ids that have the same text, and the text.
    pub(super) fn twins(&self) -> Option<(usize, usize, &str)> {
        let mut ids = HashMap::with_capacity(self.tokens.len());
        self.tokens.iter().enumerate().find_map(|(id, token)| {
            let first = ids.insert(token.text.as_str(), id)?;
            Some((first, id, token.text.as_str()))
        })
    }

    /// Writes the model's name, the pre-tokenizer's, and the tokens.
    pub(super) fn write(
        &self,
        model: &str,
        pre: Option<&str>,
        with_scores: bool,
        metadata: &mut MetadataBuf,
    ) -> Result<()> {
        metadata.set("tokenizer.ggml.model", model)?;
        if let Some(pre) = pre {
            metadata.set("tokenizer.ggml.pre", pre)?;
        }
        let texts: Vec<&str> = self.tokens.iter().map(|token| token.text.as_str()).collect();
        metadata.set("tokenizer.ggml.tokens", texts.as_slice())?;
        if with_scores {
            let scores: Vec<f32> = self.tokens.iter().map(|token| token.score).collect();
            metadata.set("tokenizer.ggml.scores", scores)?;
        }
        let types: Vec<i32> = self.tokens.iter().map(|token| token.kind as i32).collect();
        metadata.set("tokenizer.ggml.token_type", types)?;
        Ok(())
    }
}

/// The tokens of a `tokenizer.json`: those of its model, and those added.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    pub(super) by_id: BTreeMap<u32, &'a str>,
    pub(super) added: BTreeMap<u32, AddedToken<'a>>,
}

impl<'a> Entries<'a> {
    /// Collects the tokens of `model`, whose `vocab` is an object of ids, and the added ones.
    ///
    /// # Errors
    ///
    /// When there are too many tokens, an id is not a number of 32 bits, or two tokens have one id.
    pub(super) fn of(files: &'a Files, model: &'a Json) -> Result<Self> {
        let vocabulary = model.get("vocab").and_then(Json::as_object);
        let vocabulary = vocabulary.ok_or_else(|| files.bad("the model's \"vocab\" is not an object"))?;
        hold_tokens(&files.tokenizer_path(), vocabulary.len())?;
        let mut by_id = BTreeMap::new();
        for (text, id) in vocabulary {
            let id = id.as_u32().ok_or_else(|| {
                files.bad(format!(
                    "token {text:?} has the id {id}; allowed is an integer from 0 to 4294967295"
                ))
            })?;
            insert(&mut by_id, id, text, files)?;
        }
        let id_of = |content: &str| vocabulary.get(content).and_then(Json::as_u32);
        let (mut added, mut contents) = (BTreeMap::new(), HashSet::new());
        for token in files.added_tokens()? {
            match id_of(token.content) {
                Some(id) if id != token.id => {
                    let (content, added) = (Quoted(token.content), token.id);
                    return Err(
                        files.bad(format!("token {content} has the id {id} and, where added, {added}"))
                    );
                }
                _ if !contents.insert(token.content) => continue,
                Some(_) => {}
                None => insert(&mut by_id, token.id, token.content, files)?,
            }
            added.insert(token.id, token);
        }
        // The settings may add more, but where they contradict `tokenizer.json`, that decides: they are
        // often left behind when a vocabulary changes.
        for token in files.settings_tokens()? {
            let id = id_of(token.content).unwrap_or(token.id);
            if by_id.get(&id).is_none_or(|known| *known == token.content) && contents.insert(token.content) {
                by_id.insert(id, token.content);
                added.insert(id, AddedToken { id, ..token });
            }
        }
        // A token that the settings name is special, whether or not it was added.
        for content in NAMED.iter().filter_map(|name| files.special_text(name)) {
            if let Some(id) = id_of(content)
                && contents.insert(content)
            {
                added.insert(id, AddedToken { id, content, is_special: true });
            }
        }
        Ok(Self { by_id, added })
    }

    /// The number of ids: the config's `vocab_size`, or just enough.
    ///
    /// # Errors
    ///
    /// When a token has an id beyond the config's.
    pub(super) fn id_count(&self, config: &Config) -> Result<u64> {
        Self::count(config, self.by_id.last_key_value().map_or(0, |(id, _)| u64::from(*id) + 1))
    }

    /// The number of ids where tokens need this many.
    ///
    /// # Errors
    ///
    /// When the config has fewer.
    pub(super) fn count(config: &Config, needed: u64) -> Result<u64> {
        let count = config.optional_size("vocab_size")?.unwrap_or(needed);
        if needed > count {
            return Err(config
                .bad(format!("\"vocab_size\" is {count}, but the tokenizer has a token {}", needed - 1)));
        }
        Ok(count)
    }

    /// The vocabulary as byte-level BPE and WordPiece have it: added tokens are control tokens when they are
    /// special or look so, else user-defined with plain spaces; all others are normal.
    ///
    /// # Errors
    ///
    /// As [`id_count`](Self::id_count) and [`Vocabulary::unused`].
    pub(super) fn vocabulary(&self, config: &Config) -> Result<Vocabulary> {
        let mut vocabulary = Vocabulary::unused(self.id_count(config)?, self.by_id.len(), config)?;
        for (&id, &text) in &self.by_id {
            if let Some(token) = vocabulary.get_mut(id) {
                *token = Token { text: text.to_owned(), kind: TokenType::Normal, score: 0.0 };
            }
        }
        for added in self.added.values() {
            if let Some(token) = vocabulary.get_mut(added.id) {
                *token = added_token(added);
            }
        }
        Ok(vocabulary)
    }
}

fn insert<'a>(by_id: &mut BTreeMap<u32, &'a str>, id: u32, text: &'a str, files: &Files) -> Result<()> {
    match by_id.insert(id, text) {
        None => Ok(()),
        Some(other) => {
            let (other, text) = (Quoted(other), Quoted(text));
            Err(files.bad(format!("the tokens {other} and {text} both have the id {id}")))
        }
    }
}

/// An added token as it is written, with the score it has in a SentencePiece vocabulary.
pub(super) fn added_token(added: &AddedToken<'_>) -> Token {
    if added.is_special || looks_special(added.content) {
        Token { text: added.content.to_owned(), kind: TokenType::Control, score: ADDED_SCORE }
    } else {
        let text = added.content.replace('\u{2581}', " ");
        Token { text, kind: TokenType::UserDefined, score: ADDED_SCORE }
    }
}

/// Some models add control tokens without marking them special; llama.cpp's converter knows them by form.
fn looks_special(text: &str) -> bool {
    let encloses = |start, end| text.starts_with(start) && text.ends_with(end);
    ["<pad>", "<mask>", "<2mass>", "[@BOS@]"].contains(&text)
        || encloses("<|", "|>")
        || encloses("<\u{ff5c}", "\u{ff5c}>")
        || encloses("<unused", ">")
}
