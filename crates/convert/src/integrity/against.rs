//! Files of hashes, in whatever form: a manifest of ours, or what `sha256sum` and llama.cpp's hash tool print.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use briq_format::{Escaped, Head, Limits, open_regular};

use super::check::{ByteRange, Change, Damage, Findings, State, check_listing};
use super::foreign::{Algorithm, file_sha256, tensor_digests};
use super::line;
use super::manifest::Manifest;
use crate::json::{TOKENIZER_CAP, read_bytes};
use crate::run::Progress;
use crate::{Error, Result};

/// Holds the model at `path` against the hashes in the file at `list`: a [`Manifest`], lines of `sha256sum`, or
/// lines of llama.cpp's hash tool.
///
/// # Errors
/// When either file is bad or cannot be read, `list` does not speak of the model, or `stop` was set.
pub fn check_against(
    path: &Path,
    list: &Path,
    progress: &(dyn Progress + Sync),
    stop: &AtomicBool,
) -> Result<Findings> {
    let text = read_bytes(list, TOKENIZER_CAP)?;
    if let Some(manifest) = str::from_utf8(&text).ok().filter(|text| Manifest::is_one(text)) {
        let Manifest(listing) = Manifest::parse(list, manifest)?;
        return check_listing(path, &listing, progress, stop);
    }
    let mut file = open_regular(path)?;
    let head = Head::read(&mut file, &Limits::default()).map_err(|error| error.in_file(path))?;
    let ranges: HashMap<&str, ByteRange> = head
        .view()
        .tensor_infos()
        .map(|info| {
            let (start, end) = (info.offset_in_file, info.offset_in_file + info.bytes);
            (info.name, ByteRange { start, end })
        })
        .collect();
    let listed = listed(list, &text, path, |name| ranges.contains_key(name))?;
    let mut findings = Findings::new(State::Holds);
    // Of the whole file, or of all tensors, a hash says nothing about a place.
    let damage = |problem: String, tensor: Option<&str>, range: Option<&ByteRange>| Damage {
        problem,
        tensor: tensor.map(str::to_owned),
        file: path.to_owned(),
        ranges: range.copied().into_iter().collect(),
    };
    if let Some(sha256) = listed.iter().find(|line| line.of == Of::File) {
        let found = file_sha256(path, progress, stop)?;
        if found != sha256.digest {
            let problem = format!("the SHA-256 is {found}, but the list says {}", sha256.digest);
            findings.damage.push(damage(problem, None, None));
        }
    }
    let tensors = listed.iter().filter(|line| line.of != Of::File);
    let algorithms: Vec<Algorithm> =
        Algorithm::ALL.into_iter().filter(|one| tensors.clone().any(|line| line.algorithm == *one)).collect();
    let with_tensors = tensors.clone().any(|line| matches!(line.of, Of::Tensor(_)));
    let found = match algorithms.is_empty() {
        true => Vec::new(),
        false => tensor_digests(path, &algorithms, with_tensors, progress, stop)?,
    };
    let found: HashMap<(&str, Option<&str>), &str> = found
        .iter()
        .map(|one| ((one.algorithm.name(), one.tensor.as_deref()), one.digest.as_str()))
        .collect();
    for line in tensors {
        let tensor = match &line.of {
            Of::Tensor(name) => Some(name.as_str()),
            _ => None,
        };
        findings.tensors += usize::from(tensor.is_some());
        let quoted = tensor.map(|name| format!("tensor \"{}\"", Escaped(name.as_bytes())));
        let what = quoted.as_deref().unwrap_or("the data of all tensors");
        match found.get(&(line.algorithm.name(), tensor)) {
            Some(digest) if *digest == line.digest => {}
            Some(digest) => {
                let (algorithm, listed) = (line.algorithm, &line.digest);
                let problem = format!("{what}: the {algorithm} is {digest}, but the list says {listed}");
                findings.damage.push(damage(problem, tensor, tensor.and_then(|name| ranges.get(name))));
            }
            None => findings.changes.push(Change(format!("{what} is not in the file"))),
        }
    }
    Ok(findings.judged())
}

/// A line of a list.
#[derive(Debug, PartialEq)]
struct Listed {
    algorithm: Algorithm,
    digest: String,
    of: Of,
}

/// What a hash is of.
#[derive(Debug, PartialEq)]
enum Of {
    File,
    AllTensors,
    Tensor(String),
}

/// The lines that speak of the file at `path`. Names of files are any bytes.
fn listed(list: &Path, text: &[u8], path: &Path, is_tensor: impl Fn(&str) -> bool) -> Result<Vec<Listed>> {
    let file_name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let is_file = |name: &[u8]| {
        let folder = name.strip_suffix(file_name);
        folder.is_some_and(|folder| matches!(folder.last(), None | Some(b'/' | b'\\')))
    };
    let mut listed = Vec::new();
    for (number, line) in text.split(|&byte| byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Some(line) = line::read(line) else { return Err(no_line(list, number)) };
        let Some((tool, digest, name)) = parse(&line) else { return Err(no_line(list, number)) };
        let of = match tool {
            Some(_) => of_tensors(name, is_file, &is_tensor),
            None => is_file(name).then_some(Of::File),
        };
        if let Some(of) = of {
            let (algorithm, digest) = (tool.unwrap_or(Algorithm::Sha256), digest.to_ascii_lowercase());
            listed.push(Listed { algorithm, digest, of });
        }
    }
    match listed.is_empty() {
        false => Ok(listed),
        true => {
            let file_name = Escaped(file_name);
            Err(Error::bad(list, format!("it has no line for a file called {file_name}")))
        }
    }
}

fn no_line(list: &Path, number: usize) -> Error {
    let allowed = "a line of `briq hash`, of sha256sum, or of llama.cpp's hash tool";
    Error::bad(list, format!("line {}: expected {allowed}", number + 1))
}

/// The parts of a line: the algorithm, where it is one of llama.cpp's hash tool, the hash, and the name.
fn parse(line: &[u8]) -> Option<(Option<Algorithm>, &str, &[u8])> {
    let (first, rest) = line.split_at(line.iter().position(|&byte| byte == b' ').unwrap_or(line.len()));
    let first = str::from_utf8(first).ok()?;
    if first.len() == 64 && first.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        // A star marks a file that was read as binary.
        let name = rest.strip_prefix(b"  ").or_else(|| rest.strip_prefix(b" *"));
        return Some((None, first, name.or_else(|| rest.strip_prefix(b" ")).unwrap_or(rest)));
    }
    let rest = rest.trim_ascii_start();
    let (digest, name) = rest.split_at(rest.windows(2).position(|two| two == b"  ")?);
    Some((Some(Algorithm::named(first)?), str::from_utf8(digest).ok()?, &name[2..]))
}

/// What the hash tool means by a name, where that is of the file.
fn of_tensors(name: &[u8], is_file: impl Fn(&[u8]) -> bool, is_tensor: impl Fn(&str) -> bool) -> Option<Of> {
    // No tensor of a file has a longer name, so that a line of many colons is not read anew from each of them.
    let longest = Limits::default().name_bytes;
    let may_be_tensor =
        |tensor: &&[u8]| tensor.len() as u64 <= longest && str::from_utf8(tensor).is_ok_and(&is_tensor);
    let colons = name.iter().enumerate().filter(|(_, byte)| **byte == b':');
    let tensors = colons.filter(|&(at, _)| is_file(&name[..at])).map(|(at, _)| &name[at + 1..]);
    let of = |tensor| Of::Tensor(String::from_utf8_lossy(tensor).into_owned());
    // Both names may have colons: the longest one that the file has is the tensor's.
    match tensors.clone().find(may_be_tensor) {
        Some(known) => Some(of(known)),
        None if is_file(name) => Some(Of::AllTensors),
        None => tensors.last().map(of),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn parse(text: &str) -> Result<Vec<Listed>, String> {
        let is_tensor = |name: &str| ["a", "b:c"].contains(&name);
        listed(Path::new("list"), text.as_bytes(), Path::new("dir/m.gguf"), is_tensor)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_is_read_and_lines_of_other_files_are_passed_over() {
        let sum = "ab".repeat(32);
        let text = format!(
            "{sum}  other.gguf\n{sum} *./m.gguf\n\nsha1      12  C:\\x\\m.gguf:a\nxxh64     34  m.gguf:b:c\n\
             uuid      56  m.gguf\nsha1      78  m.gguf:gone\nsha1      9a  n.gguf\nsha1      9a  n.gguf:a\n"
        );
        let of: Vec<Of> = parse(&text).unwrap().into_iter().map(|line| line.of).collect();
        let tensor = |name: &str| Of::Tensor(name.to_owned());
        assert_eq!(of, [Of::File, tensor("a"), tensor("b:c"), Of::AllTensors, tensor("gone")]);
    }

    #[test]
    fn a_line_of_many_colons_is_not_read_anew_from_each_of_them() {
        let asked = Cell::new(0);
        let is_tensor = |name: &str| {
            asked.set(asked.get() + name.len());
            false
        };
        let name = "/m.gguf:".repeat(1000);
        let of = of_tensors(name.as_bytes(), |name| name.ends_with(b"/m.gguf"), is_tensor);
        assert_eq!(of, Some(Of::Tensor(String::new())));
        // The last 129 colons have up to 1024 bytes behind them.
        assert_eq!(asked.get(), (0..=128).map(|colon| colon * 8).sum::<usize>());
    }

    #[test]
    fn what_is_no_list_is_refused_by_its_line() {
        let error = parse("xxh64     34  m.gguf\nhello\n").unwrap_err();
        assert_eq!(
            error,
            "list: line 2: expected a line of `briq hash`, of sha256sum, or of llama.cpp's hash tool"
        );
        assert_eq!(parse("").unwrap_err(), "list: it has no line for a file called m.gguf");
    }
}
