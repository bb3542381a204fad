//! WordPiece: BERT's vocabulary, in which a word's first piece is marked instead of the others.
//!
//! `tokenizer.json` marks what continues a word with `##`; a GGUF file marks what begins one with U+2581, so
//! that runtimes treat spaces alike in all vocabularies. A directory with `vocab.txt` alone gets the
//! `tokenizer.json` that its class would make of it.

use super::files::Files;
use super::kind::has_step;
use super::slow::{object, special_tokens};
use super::vocabulary::{Entries, Token, TokenType, Vocabulary, hold_tokens};
use super::{PreTokenizer, pre};
use crate::json::{self, Json, Object};
use crate::model::Config;
use crate::{Error, Result};

/// The vocabulary of a WordPiece tokenizer.
///
/// # Errors
///
/// When words are not split as BERT splits them and no pre-tokenizer is chosen, or what continues a word is
/// not marked by `##`.
pub(super) fn vocabulary(files: &Files, config: &Config, pre: &PreTokenizer<'_>) -> Result<Vocabulary> {
    let model = files.model("WordPiece")?;
    let prefix = model.get("continuing_subword_prefix").and_then(Json::as_str).unwrap_or("##");
    if prefix != "##" {
        let prefix = json::Quoted(prefix);
        return Err(files.bad(format!("what continues a word is marked by {prefix}; runtimes know \"##\"")));
    }
    let tokenizer = files.tokenizer()?;
    let splits = tokenizer.get("pre_tokenizer").filter(|step| !step.is_null());
    if splits.is_some() && !has_step(splits, "pretokenizers", "BertPreTokenizer") && pre.chosen.is_none() {
        let steps: Vec<String> =
            pre::flat(tokenizer).into_iter().map(|(kind, step)| pre::spell(kind, step)).collect();
        return Err(files.bad(format!(
            "a WordPiece vocabulary whose words are split otherwise than BERT splits them: {}. To split them as \
             BERT does, say --pre {}",
            pre::shown(&steps.join(", ")),
            pre::WORDPIECE
        )));
    }
    let mut vocabulary = Entries::of(files, files.model("WordPiece")?)?.vocabulary(config)?;
    // An added token is looked for in the text as it stands.
    let is_piece = |token: &&mut Token| !matches!(token.kind, TokenType::Control | TokenType::UserDefined);
    for token in vocabulary.iter_mut().filter(is_piece) {
        token.text = match token.text.strip_prefix("##") {
            Some(continuation) => continuation.to_owned(),
            None => format!("\u{2581}{}", token.text),
        };
    }
    Ok(vocabulary)
}

/// BERT's special tokens by their names in the settings.
const SPECIAL: [(&str, &str); 5] = [
    ("unk_token", "[UNK]"),
    ("sep_token", "[SEP]"),
    ("pad_token", "[PAD]"),
    ("cls_token", "[CLS]"),
    ("mask_token", "[MASK]"),
];

/// Makes a `tokenizer.json` from `vocab.txt` when the directory has only that.
///
/// # Errors
///
/// When `vocab.txt` cannot be read, has too many lines, or lacks a special token that every text needs.
pub(super) fn complete(files: &mut Files) -> Result<()> {
    let path = files.directory.join("vocab.txt");
    if files.tokenizer.is_some() || !json::is_present(&path) {
        return Ok(());
    }
    let text = json::read_text(&path, json::TOKENIZER_CAP)?;
    hold_tokens(&path, text.lines().count())?;
    // A line that comes again takes the later id; the earlier is without a token.
    let ids: Object =
        text.lines().enumerate().map(|(id, line)| (line.to_owned(), Json::Integer(id as i128))).collect();
    for (key, token) in SPECIAL {
        if files.setting(key).is_none() {
            files.settings.insert(key.to_owned(), Json::String(token.to_owned()));
        }
    }
    let special = |name| files.special_text(name).filter(|text| ids.contains_key(*text));
    let (Some(start), Some(end)) = (special("cls"), special("sep")) else {
        return Err(Error::bad(&path, "the tokens [CLS] and [SEP] are not among the lines"));
    };
    let item = |kind, id: &str| object([(kind, object([("id", Json::String(id.to_owned()))]))]);
    let (start, end) = (item("SpecialToken", start), item("SpecialToken", end));
    let (a, b) = (item("Sequence", "A"), item("Sequence", "B"));
    let single = Json::Array(vec![start.clone(), a.clone(), end.clone()]);
    let pair = Json::Array(vec![start, a, end.clone(), b, end]);
    let lowercase = files.setting("do_lower_case").and_then(Json::as_bool).unwrap_or(true);
    let mut normalizer = vec![("type", text_of("BertNormalizer")), ("lowercase", Json::Bool(lowercase))];
    normalizer.extend(files.setting("strip_accents").map(|strip| ("strip_accents", strip.clone())));
    let added = Json::Array(special_tokens(files, &ids));
    let tokenizer = object([
        ("added_tokens", added),
        ("normalizer", object(normalizer)),
        (
            "post_processor",
            object([("type", text_of("TemplateProcessing")), ("single", single), ("pair", pair)]),
        ),
        ("model", object([("type", text_of("WordPiece")), ("vocab", Json::Object(ids))])),
    ]);
    files.tokenizer = Some(tokenizer);
    Ok(())
}

fn text_of(text: &str) -> Json {
    Json::String(text.to_owned())
}
