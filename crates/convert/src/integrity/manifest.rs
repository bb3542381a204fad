//! A listing in a file of its own. Spec: integrity.md, "Manifest".

use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use briq_format::shard::open_parts;
use briq_format::{Escaped, Limits};

use super::data::{Tensors, hash_places};
use super::listing::{KeyLine, Listing, TensorLine, parse_digest};
use crate::run::Progress;
use crate::{Error, Result};

/// The first line.
pub(super) const HEADING: &str = "briq manifest 1 blake3";

/// A listing that is kept apart from its model.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest(pub Listing);

impl Manifest {
    /// The manifest of the model at `path`; any shard stands for all.
    ///
    /// # Errors
    /// When the model is bad or cannot be read, is big-endian, or `stop` was set.
    pub fn of(path: &Path, progress: &(dyn Progress + Sync), stop: &AtomicBool) -> Result<Self> {
        let parts = open_parts(path, &Limits::default())?;
        let tensors = Tensors::of(&parts);
        if let Some(part) = tensors.big_endian() {
            return Err(Error::unsupported(format!(
                "{}: a manifest is made of little-endian files; `briq convert --type auto` makes one",
                part.display()
            )));
        }
        let hashes = hash_places(&tensors.places, progress, stop)?;
        let keys = parts.first().map(|part| Listing::keys_of(part.head.view().metadata().iter()));
        let tensors =
            tensors.infos.iter().zip(&hashes).map(|(info, hash)| {
                TensorLine::new(info.name, info.type_id, info.shape, info.bytes, &hash.data)
            });
        Ok(Self(Listing { keys: keys.unwrap_or_default(), tensors: tensors.collect() }))
    }

    /// Whether a text begins as a manifest does.
    pub(super) fn is_one(text: &str) -> bool {
        text.lines().next() == Some(HEADING)
    }

    /// Reads the text of the file at `path`.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self> {
        let mut listing = Listing::default();
        let mut whole = None;
        for (number, line) in text.lines().enumerate().skip(1) {
            let bad = |problem: String| Error::bad(path, format!("line {}: {problem}", number + 1));
            match line.split_once(' ') {
                Some(("whole", digest)) => whole = Some(parse_digest(digest).map_err(bad)?),
                Some(("key", line)) => listing.keys.push(KeyLine::parse(line).map_err(bad)?),
                Some(("tensor", line)) => listing.tensors.push(TensorLine::parse(line).map_err(bad)?),
                _ => return Err(bad("expected whole, key or tensor".to_owned())),
            }
        }
        if let Some(repeated) = listing.repeated() {
            let lines = text.lines().enumerate().filter(|(_, line)| line.starts_with("tensor "));
            let number = lines.map(|(number, _)| number + 1).nth(repeated).unwrap_or(0);
            let name = Escaped(listing.tensors[repeated].name.as_bytes());
            let problem = format!("line {number}: tensor \"{name}\" has a line already; one is allowed");
            return Err(Error::bad(path, problem));
        }
        match whole {
            Some(whole) if whole == listing.whole() => Ok(Self(listing)),
            Some(_) => Err(Error::bad(path, "the digest over the whole is not that of its lines")),
            None => Err(Error::bad(path, "there is no digest over the whole: it is cut short")),
        }
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADING}")?;
        self.0.lines().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "whole {}", self.0.whole())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_line_for_a_tensor_is_refused() {
        let digest = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        let line = |name: &str| TensorLine::parse(&format!("{digest} F32 1 {name}")).unwrap();
        let keys = vec![KeyLine::parse(&format!("{digest} string general.name")).unwrap()];
        let parse = |names: &[&str]| {
            let tensors = names.iter().map(|name| line(name)).collect();
            let manifest = Manifest(Listing { keys: keys.clone(), tensors });
            Manifest::parse(Path::new("list"), &manifest.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(parse(&["a", "b"]).unwrap().0.tensors.len(), 2);
        let problem = "list: line 5: tensor \"a\" has a line already; one is allowed";
        assert_eq!(parse(&["a", "b", "a"]).unwrap_err(), problem);
    }
}
