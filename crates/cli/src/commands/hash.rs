//! `briq hash`: hashes of a file and of its tensors.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::AtomicBool;

use briq_convert::integrity::foreign::{Algorithm, TensorDigest, file_sha256, sum_line, tensor_digests};
use briq_convert::integrity::{KeyLine, Manifest, TensorLine};
use briq_format::shard::open_parts;
use briq_format::{Limits, Printable};
use serde::Serialize;
use serde_json::json;

use super::{print_json, stdout, tensor_bytes};
use crate::args::Hash;
use crate::exit::Outcome;
use crate::interrupt;
use crate::json::InTurn;
use crate::progress::Bar;
use crate::threads;

pub(crate) fn run(args: &Hash) -> anyhow::Result<Outcome> {
    let stop = interrupt::flag()?;
    let bar = Bar::new(total(args)?);
    let hashed = threads::share(|| hashed(args, &bar, &stop));
    bar.finish();
    let hashed = hashed?;
    match args.json {
        true => print_json(&hashed.report(&args.file.to_string_lossy()))?,
        false => hashed.print(args.file.as_os_str().as_encoded_bytes())?,
    }
    Ok(Outcome::Done)
}

/// Lines without characters that act on a terminal.
fn harmless(text: &[u8]) -> String {
    let line = |line: &[u8]| {
        let chunks = line.utf8_chunks().map(|chunk| {
            let invalid: String = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")).collect();
            format!("{}{invalid}", Printable(chunk.valid()))
        });
        chunks.collect::<String>() + "\n"
    };
    text.strip_suffix(b"\n").unwrap_or(text).split(|&byte| byte == b'\n').map(line).collect()
}

/// What was hashed. Lines are made as they are printed: of a large table they take far more room than the hashes.
enum Hashed {
    File(String),
    Tensors(Vec<TensorDigest>),
    Manifest(Manifest),
}

fn hashed(args: &Hash, bar: &Bar, stop: &AtomicBool) -> Result<Hashed, briq_convert::Error> {
    let algorithms = algorithms(args);
    if args.manifest {
        return Manifest::of(&args.file, bar, stop).map(Hashed::Manifest);
    }
    if algorithms.is_empty() {
        return file_sha256(&args.file, bar, stop).map(Hashed::File);
    }
    tensor_digests(&args.file, &algorithms, !args.no_layer, bar, stop).map(Hashed::Tensors)
}

impl Hashed {
    /// Prints lines as other tools read them, byte by byte; a terminal is shown nothing that acts on it.
    fn print(&self, file: &[u8]) -> io::Result<()> {
        let mut out = stdout();
        let is_terminal = io::stdout().is_terminal();
        let mut print = |line: &[u8]| match is_terminal {
            true => out.write_all(harmless(line).as_bytes()),
            false => out.write_all(line),
        };
        match self {
            Self::File(sha256) => print(&sum_line(sha256, file))?,
            Self::Tensors(digests) => digests.iter().try_for_each(|digest| print(&digest.line(file)))?,
            Self::Manifest(manifest) if is_terminal => print(manifest.to_string().as_bytes())?,
            Self::Manifest(manifest) => write!(out, "{manifest}")?,
        }
        out.flush()
    }

    fn report<'a>(&'a self, file: &'a str) -> Report<'a> {
        match self {
            Self::File(sha256) => Report::File { file, sha256 },
            Self::Tensors(digests) => {
                let line = |line: &TensorDigest| {
                    let algorithm = line.algorithm.name();
                    json!({ "algorithm": algorithm, "digest": line.digest, "tensor": line.tensor })
                };
                Report::Tensors { file, hashes: InTurn::of(move || digests.iter().map(line)) }
            }
            Self::Manifest(Manifest(listing)) => {
                let key = |line: &KeyLine| {
                    let digest = line.digest.to_string();
                    json!({ "key": line.key, "type": line.ty.name(), "digest": digest })
                };
                let tensor = |line: &TensorLine| {
                    let (digest, ty) = (line.digest.to_string(), line.type_id.to_string());
                    json!({ "name": line.name, "type": ty, "shape": line.dims, "digest": digest })
                };
                Report::Manifest {
                    keys: InTurn::of(move || listing.keys.iter().map(key)),
                    tensors: InTurn::of(move || listing.tensors.iter().map(tensor)),
                    whole: listing.whole().to_string(),
                }
            }
        }
    }
}

/// The hashes as JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Report<'a> {
    File { file: &'a str, sha256: &'a str },
    Tensors { file: &'a str, hashes: InTurn<'a> },
    Manifest { keys: InTurn<'a>, tensors: InTurn<'a>, whole: String },
}

/// The algorithms that were asked for, in the order in which they are printed.
fn algorithms(args: &Hash) -> Vec<Algorithm> {
    let is_asked_for = |algorithm: &Algorithm| match algorithm {
        Algorithm::Xxh64 => args.xxh64 || args.all || (args.no_layer && !is_any(args)),
        Algorithm::Sha1 => args.sha1 || args.all,
        Algorithm::Sha256 => args.sha256 || args.all,
        Algorithm::Blake3 => args.blake3,
        Algorithm::Uuid => args.uuid,
    };
    Algorithm::ALL.into_iter().filter(is_asked_for).collect()
}

fn is_any(args: &Hash) -> bool {
    args.xxh64 || args.sha1 || args.sha256 || args.blake3 || args.all || args.uuid
}

/// Bytes that will be hashed.
fn total(args: &Hash) -> anyhow::Result<u64> {
    let algorithms = algorithms(args).len() as u64;
    if algorithms == 0 && !args.manifest {
        return Ok(std::fs::metadata(&args.file).map_or(0, |about| about.len()));
    }
    let model = open_parts(&args.file, &Limits::default())?;
    let tensors = tensor_bytes(&model);
    let passes = if args.no_layer { algorithms } else { 2 * algorithms };
    Ok(tensors.saturating_mul(passes.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_acts_on_a_terminal_is_left_and_lines_stay_lines() {
        assert_eq!(
            harmless(b"12  a\\\xff\x1b[2J\n34  b:\xe2\x80\xae\n"),
            "12  a\\\\xff\\u{1b}[2J\n34  b:\\u{202e}\n"
        );
    }
}
