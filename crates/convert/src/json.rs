//! JSON files of a model directory, read as a stranger's.
//!
//! serde_json's own `Value` keeps the last of two equal keys and cannot say where a value came from;
//! a checkpoint whose `hidden_size` is given twice must not be converted by luck. This module adds what
//! such files need: a cap on the size before a byte is read, refusal of duplicate keys, numbers that keep
//! their kind (an integer never passes through a float), and Python's `NaN` and `Infinity`, which are
//! carried as [`Json::NotFinite`] so that they matter only where the value is used. Nesting is limited to
//! serde_json's 128 levels. Typed access by key is `model::Config`'s business.

mod object;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::{Error, Result};

pub use object::{Iter, Object};

/// The most bytes a configuration file may have.
pub const CONFIG_CAP: u64 = 16 << 20;
/// The most bytes a tokenizer file may have.
pub const TOKENIZER_CAP: u64 = 256 << 20;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number written without fraction or exponent that fits 64 bits.
    Integer(i128),
    /// Any other finite number, as the nearest double.
    Float(f64),
    /// `NaN`, `Infinity` or `-Infinity`, as Python writes them.
    NotFinite,
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// An object.
    Object(Object),
}

impl Json {
    /// The value of `key`, when this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.as_object()?.get(key)
    }

    /// The text, when this is a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The flag, when this is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The number, when this is an integer from 0 to 2^32 - 1.
    pub fn as_u32(&self) -> Option<u32> {
        match self {
            Self::Integer(number) => u32::try_from(*number).ok(),
            _ => None,
        }
    }

    /// The items, when this is an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The members, when this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// The value as an error message shows it: short, and escaped.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(flag) => write!(f, "{flag}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number:?}"),
            Self::NotFinite => f.write_str("a number that is not finite"),
            Self::String(text) => write!(f, "{}", Quoted(text)),
            Self::Array(items) => write!(f, "an array of {}", items.len()),
            Self::Object(members) => write!(f, "an object of {} members", members.len()),
        }
    }
}

/// Text from a file as an error message shows it: in quotes, escaped, and cut after 60 characters.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(60) {
            Some((end, _)) => write!(f, "{:?}...", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// Reads the JSON file at `path`, which may have at most `cap` bytes.
///
/// # Errors
///
/// When the file is missing, is no regular file, is longer than `cap`, or is not JSON as this module
/// takes it; the message has line and column.
pub fn read(path: &Path, cap: u64) -> Result<Json> {
    parse(path, &read_text(path, cap)?)
}

/// As [`read`], but a missing file is `None`.
///
/// # Errors
///
/// As [`read`], except for a missing file.
pub fn read_if_present(path: &Path, cap: u64) -> Result<Option<Json>> {
    if is_present(path) { read(path, cap).map(Some) } else { Ok(None) }
}

/// Whether there is anything at `path`, be it a link that leads nowhere: such a file is broken, not missing.
pub(crate) fn is_present(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Reads the text file at `path`, which may have at most `cap` bytes.
///
/// # Errors
///
/// When the file is missing, is no regular file, is longer than `cap`, or is not UTF-8.
pub fn read_text(path: &Path, cap: u64) -> Result<String> {
    String::from_utf8(read_bytes(path, cap)?)
        .map_err(|error| Error::bad(path, format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())))
}

/// How the text begins that stands for a large file in a repository whose large files were not fetched.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Reads the file at `path`, which may have at most `cap` bytes.
///
/// # Errors
///
/// When the file is missing, is no regular file, is longer than `cap`, or is a pointer of git-lfs.
pub fn read_bytes(path: &Path, cap: u64) -> Result<Vec<u8>> {
    // Asked before opening: to open a FIFO would wait for its other end.
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::bad(path, "the file does not exist"),
        _ => Error::io(path, "read", error),
    })?;
    if !metadata.is_file() {
        return Err(Error::bad(path, "not a regular file"));
    }
    let too_large = |found: u64| Error::bad(path, format!("{found} bytes, but at most {cap} are read"));
    if metadata.len() > cap {
        return Err(too_large(metadata.len()));
    }
    // At most the cap. Without it the first bytes are read by the dozen.
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    let file = fs::File::open(path).map_err(|error| Error::io(path, "open", error))?;
    // The file may have grown since it was asked for its size.
    file.take(cap + 1).read_to_end(&mut bytes).map_err(|error| Error::io(path, "read", error))?;
    if bytes.starts_with(LFS_POINTER) {
        return Err(Error::bad(path, "a git-lfs pointer in place of the file; run `git lfs pull`"));
    }
    if bytes.len() as u64 > cap { Err(too_large(bytes.len() as u64)) } else { Ok(bytes) }
}

/// Parses `text`; `path` is where it came from and appears in errors.
///
/// # Errors
///
/// When the text is not JSON, nests deeper than 128 levels, or gives a key twice in one object.
pub fn parse(path: &Path, text: &str) -> Result<Json> {
    let invalid = |error: serde_json::Error| Error::bad(path, error.to_string());
    if !LITERALS.iter().any(|literal| text.contains(literal)) {
        return serde_json::from_str(text).map_err(invalid);
    }
    let mask = free_character(text);
    let Some(masked) = mask_non_finite(text, mask.unwrap_or('?')) else {
        return serde_json::from_str(text).map_err(invalid);
    };
    let problem =
        || Error::bad(path, "NaN or Infinity outside of strings that have every character of ASCII");
    let mask = mask.ok_or_else(problem)?;
    let mut json: Json = serde_json::from_str(&masked).map_err(invalid)?;
    unmask(&mut json, mask);
    Ok(json)
}

/// Python's literals that JSON lacks.
const LITERALS: [&str; 2] = ["NaN", "Infinity"];

/// A character of one byte that no string of the text has, not even by its number.
fn free_character(text: &str) -> Option<char> {
    let mut is_there = [false; 128];
    text.bytes().filter(u8::is_ascii).for_each(|byte| is_there[usize::from(byte)] = true);
    for escaped in text.match_indices("\\u").filter_map(|(at, _)| text.get(at + 2..at + 6)) {
        if let Ok(number @ ..128) = usize::from_str_radix(escaped, 16) {
            is_there[number] = true;
        }
    }
    // Controls must be escaped in JSON, and so must quotes and backslashes.
    let mut free = (b' '..=0x7f).rev().filter(|byte| !b"\"\\".contains(byte));
    free.find(|byte| !is_there[usize::from(*byte)]).map(char::from)
}

/// Replaces the literals by strings of `mask`, of the same length, so that positions in errors stay true. The sign of
/// `-Infinity` becomes a space. Nothing when all of them are inside of strings.
fn mask_non_finite(text: &str, mask: char) -> Option<String> {
    let mut is_masked = false;
    let mut masked = String::with_capacity(text.len());
    let (mut rest, mut in_string) = (text, false);
    while let Some(character) = rest.chars().next() {
        let literal =
            if in_string { None } else { LITERALS.iter().find(|literal| rest.starts_with(**literal)) };
        let taken = match (literal, character) {
            (Some(literal), _) => {
                is_masked = true;
                if masked.ends_with('-') {
                    masked.pop();
                    masked.push(' ');
                }
                masked.push('"');
                masked.extend(std::iter::repeat_n(mask, literal.len() - 2));
                masked.push('"');
                literal.len()
            }
            (None, '\\') if in_string => {
                let pair = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
                masked.push_str(&rest[..pair]);
                pair
            }
            (None, character) => {
                in_string ^= character == '"';
                masked.push(character);
                character.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    is_masked.then_some(masked)
}

/// Turns the strings that [`mask_non_finite`] left into [`Json::NotFinite`].
fn unmask(json: &mut Json, mask: char) {
    match json {
        Json::String(text) if text.starts_with(mask) => *json = Json::NotFinite,
        Json::Array(items) => items.iter_mut().for_each(|item| unmask(item, mask)),
        Json::Object(members) => members.values_mut().for_each(|value| unmask(value, mask)),
        _ => {}
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Bool(flag))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Integer(number.into()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Integer(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Float(number))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Json, E> {
        Ok(Json::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            // A vector begins with room for four: too much for arrays of one, by the hundred thousand.
            if items.len() < 4 {
                items.reserve_exact(1);
            }
            items.push(item);
        }
        items.shrink_to_fit();
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(key) = access.next_key::<String>()? {
            if members.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {} is given twice", Quoted(&key))));
            }
            let value = access.next_value()?;
            members.insert(key, value);
        }
        Ok(Json::Object(members.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Json {
        parse(Path::new("x.json"), text).unwrap()
    }

    fn refused(text: &str) -> String {
        parse(Path::new("x.json"), text).unwrap_err().to_string()
    }

    #[test]
    fn integers_keep_all_their_digits_and_floats_stay_floats() {
        let json = parsed("[18446744073709551615, -9223372036854775808, 3.5, 1e3]");
        let items = json.as_array().unwrap();
        assert_eq!(items[0], Json::Integer(u64::MAX.into()));
        assert_eq!(items[1], Json::Integer(i64::MIN.into()));
        assert_eq!(items[2], Json::Float(3.5));
        assert_eq!(items[3], Json::Float(1000.0));
    }

    #[test]
    fn a_key_given_twice_is_refused_by_name_and_line() {
        let message = refused("{\n \"hidden_size\": 1,\n \"hidden_size\": 2\n}");
        assert_eq!(message, "x.json: the key \"hidden_size\" is given twice at line 3 column 14");
    }

    #[test]
    fn pythons_literals_are_not_finite_outside_strings_and_text_inside() {
        let json = parsed("{\"a\": NaN, \"b\": [-Infinity, Infinity], \"c\": \"NaN \\\" Infinity\"}");
        assert_eq!(json.get("a"), Some(&Json::NotFinite));
        assert_eq!(json.get("b"), Some(&Json::Array(vec![Json::NotFinite, Json::NotFinite])));
        assert_eq!(json.get("c"), Some(&Json::String("NaN \" Infinity".into())));
        assert!(refused("{\"a\": Nan}").contains("line 1"));
    }

    #[test]
    fn no_string_is_taken_for_a_literal_that_is_not_finite() {
        for character in (0x20..0x80_u8).map(char::from).filter(|c| !"\"\\".contains(*c)) {
            let json = parsed(&format!("[\"{character}\", \"{character}{character}\", \"NaN\", NaN]"));
            let text = Json::String(character.to_string());
            assert_eq!(json.as_array().map(|items| (&items[0], &items[3])), Some((&text, &Json::NotFinite)));
        }
        assert_eq!(
            parsed("[\"\\u007f\", NaN]"),
            Json::Array(vec![Json::String("\u{7f}".into()), Json::NotFinite])
        );
        // With every character in use there is none to stand for a literal; inside of strings none has to.
        let all: String = (0..0x80_u8).map(|byte| format!("\\u{byte:04x}")).collect();
        assert!(parse(Path::new("x.json"), &format!("[\"{all}\", \"NaN\"]")).is_ok());
        assert!(refused(&format!("[\"{all}\", NaN]")).contains("every character of ASCII"));
    }

    #[test]
    fn a_pointer_of_git_lfs_is_named_as_such() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokenizer.json");
        fs::write(&path, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n").unwrap();
        let message = read(&path, 1000).unwrap_err().to_string();
        let problem = "a git-lfs pointer in place of the file; run `git lfs pull`";
        assert_eq!(message, format!("{}: {problem}", path.display()));
    }

    proptest! {
        #[test]
        fn masking_keeps_the_length_so_that_columns_stay_true(
            pieces in prop::collection::vec(prop::sample::select(vec!["NaN", "Infinity", "-", "\"", "\\", "é", "[", "1"]), 0..20)
        ) {
            let text = pieces.concat();
            prop_assert!(mask_non_finite(&text, '#').is_none_or(|masked| masked.len() == text.len()));
        }
    }

    #[test]
    fn a_hundred_thousand_brackets_end_in_an_error_and_not_in_the_stack() {
        for (unit, column) in [("[", 128), ("{\"a\":", 636)] {
            let message = format!("x.json: recursion limit exceeded at line 1 column {column}");
            assert_eq!(refused(&unit.repeat(100_000)), message);
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_refused() {
        assert_eq!(refused("[\"\\ud83d\"]"), "x.json: unexpected end of hex escape at line 1 column 9");
    }

    #[test]
    fn a_file_over_the_cap_a_directory_and_a_missing_file_are_told_apart() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let refused = |path: &Path, cap| read(path, cap).unwrap_err().to_string();
        let said = |path: &Path, problem: &str| format!("{}: {problem}", path.display());
        assert_eq!(refused(&path, 10), said(&path, "the file does not exist"));
        assert_eq!(read_if_present(&path, 10).unwrap(), None);
        fs::write(&path, "[1, 2, 3, 4]").unwrap();
        assert_eq!(refused(&path, 10), said(&path, "12 bytes, but at most 10 are read"));
        assert!(read(&path, 12).is_ok());
        assert_eq!(refused(directory.path(), 10), said(directory.path(), "not a regular file"));
        fs::write(&path, [b'"', 0xff, b'"']).unwrap();
        assert_eq!(refused(&path, 12), said(&path, "byte 1 is not UTF-8"));
    }
}
