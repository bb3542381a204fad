//! The model's own description, `config.json`, behind getters that check.
//!
//! Every number that names a size is an integer of at least 1 and less than 2^32, as GGUF stores it; it is
//! never looped over or allocated by before the tensors confirm it. Keys that a config leaves out and that
//! its class fills in are the family's business ([`Config::fill`]).

use std::path::{Path, PathBuf};

use super::Default;
use super::dimension::padded_vocabulary;
use crate::json::{self, Json, Object};
use crate::{Error, Result};

/// The parsed `config.json` of a checkpoint.
#[derive(Debug, Clone)]
pub struct Config {
    path: PathBuf,
    root: Object,
}

impl Config {
    /// Reads `config.json` in `directory`.
    ///
    /// # Errors
    ///
    /// When the file is missing, longer than [`json::CONFIG_CAP`], or not a JSON object.
    pub fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("config.json");
        let root = json::read(&path, json::CONFIG_CAP)?;
        Self::new(path, root)
    }

    /// Takes `root`, which came from the file at `path`.
    ///
    /// # Errors
    ///
    /// When `root` is not an object.
    pub fn new(path: PathBuf, root: Json) -> Result<Self> {
        match root {
            Json::Object(root) => {
                let text = text_part(&root).cloned().unwrap_or_default();
                Ok(Self { path, root: root.into_iter().chain(text).collect() })
            }
            other => Err(Error::bad(path, format!("{other} where an object was expected"))),
        }
    }

    /// The first of `architectures`, the name of the model's class.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn architecture(&self) -> Result<&str> {
        let first = self.get("architectures").and_then(Json::as_array).and_then(<[Json]>::first);
        first.and_then(Json::as_str).ok_or_else(|| self.error("architectures", "an array of class names"))
    }

    /// The kind of the part that reads, where the model does more than that: as its family is called.
    pub(super) fn kind_of_text_part(&self) -> Option<&str> {
        let kind = text_part(&self.root)?.get("model_type")?.as_str()?;
        Some(kind.strip_suffix("_text").unwrap_or(kind))
    }

    /// The value of `key`; `null` counts as absent.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.root.get(key).filter(|value| !value.is_null())
    }

    /// The value of the first key in `names` that the config has. That key decides even when its value is
    /// `null`, which makes it absent.
    pub fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, &Json)> {
        let name = names.iter().find(|name| self.root.contains_key(**name))?;
        Some((name, self.get(name)?))
    }

    /// The size under `key`, from 1 to 2^32 - 1.
    ///
    /// # Errors
    ///
    /// When the key is absent or not such a number.
    pub fn size(&self, key: &str) -> Result<u64> {
        self.optional_size(key)?.ok_or_else(|| self.error(key, SIZE))
    }

    /// As [`size`](Self::size), but an absent key is `None`.
    ///
    /// # Errors
    ///
    /// When the key is present and not such a number.
    pub fn optional_size(&self, key: &str) -> Result<Option<u64>> {
        let size = |value: &Json| value.as_u32().filter(|&size| size > 0).map(u64::from);
        self.get(key).map(|value| size(value).ok_or_else(|| self.error(key, SIZE))).transpose()
    }

    /// As [`optional_size`](Self::optional_size), but 0 is allowed too.
    ///
    /// # Errors
    ///
    /// When the key is present and no integer from 0 to 2^32 - 1.
    pub fn optional_count(&self, key: &str) -> Result<Option<u64>> {
        let count = |value: &Json| value.as_u32().map(u64::from);
        self.get(key).map(|value| count(value).ok_or_else(|| self.error(key, COUNT))).transpose()
    }

    /// Whether `layer` is among the numbers under `key`; no where the config lacks the key.
    ///
    /// # Errors
    ///
    /// When the key is present and no array of at most [`MOST_LISTED`] integers from 0 to 2^32 - 1.
    pub(super) fn lists(&self, key: &str, layer: u64) -> Result<bool> {
        let Some(value) = self.get(key) else { return Ok(false) };
        let problem = || self.error(key, &format!("an array of the numbers of at most {MOST_LISTED} layers"));
        let mut is_listed = false;
        for listed in value.as_array().filter(|layers| layers.len() <= MOST_LISTED).ok_or_else(problem)? {
            is_listed |= u64::from(listed.as_u32().ok_or_else(problem)?) == layer;
        }
        Ok(is_listed)
    }

    /// `number`, which comes of the value of `key`, as the f32 of a GGUF file.
    ///
    /// # Errors
    ///
    /// When it is not finite or too large for one.
    pub(super) fn single(&self, key: &str, number: f64) -> Result<f32> {
        let single = number as f32;
        let problem =
            || self.bad(format!("{key:?} gives {number:?}, which is no number that an f32 can hold"));
        if single.is_finite() { Ok(single) } else { Err(problem()) }
    }

    /// The size under the first of `names` that has a value.
    ///
    /// # Errors
    ///
    /// When none has, or it is not such a number.
    pub fn first_size(&self, names: &[&str]) -> Result<u64> {
        match names.iter().find(|name| self.get(name).is_some()) {
            Some(name) => self.size(name),
            None => Err(self.bad(format!("{} is missing; allowed is {SIZE}", names.join(" or ")))),
        }
    }

    /// The finite number under `key`, if any.
    ///
    /// # Errors
    ///
    /// When the key is present and not a finite number.
    pub fn optional_number(&self, key: &str) -> Result<Option<f64>> {
        self.get(key).map(|value| number(value).ok_or_else(|| self.error(key, "a finite number"))).transpose()
    }

    /// The flag under `key`, if any.
    ///
    /// # Errors
    ///
    /// When the key is present and neither `true` nor `false`.
    pub fn optional_flag(&self, key: &str) -> Result<Option<bool>> {
        self.get(key).map(|value| value.as_bool().ok_or_else(|| self.error(key, "true or false"))).transpose()
    }

    /// Sets `key` to `value` when the config lacks it or says `null`.
    pub fn fill(&mut self, key: &str, value: Json) {
        if self.get(key).is_none() {
            self.root.insert(key.to_owned(), value);
        }
    }

    /// Sets what a class has where the config is silent.
    pub(super) fn fill_all(&mut self, defaults: &[(&str, Default)]) {
        for (key, value) in defaults {
            let value = match *value {
                Default::Integer(number) => Json::Integer(number.into()),
                Default::Number(number) => Json::Float(number),
                Default::Flag(flag) => Json::Bool(flag),
            };
            // A class keeps a `null` that the config has.
            if !self.contains(key) {
                self.set(key, value);
            }
        }
    }

    /// Sets `key`, whatever the config says.
    pub(super) fn set(&mut self, key: &str, value: Json) {
        self.root.insert(key.to_owned(), value);
    }

    /// Whether the config has `key`, even as `null`.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.root.contains_key(key)
    }

    /// The same config with its vocabulary's size rounded up to a multiple of `pad_vocab_size_multiple`.
    ///
    /// # Errors
    ///
    /// When the vocabulary's size or `pad_vocab_size_multiple` is no size.
    pub(super) fn with_padded_vocabulary(&self) -> Result<Self> {
        let mut padded = self.clone();
        if self.get("vocab_size").is_some() {
            padded.set("vocab_size", Json::Integer(padded_vocabulary(self)?.into()));
        }
        Ok(padded)
    }

    /// The error for `key`, whose value is not what was `allowed`.
    pub fn error(&self, key: &str, allowed: &str) -> Error {
        let found = self.root.get(key).map_or("is missing".to_owned(), |value| format!("is {value}"));
        self.bad(format!("{key:?} {found}; allowed is {allowed}"))
    }

    /// An error in this file.
    pub fn bad(&self, problem: impl Into<String>) -> Error {
        Error::bad(&self.path, problem)
    }
}

/// What a model that does more than read says of the part that reads: it has that in an object of its own.
fn text_part(root: &Object) -> Option<&Object> {
    let names = ["text_config", "llm_config", "lm_config", "language_config"];
    let direct = names.into_iter().find_map(|name| root.get(name)?.as_object());
    direct.or_else(|| root.get("thinker_config")?.get("text_config")?.as_object())
}

/// Layers that a list may name. It is gone through for every layer; the deepest of models have some hundred.
const MOST_LISTED: usize = 4096;

const SIZE: &str = "an integer from 1 to 4294967295";
const COUNT: &str = "an integer from 0 to 4294967295";

/// The value as a double, when it is a finite number.
pub(crate) fn number(value: &Json) -> Option<f64> {
    match value {
        Json::Integer(number) => Some(*number as f64),
        Json::Float(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
impl Config {
    /// A config from JSON text.
    pub(crate) fn from_text(text: &str) -> Self {
        let path = PathBuf::from("config.json");
        let root = json::parse(&path, text).unwrap();
        Self::new(path, root).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_is_no_size_is_named_with_what_was_allowed() {
        let said = |found: &str| {
            format!("config.json: \"hidden_size\" {found}; allowed is an integer from 1 to 4294967295")
        };
        for (value, shown) in [
            ("-1", "-1"),
            ("0", "0"),
            ("1000000000000000000", "1000000000000000000"),
            ("3.5", "3.5"),
            ("\"32\"", "\"32\""),
            ("true", "true"),
            ("NaN", "a number that is not finite"),
            ("4294967296", "4294967296"),
            ("[1]", "an array of 1"),
        ] {
            let config = Config::from_text(&format!("{{\"hidden_size\": {value}}}"));
            let message = config.size("hidden_size").unwrap_err().to_string();
            assert_eq!(message, said(&format!("is {shown}")));
        }
        let message = Config::from_text("{}").size("hidden_size").unwrap_err().to_string();
        assert_eq!(message, said("is missing"));
    }

    #[test]
    fn a_literal_that_is_not_finite_hurts_only_where_it_is_used() {
        let config =
            Config::from_text("{\"attn_scale\": NaN, \"rms_norm_eps\": Infinity, \"hidden_size\": 8}");
        assert_eq!(config.size("hidden_size").unwrap(), 8);
        let message = config.optional_number("rms_norm_eps").unwrap_err().to_string();
        let expected =
            "config.json: \"rms_norm_eps\" is a number that is not finite; allowed is a finite number";
        assert_eq!(message, expected);
    }

    #[test]
    fn a_list_of_more_layers_than_any_model_has_is_refused() {
        let listing =
            |count: usize| Config::from_text(&format!("{{\"idle\": [{}7]}}", "7,".repeat(count - 1)));
        assert!(listing(4096).lists("idle", 7).unwrap());
        let message = listing(4097).lists("idle", 7).unwrap_err().to_string();
        let allowed = "an array of the numbers of at most 4096 layers";
        assert_eq!(message, format!("config.json: \"idle\" is an array of 4097; allowed is {allowed}"));
    }

    #[test]
    fn the_first_key_that_exists_decides_even_when_it_is_null() {
        let config = Config::from_text("{\"n_ctx\": null, \"n_positions\": 7}");
        assert_eq!(config.first(&["max_length", "n_ctx", "n_positions"]), None);
        assert_eq!(config.first(&["n_positions", "n_ctx"]), Some(("n_positions", &Json::Integer(7))));
    }

    #[test]
    fn a_config_that_is_no_object_or_names_no_class_is_refused() {
        let message = Config::new("config.json".into(), Json::Array(vec![])).unwrap_err().to_string();
        assert_eq!(message, "config.json: an array of 0 where an object was expected");
        for (text, found) in [
            ("{}", "is missing"),
            ("{\"architectures\": []}", "is an array of 0"),
            ("{\"architectures\": \"LlamaForCausalLM\"}", "is \"LlamaForCausalLM\""),
        ] {
            let message = Config::from_text(text).architecture().unwrap_err().to_string();
            let expected =
                format!("config.json: \"architectures\" {found}; allowed is an array of class names");
            assert_eq!(message, expected);
        }
    }
}
