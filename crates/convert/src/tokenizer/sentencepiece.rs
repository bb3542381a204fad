//! SentencePiece's BPE: from its own model file, or from the `tokenizer.json` that was made of one.
//!
//! Runtimes merge by the scores of the results, the tokenizers library by the order of the merges. Where only
//! the latter is known, the score of a token is the place of its first merge, negated: then both merge alike.

use std::collections::HashMap;

use super::files::{AddedToken, Files, NAMED};
use super::pre;
use super::proto::Model;
use super::scheme::Rules;
use super::vocabulary::{ADDED_SCORE, Entries, Token, TokenType, Vocabulary, added_token};
use super::{PreTokenizer, bpe};
use crate::json::{self, Json};
use crate::model::Config;
use crate::{Error, Result};

/// The vocabulary of a model, with the tokens that `added_tokens.json`, `tokenizer_config.json` and
/// `tokenizer.json` put beside or over its own. Tokens beyond the config's `vocab_size` are left out.
pub(super) fn vocabulary(model: &Model, files: &Files, config: &Config, rules: &Rules) -> Result<Vocabulary> {
    let added_path = files.directory.join("added_tokens.json");
    let user = json::read_if_present(&added_path, json::TOKENIZER_CAP)?;
    let user =
        user_tokens(user.as_ref()).ok_or_else(|| Error::bad(&added_path, "not an object of ids by token"))?;
    let (settings, added) = (files.settings_tokens()?, files.added_tokens()?);

    let entries = model.pieces().len() + user.len() + settings.len() + added.len();
    let count = match config.optional_size("vocab_size_per_layer_input")? {
        Some(count) => count,
        None => config.optional_size("vocab_size")?.unwrap_or(model.pieces().len() as u64),
    };
    let mut vocabulary = Vocabulary::unused(count, entries, config)?;
    for (token, piece) in vocabulary.iter_mut().zip(model.pieces()) {
        *token = Token { text: piece.text.clone(), kind: piece.token_type(), score: piece.score };
        if rules.is_internlm {
            name_unused(token);
        }
    }
    for (id, text) in user {
        if let Some(token) = vocabulary.get_mut(id) {
            *token = Token { text: text.to_owned(), kind: TokenType::UserDefined, score: ADDED_SCORE };
        }
    }
    for token in &settings {
        if let Some(place) = vocabulary.get_mut(token.id) {
            *place = if rules.looks_decide { added_token(token) } else { marked_token(token) };
        }
    }
    for token in &added {
        let Some(place) = vocabulary.get_mut(token.id) else { continue };
        match rules.looks_decide {
            // The settings are sorted by id.
            true if settings.binary_search_by_key(&token.id, |known| known.id).is_ok() => {}
            true => place.add(token),
            false => *place = marked_token(token),
        }
    }
    Ok(vocabulary)
}

/// InternLM's pieces that mean something else than they say. A NUL would end the text for runtimes in C.
fn name_unused(token: &mut Token) {
    if token.text == "\0" {
        token.text = "\u{1f409}".to_owned();
    }
    if token.text.starts_with("[UNUSED") {
        token.kind = TokenType::Unused;
    }
}

/// An added token that is special only where it is marked so.
fn marked_token(added: &AddedToken<'_>) -> Token {
    let kind = if added.is_special { TokenType::Control } else { TokenType::UserDefined };
    Token { text: added.content.to_owned(), kind, score: ADDED_SCORE }
}

/// The ids and texts of `added_tokens.json`.
pub(super) fn user_tokens(json: Option<&Json>) -> Option<Vec<(u32, &str)>> {
    let Some(json) = json else { return Some(Vec::new()) };
    json.as_object()?.iter().map(|(text, id)| Some((id.as_u32()?, text.as_str()))).collect()
}

/// The vocabulary of a `tokenizer.json` whose BPE falls back to bytes, and whether a space is put in front.
///
/// # Errors
///
/// When the text is changed or cut before merging in a way that runtimes do not have, unless a pre-tokenizer
/// is chosen.
pub(super) fn vocabulary_from_merges(
    files: &Files,
    config: &Config,
    pre: &PreTokenizer<'_>,
) -> Result<(Vocabulary, bool)> {
    let model = files.model("BPE")?;
    let entries = Entries::of(files, model)?;
    let space_in_front = space_in_front(files, &entries, pre.chosen.is_some())?;
    let mut ranks: HashMap<String, u32> = HashMap::new();
    let merges = bpe::merges(files, model)?;
    for (rank, (left, right)) in (0_u32..).zip(&merges) {
        ranks.entry(format!("{left}{right}")).or_insert(rank);
    }
    let mut vocabulary = Vocabulary::unused(entries.id_count(config)?, entries.by_id.len(), config)?;
    let is_special = |token: &AddedToken<'_>| {
        token.is_special || NAMED.iter().any(|name| files.special_text(name) == Some(token.content))
    };
    for (&id, &text) in &entries.by_id {
        let Some(token) = vocabulary.get_mut(id) else { continue };
        let in_model = || model.get("vocab").and_then(|vocab| vocab.get(text)).is_some();
        let (kind, score) = match entries.added.get(&id) {
            _ if is_byte(text) => (TokenType::Byte, 0.0),
            Some(added) if is_special(added) => (TokenType::Control, ADDED_SCORE),
            Some(_) if !in_model() => (TokenType::UserDefined, ADDED_SCORE),
            // What no merge makes comes last.
            _ => (TokenType::Normal, 0.0 - ranks.get(text).map_or(merges.len() as f32, |&rank| rank as f32)),
        };
        *token = Token { text: text.to_owned(), kind, score };
    }
    Ok((vocabulary, space_in_front))
}

/// Whether the steps before merging put a space in front, as SentencePiece does. Steps that runtimes do not have
/// are an error, or left out.
fn space_in_front(files: &Files, entries: &Entries<'_>, leaves_out: bool) -> Result<bool> {
    let tokenizer = files.tokenizer()?;
    let mut in_front = false;
    for (kind, step) in pre::flat(tokenizer) {
        let flag = |key| step.get(key).and_then(Json::as_bool);
        let is_space = |key: &str, text: &str| step.get(key).and_then(Json::as_str) == Some(text);
        let splits_at_space = || {
            step.get("pattern")
                .is_some_and(|pattern| pattern.get("String") == Some(&Json::String(" ".into())))
        };
        // Whole words are merged by themselves. That is the same only if no token goes beyond a word.
        let words_apart = || {
            let mut pieces = entries.by_id.iter().filter(|(id, _)| !entries.added.contains_key(id));
            pieces.all(|(_, text)| text.chars().skip(1).all(|c| c != '\u{2581}'))
        };
        match kind {
            "Prepend" if is_space("prepend", "\u{2581}") => in_front = true,
            "Replace" if splits_at_space() && is_space("content", "\u{2581}") => {}
            // All spaces have been replaced before this step sees the text.
            "Split" if splits_at_space() => {}
            "Metaspace" if leaves_out || flag("split") == Some(false) || words_apart() => {
                let scheme = step.get("prepend_scheme").and_then(Json::as_str);
                let prefix = flag("add_prefix_space").unwrap_or(true);
                in_front |= scheme.map_or(prefix, |scheme| scheme != "never");
            }
            _ if leaves_out => {}
            _ => {
                return Err(files.bad(format!(
                    "a SentencePiece vocabulary with the step {}; runtimes know \"Prepend\", \"Replace\" and \
                     \"Split\" of the space, and \"Metaspace\" that does not split. To leave the step out, say \
                     --pre default",
                    pre::shown(&pre::spell(kind, step))
                )));
            }
        }
    }
    Ok(in_front)
}

/// `<0x0A>`: a token for one byte.
pub(super) fn is_byte(text: &str) -> bool {
    let digits = text.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
}
