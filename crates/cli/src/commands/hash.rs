//! `briq hash`: hashes of a file and of its tensors.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use briq_convert::integrity::Manifest;
use briq_convert::integrity::foreign::{Algorithm, file_sha256, tensor_digests};
use briq_format::shard::open_parts;
use briq_format::{Escaped, Limits};
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
        false => {
            let mut out = stdout();
            out.write_all(text.as_bytes())?;
            out.flush()?;
        }
    }
    Ok(Outcome::Done)
}

/// What to print, as text and as JSON.
fn hashed(args: &Hash, bar: &Bar, stop: &AtomicBool) -> Result<(String, Value), briq_convert::Error> {
    let file = shown(&args.file);
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
        return Ok((manifest.to_string(), report));
    }
    if algorithms.is_empty() {
        let sha256 = file_sha256(&args.file, bar, stop)?;
        return Ok((format!("{sha256}  {file}\n"), json!({ "file": file, "sha256": sha256 })));
    }
    let digests = tensor_digests(&args.file, &algorithms, !args.no_layer, bar, stop)?;
    let text = digests.iter().map(|digest| digest.line(&file) + "\n").collect();
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

/// The path as it was given: the line is one, whatever is in the name.
fn shown(path: &Path) -> String {
    Escaped(path.as_os_str().as_encoded_bytes()).to_string()
}
