//! A Hugging Face model directory: which safetensors files belong to it.
//!
//! The directory is the user's and may hold links; the index inside it is a stranger's and may name nothing
//! but plain files beside itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Source, SourceFile, SourceKind, safetensors, scaled};
use crate::json::{self, Json};
use crate::model::Config;
use crate::{Error, Result};

/// The weights of a model in one file. Beside an index that names others they are not read.
pub(super) const WHOLE: &str = "model.safetensors";

/// The most bytes of an index.
const INDEX_CAP: u64 = json::TOKENIZER_CAP;

pub(super) fn open(directory: &Path) -> Result<Source> {
    let index_path = directory.join("model.safetensors.index.json");
    let index = json::read_if_present(&index_path, INDEX_CAP)?;
    let index = index.map(|index| weight_map(&index_path, &index)).transpose()?;
    let paths = match &index {
        Some(index) => indexed_files(directory, &index_path, index)?,
        None => listed_files(directory)?,
    };
    let mut files = Vec::with_capacity(paths.len());
    let mut tensors = Vec::new();
    let mut seen = BTreeMap::new();
    for (number, path) in paths.into_iter().enumerate() {
        let file = SourceFile::open(path)?;
        for tensor in safetensors::read_tensors(&file, number)? {
            if let Some(other) = seen.insert(tensor.name.clone(), number) {
                let other: &SourceFile = &files[other];
                let problem = format!("tensor \"{}\" is in {} as well", tensor.name, other.path.display());
                return Err(Error::bad(&file.path, problem));
            }
            tensors.push(tensor);
        }
        files.push(file);
    }
    if let Some(index) = index {
        check_index(&index_path, &index, &seen, &files)?;
    }
    let source = Source { kind: SourceKind::Directory, path: directory.to_owned(), tensors, files };
    scaled::join(|| Config::read(directory), source)
}

/// Tensor name to file name.
fn weight_map(path: &Path, index: &Json) -> Result<BTreeMap<String, String>> {
    let map = index.get("weight_map").and_then(Json::as_object);
    let map = map.ok_or_else(|| Error::bad(path, "\"weight_map\" must be an object"))?;
    map.iter()
        .map(|(tensor, file)| match file.as_str() {
            Some(file) if is_plain(file) => Ok((tensor.clone(), file.to_owned())),
            _ => Err(Error::bad(
                path,
                format!("\"weight_map\" puts tensor \"{tensor}\" into {file}; allowed is the name of a file beside \
                         the index"),
            )),
        })
        .collect()
}

/// Whether a name from a file is one path component on every system, and nothing special on any.
pub(crate) fn is_plain(name: &str) -> bool {
    let special =
        |c: char| c.is_control() || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    let stem = name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let device = matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || (stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")));
    !name.is_empty() && name.len() <= 255 && name != "." && name != ".." && !name.contains(special) && !device
}

fn indexed_files(
    directory: &Path,
    index_path: &Path,
    index: &BTreeMap<String, String>,
) -> Result<Vec<PathBuf>> {
    let mut names: Vec<&String> = index.values().collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Err(Error::bad(index_path, "\"weight_map\" names no file"));
    }
    names
        .into_iter()
        .map(|name| {
            let path = directory.join(name);
            match path.exists() {
                true => Ok(path),
                false => {
                    Err(Error::bad(index_path, format!("{name} is named here, but is not in the directory")))
                }
            }
        })
        .collect()
}

/// Without an index: `model*.safetensors`, or the only safetensors file there is.
fn listed_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(directory).map_err(|error| Error::io(directory, "list", error))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| Error::io(directory, "list", error))?.file_name();
        names.extend(name.into_string());
    }
    names.sort();
    let all: Vec<&String> = names.iter().filter(|name| name.ends_with(".safetensors")).collect();
    let models: Vec<&String> = all.iter().copied().filter(|name| name.starts_with("model")).collect();
    let chosen = match (models.is_empty(), &all[..]) {
        (false, _) => models,
        (true, [_]) => all,
        (true, []) => return Err(no_weights(directory, &names)),
        (true, _) => {
            let problem =
                format!("{} safetensors files, none named model*.safetensors, and no index", all.len());
            return Err(Error::bad(directory, problem));
        }
    };
    check_shard_count(directory, &chosen)?;
    Ok(chosen.into_iter().map(|name| directory.join(name)).collect())
}

fn no_weights(directory: &Path, names: &[String]) -> Error {
    let pickled = |name: &&String| [".bin", ".pt", ".pth", ".ckpt"].iter().any(|end| name.ends_with(end));
    match names.iter().find(pickled) {
        Some(name) => Error::bad(
            directory,
            format!(
                "no safetensors file; {name} is a Python pickle, which can run code when it is read: convert it to \
                 safetensors first"
            ),
        ),
        None => Error::bad(directory, "no safetensors file in the directory"),
    }
}

/// Without an index, names such as `model-00002-of-00003.safetensors` tell whether one is missing.
fn check_shard_count(directory: &Path, names: &[&String]) -> Result<()> {
    for name in names {
        let declared = name
            .strip_suffix(".safetensors")
            .and_then(|name| name.rsplit_once("-of-"))
            .and_then(|(_, count)| count.parse::<usize>().ok());
        if let Some(declared) = declared.filter(|&declared| declared != names.len()) {
            let problem = format!("{name} is one of {declared} shards, but {} are there", names.len());
            return Err(Error::bad(directory, problem));
        }
    }
    Ok(())
}

/// The index and the files must tell of the same tensors.
fn check_index(
    path: &Path,
    index: &BTreeMap<String, String>,
    seen: &BTreeMap<String, usize>,
    files: &[SourceFile],
) -> Result<()> {
    for (tensor, file) in index {
        let found = seen.get(tensor).and_then(|&number| files[number].path.file_name());
        if found.and_then(|name| name.to_str()) != Some(file.as_str()) {
            return Err(Error::bad(
                path,
                format!("tensor \"{tensor}\" is to be in {file}, but is not there"),
            ));
        }
    }
    match seen.iter().find(|(tensor, _)| !index.contains_key(*tensor)) {
        Some((tensor, &number)) => {
            let problem =
                format!("tensor \"{tensor}\" of {} is not named here", files[number].path.display());
            Err(Error::bad(path, problem))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::is_plain;

    #[test]
    fn an_index_names_files_beside_itself_and_nothing_else() {
        for name in ["model.safetensors", "model-00001-of-00002.safetensors", "ünï.safetensors"] {
            assert!(is_plain(name), "{name}");
        }
        let long = "x".repeat(300);
        for name in [
            "../x",
            "/etc/passwd",
            "a/../../x",
            "sub/x",
            "C:\\x",
            "\\\\srv\\s",
            "con",
            "NUL.txt",
            "x\0y",
            "",
            ".",
            "..",
            &long,
        ] {
            assert!(!is_plain(name), "{name}");
        }
    }
}
