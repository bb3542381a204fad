//! A recipe from a TOML file. Spec: recipes.md, "Recipe files".

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use briq_format::TensorType;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, de};

use super::{Options, Recipe};
use crate::{Error, Result, json};

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(deserialize_with = "parsed")]
    base: Recipe,
    output: Option<Type>,
    token_embedding: Option<Type>,
    #[serde(default)]
    pure: bool,
    #[serde(default = "yes")]
    fallback: bool,
    #[serde(default)]
    keep: Vec<Pattern>,
    #[serde(default)]
    tensor: Vec<Override>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    pattern: Pattern,
    r#type: Type,
}

struct Type(TensorType);

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        weight_type(&String::deserialize(from)?).map(Self).map_err(de::Error::custom)
    }
}

struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        pattern(&String::deserialize(from)?).map(Self).map_err(de::Error::custom)
    }
}

fn yes() -> bool {
    true
}

fn parsed<'de, T: FromStr<Err: Display>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    String::deserialize(from)?.parse().map_err(de::Error::custom)
}

/// The most bytes of a file. The most patterns that are allowed take 20 KiB as people write them, and a parsed file
/// up to 80 times its text: tables in tables, a letter each.
const MAX_BYTES: u64 = 256 << 10;
/// The most patterns of a file. Each takes far more memory than its text: a `\w` is 50 kB.
const MAX_PATTERNS: usize = 200;
/// The most that one pattern may take compiled, in bytes.
const PATTERN_BYTES: usize = 128 << 10;

/// A regular expression of bounded size.
///
/// # Errors
/// When it is none, or too large; the error is one line.
pub fn pattern(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).size_limit(PATTERN_BYTES).build().map_err(|error| {
        // The library draws the place over several lines; the last says what is wrong.
        let error = error.to_string();
        let last = error.lines().last().unwrap_or_default();
        format!("{text:?} is no regular expression: {}", last.trim_start_matches("error: "))
    })
}

/// A type that weights can be encoded to, by its name.
///
/// # Errors
/// When there is no such type, or weights cannot be encoded to it; the error is one line.
pub fn weight_type(name: &str) -> Result<TensorType, String> {
    match name.parse::<TensorType>() {
        Ok(ty) if briq_codec::can_encode(ty) => Ok(ty),
        Ok(ty) => Err(format!("{ty} cannot be encoded; `briq types` shows which can")),
        Err(_) => {
            let encoded = TensorType::ALL.iter().filter(|&&ty| briq_codec::can_encode(ty));
            let names: Vec<&str> = encoded.map(|ty| ty.name()).collect();
            Err(format!("no tensor type is named {name:?}; allowed are {}", names.join(", ")))
        }
    }
}

fn count_patterns(file: &toml::Table) -> usize {
    let length = |key: &str| file.get(key).and_then(toml::Value::as_array).map_or(0, Vec::len);
    length("keep") + length("tensor")
}

impl Options {
    /// Reads a recipe file.
    ///
    /// # Errors
    /// When the file cannot be read or has more than 256 KiB, is no TOML, has a field that is not known, or names an
    /// unknown recipe or type or a bad pattern.
    pub fn read(path: &Path) -> Result<Self> {
        let text = json::read_text(path, MAX_BYTES)?;
        let bad = |error: toml::de::Error| {
            let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            Error::bad(path, format!("line {line}: {}", error.message()))
        };
        // Counted before the first is compiled.
        let patterns = count_patterns(&toml::from_str(&text).map_err(bad)?);
        if patterns > MAX_PATTERNS {
            return Err(Error::bad(
                path,
                format!("{patterns} patterns, where at most {MAX_PATTERNS} are allowed"),
            ));
        }
        let file: File = toml::from_str(&text).map_err(bad)?;
        Ok(Self {
            recipe: file.base,
            overrides: file.tensor.into_iter().map(|line| (line.pattern.0, line.r#type.0)).collect(),
            keep: file.keep.into_iter().map(|pattern| pattern.0).collect(),
            output: file.output.map(|ty| ty.0),
            token_embedding: file.token_embedding.map(|ty| ty.0),
            pure: file.pure,
            fallback: file.fallback,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Options, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let prefix = format!("{}: ", file.path().display());
        Options::read(file.path())
            .map_err(|error| error.to_string().strip_prefix(&prefix).unwrap().to_owned())
    }

    #[test]
    fn a_file_says_all_that_options_can_say() {
        let options = read(
            "base = \"q4_k_m\"\noutput = \"Q8_0\"\ntoken-embedding = \"Q6_K\"\npure = true\nfallback = false\n\
             keep = ['^blk\\.0\\.']\n\
             [[tensor]]\npattern = 'attn_v'\ntype = \"q8_0\"\n\
             [[tensor]]\npattern = 'attn'\ntype = \"Q5_K\"\n",
        )
        .unwrap();
        let overrides: Vec<_> =
            options.overrides.iter().map(|(pattern, ty)| (pattern.as_str(), *ty)).collect();
        assert_eq!(overrides, [("attn_v", TensorType::Q8_0), ("attn", TensorType::Q5_K)]);
        assert_eq!(options.keep[0].as_str(), r"^blk\.0\.");
        assert_eq!(
            (options.output, options.token_embedding),
            (Some(TensorType::Q8_0), Some(TensorType::Q6_K))
        );
        assert_eq!((options.recipe, options.pure, options.fallback), (Recipe::Q4_K_M, true, false));
    }

    #[test]
    fn a_type_that_weights_cannot_have_is_refused_by_its_line() {
        let error = read("base = \"Q6_K\"\noutput = \"Q8_K\"\n").unwrap_err();
        assert_eq!(error, "line 2: Q8_K cannot be encoded; `briq types` shows which can");
    }

    #[test]
    fn a_base_alone_is_that_recipe() {
        let options = read("base = \"Q6_K\"").unwrap();
        assert_eq!(format!("{options:?}"), format!("{:?}", Options::new(Recipe::Q6_K)));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, message) in [
            ("", "line 1: missing field `base`"),
            ("base = \"Q6_K\"\npruned = true", "line 2: unknown field `pruned`"),
            ("base = \"Q6_K\"\n\noutput = \"Q9\"", "line 3: "),
            ("base = \"Q7\"", "line 1: no recipe is called \"Q7\""),
            ("base = \"Q6_K\"\nkeep = ['(']", "line 2: \"(\" is no regular expression: unclosed group"),
            (
                "base = \"Q6_K\"\n[[tensor]]\npattern = 'a'\ntype = 'Q8_0'\nname = 'b'",
                "line 5: unknown field `name`",
            ),
            ("base =", "line 1: "),
            (
                r"base = 'Q6_K'\nkeep = ['\w{9}']".replace("\\n", "\n").as_str(),
                "line 2: \"\\\\w{9}\" is no regular expression: Compiled regex exceeds size limit",
            ),
            (&format!("keep = [{}]", "'a',".repeat(201)), "201 patterns, where at most 200 are allowed"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(message), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_by_its_size() {
        let file = |bytes: usize| format!("base = \"Q6_K\"\n#{}", "-".repeat(bytes - 15));
        assert!(read(&file(MAX_BYTES as usize)).is_ok());
        let error = read(&file(MAX_BYTES as usize + 1)).unwrap_err();
        assert_eq!(error, "262145 bytes, but at most 262144 are read");
    }
}
