//! A tokenizer's files, read once: `tokenizer.json` and `tokenizer_config.json`.

use std::path::{Path, PathBuf};

use super::kind::model_type;
use crate::json::{self, Json, Object, Quoted};
use crate::{Error, Result};

/// The files of one tokenizer.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) directory: PathBuf,
    pub(super) tokenizer: Option<Json>,
    /// `tokenizer_config.json`; empty when there is none.
    pub(super) settings: Object,
}

/// A token that was added beside the model's vocabulary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AddedToken<'a> {
    pub(super) id: u32,
    pub(super) content: &'a str,
    pub(super) is_special: bool,
}

impl<'a> AddedToken<'a> {
    /// An entry of `added_tokens`.
    fn of(json: &'a Json) -> Option<Self> {
        Some(Self {
            id: json.get("id")?.as_u32()?,
            content: json.get("content")?.as_str()?,
            is_special: special(json),
        })
    }
}

fn special(json: &Json) -> bool {
    json.get("special").and_then(Json::as_bool).unwrap_or(false)
}

/// The names under which settings give special tokens, `_token` appended.
pub(super) const NAMED: [&str; 7] = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"];

impl Files {
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let directory = directory.to_owned();
        let tokenizer = read_object(&directory.join("tokenizer.json"))?.map(Json::Object);
        let settings = read_object(&directory.join("tokenizer_config.json"))?.unwrap_or_default();
        Ok(Self { directory, tokenizer, settings })
    }

    pub(super) fn tokenizer_path(&self) -> PathBuf {
        self.directory.join("tokenizer.json")
    }

    pub(super) fn settings_path(&self) -> PathBuf {
        self.directory.join("tokenizer_config.json")
    }

    pub(super) fn merges_path(&self) -> PathBuf {
        self.directory.join("merges.txt")
    }

    /// An error in `tokenizer.json`.
    pub(super) fn bad(&self, problem: impl Into<String>) -> Error {
        Error::bad(self.tokenizer_path(), problem)
    }

    /// `tokenizer.json`, which must be there.
    pub(super) fn tokenizer(&self) -> Result<&Json> {
        self.tokenizer.as_ref().ok_or_else(|| Error::bad(self.tokenizer_path(), "the file does not exist"))
    }

    /// `model` of `tokenizer.json`, which must be of the type `kind`.
    pub(super) fn model(&self, kind: &str) -> Result<&Json> {
        let model = self.tokenizer()?.get("model").unwrap_or(&Json::Null);
        match model_type(model) {
            Some(found) if found == kind => Ok(model),
            found => Err(self.bad(format!("the model's \"type\" is {found:?} where {kind:?} was expected"))),
        }
    }

    /// A value of `tokenizer_config.json` that is not null.
    pub(super) fn setting(&self, key: &str) -> Option<&Json> {
        self.settings.get(key).filter(|value| !value.is_null())
    }

    /// The text of the special token `name`, as in `bos`: a string, or an object with `content`.
    pub(super) fn special_text(&self, name: &str) -> Option<&str> {
        let value = self.setting(&format!("{name}_token"))?;
        value.as_str().or_else(|| value.get("content")?.as_str()).filter(|text| !text.is_empty())
    }

    /// The tokens that `tokenizer.json` adds.
    pub(super) fn added_tokens(&self) -> Result<Vec<AddedToken<'_>>> {
        let Some(added) = self.tokenizer.as_ref().and_then(|json| json.get("added_tokens")) else {
            return Ok(Vec::new());
        };
        let added =
            added.as_array().ok_or_else(|| self.bad(format!("\"added_tokens\" is {added}, not an array")))?;
        let parse = |(index, json)| {
            AddedToken::of(json).ok_or_else(|| {
                self.bad(format!("added token {index} lacks a \"content\" or an \"id\" from 0 to 4294967295"))
            })
        };
        added.iter().enumerate().map(parse).collect()
    }

    /// The tokens that `tokenizer_config.json` adds, by id.
    pub(super) fn settings_tokens(&self) -> Result<Vec<AddedToken<'_>>> {
        let Some(decoder) = self.setting("added_tokens_decoder") else { return Ok(Vec::new()) };
        let bad = |problem: String| {
            Error::bad(self.settings_path(), format!("\"added_tokens_decoder\": {problem}"))
        };
        let decoder =
            decoder.as_object().ok_or_else(|| bad(format!("{decoder} where an object was expected")))?;
        let mut tokens = Vec::new();
        for (id, token) in decoder {
            let id: u32 =
                id.parse().map_err(|_| bad(format!("{} is not an id from 0 to 4294967295", Quoted(id))))?;
            let content = token.get("content").and_then(Json::as_str);
            tokens.push(AddedToken {
                id,
                content: content.ok_or_else(|| bad(format!("token {id} has no \"content\"")))?,
                is_special: special(token),
            });
        }
        tokens.sort_by_key(|token| token.id);
        Ok(tokens)
    }
}

/// The object in the file at `path`, when there is such a file.
fn read_object(path: &Path) -> Result<Option<Object>> {
    match json::read_if_present(path, json::TOKENIZER_CAP)? {
        None => Ok(None),
        Some(Json::Object(members)) => Ok(Some(members)),
        Some(other) => Err(Error::bad(path, format!("{other} where an object was expected"))),
    }
}
