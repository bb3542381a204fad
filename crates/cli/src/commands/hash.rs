//! `briq hash`: hashes of a file and of its tensors.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::AtomicBool;

use briq_convert::integrity::Manifest;
use briq_convert::integrity::foreign::{Algorithm, file_sha256, sum_line, tensor_digests};
use briq_format::shard::open_parts;
use briq_format::{Limits, Printable};
use serde_json::{Value, json};

use super::{print_json, stdout, tensor_bytes};
use crate::args::Hash;
use crate::exit::Outcome;
use crate::interrupt;
use crate::progress::Bar;
use crate::threads;

pub(crate) fn run(args: &Hash) -> anyhow::Result<Outcome> {
    let stop = interrupt::flag()?;
    let bar = Bar::new(total(args)?);
    let hashed = threads::share(|| hashed(args, &bar, &stop));
    bar.finish();
    let (text, report) = hashed?;
    match args.json {
        true => print_json(&report)?,
        false => print(&text)?,
    }
    Ok(Outcome::Done)
}

/// Prints lines as other tools read them, byte by byte; a terminal is shown nothing that acts on it.
fn print(text: &[u8]) -> io::Result<()> {
    let mut out = stdout();
    match io::stdout().is_terminal() {
        true => out.write_all(harmless(text).as_bytes())?,
        false => out.write_all(text)?,
    }
    out.flush()
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

/// What to print, as text and as JSON.
fn hashed(args: &Hash, bar: &Bar, stop: &AtomicBool) -> Result<(Vec<u8>, Value), briq_convert::Error> {
    let (file, named) = (args.file.to_string_lossy(), args.file.as_os_str().as_encoded_bytes());
    let algorithms = algorithms(args);
    if args.manifest {
        let manifest = Manifest::of(&args.file, bar, stop)?;
        let keys = manifest.0.keys.iter().map(
            |line| json!({ "key": line.key, "type": line.ty.name(), "digest": line.digest.to_string() }),
        );
        let tensors = manifest.0.tensors.iter().map(|line| {
            let ty = line.type_id.to_string();
            json!({ "name": line.name, "type": ty, "shape": line.dims, "digest": line.digest.to_string() })
        });
        let report = json!({
            "whole": manifest.0.whole().to_string(),
            "keys": keys.collect::<Vec<_>>(),
            "tensors": tensors.collect::<Vec<_>>(),
        });
        return Ok((manifest.to_string().into(), report));
    }
    if algorithms.is_empty() {
        let sha256 = file_sha256(&args.file, bar, stop)?;
        return Ok((sum_line(&sha256, named), json!({ "file": file, "sha256": sha256 })));
    }
    let digests = tensor_digests(&args.file, &algorithms, !args.no_layer, bar, stop)?;
    let text = digests.iter().flat_map(|digest| digest.line(named)).collect();
    let lines = digests.iter().map(|digest| {
        json!({ "algorithm": digest.algorithm.name(), "digest": digest.digest, "tensor": digest.tensor })
    });
    Ok((text, json!({ "file": file, "hashes": lines.collect::<Vec<_>>() })))
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
