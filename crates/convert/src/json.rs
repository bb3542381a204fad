//! JSON files of a model directory, read as a stranger's.
//!
//! serde_json's own `Value` keeps the last of two equal keys and cannot say where a value came from;
//! a checkpoint whose `hidden_size` is given twice must not be converted by luck. This module adds what
//! such files need: a cap on the size before a byte is read, refusal of duplicate keys, numbers that keep
//! their kind (an integer never passes through a float), and Python's `NaN` and `Infinity`, which are
//! carried as [`Json::NotFinite`] so that they matter only where the value is used. Nesting is limited to
//! serde_json's 128 levels. Typed access by key is `model::Config`'s business.

mod file;
mod not_finite;
mod object;
mod visitor;

use std::fmt;
use std::path::Path;

use crate::{Error, Result};

use self::not_finite::{LITERALS, free_character, mask_non_finite, unmask};

pub(crate) use file::is_present;
pub use file::{CONFIG_CAP, TOKENIZER_CAP, read, read_bytes, read_if_present, read_text};
pub use object::{Iter, Object};

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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(refused("{\"a\": Nan}"), "x.json: expected value at line 1 column 7");
    }

    #[test]
    fn literals_that_python_does_not_take_are_refused() {
        for (text, problem) in [
            ("{NaN: 1}", "key must be a string at line 1 column 2"),
            ("{\"a\": 1, Infinity\n: 1}", "key must be a string at line 1 column 10"),
            ("[-NaN]", "invalid number at line 1 column 3"),
            ("[--Infinity]", "invalid number at line 1 column 3"),
            ("[1Infinity]", "expected `,` or `]` at line 1 column 3"),
        ] {
            assert_eq!(refused(text), format!("x.json: {problem}"));
        }
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
        assert_eq!(
            refused(&format!("[\"{all}\", NaN]")),
            "x.json: NaN or Infinity outside of strings that have every character of ASCII"
        );
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
}
