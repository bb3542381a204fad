//! The fixtures and their manifest.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The path of a file or folder under `fixtures/`.
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures").join(name)
}

/// What `fixtures/MANIFEST.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Where files come from, by a short name.
    pub origin: BTreeMap<String, Origin>,
    /// Every file, by its path under `fixtures/`.
    pub file: BTreeMap<String, File>,
}

/// Where files come from.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// Who made them, and how.
    pub made: String,
    /// The licence they are under, as an SPDX expression.
    pub licence: String,
}

/// What is known of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The BLAKE3 hash of its bytes.
    pub blake3: String,
    /// A key of [`Manifest::origin`].
    pub origin: String,
    /// Why the file is there.
    pub why: Option<String>,
    /// The rule of `spec/` that it stands for: a page and the number of a rule on it.
    pub spec: Option<String>,
    /// Of a container that opens: what it holds, as `tests/readers.rs` prints it.
    pub holds: Option<String>,
    /// Of a container that is refused, or whose values are: the message, without the path in front.
    pub message: Option<String>,
    /// Of a container that opens: what `convert` refuses it with, where it does, without the path in front.
    pub convert: Option<String>,
    /// Of a container that opens: what `verify` finds damaged.
    #[serde(default)]
    pub damage: Vec<String>,
}

impl Manifest {
    /// Reads the manifest.
    ///
    /// # Panics
    /// When it is missing or malformed.
    pub fn read() -> Self {
        let text = fs::read_to_string(path("MANIFEST.toml")).expect("fixtures/MANIFEST.toml can be read");
        toml::from_str(&text).unwrap_or_else(|error| panic!("fixtures/MANIFEST.toml: {error}"))
    }

    /// The files in `folder`, by the rest of their paths.
    pub fn folder<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a File)> {
        self.file
            .iter()
            .filter_map(move |(path, file)| Some((path.strip_prefix(folder)?.strip_prefix('/')?, file)))
    }
}
