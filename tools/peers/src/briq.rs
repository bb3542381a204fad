//! The program under test, started as a user starts it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::place::Place;

/// A type to convert to, and the number by which llama.cpp calls the same mixture (`llama_ftype`).
pub(crate) struct Target {
    /// As `--type` takes it.
    pub(crate) name: &'static str,
    /// `LLAMA_FTYPE_*` of llama.h.
    pub(crate) file_type: u32,
}

/// The targets compared on tiny-llama.
pub(crate) const TARGETS: &[Target] = &[
    Target { name: "F32", file_type: 0 },
    Target { name: "F16", file_type: 1 },
    Target { name: "BF16", file_type: 32 },
    Target { name: "Q8_0", file_type: 7 },
    Target { name: "Q4_0", file_type: 2 },
    Target { name: "Q4_K_S", file_type: 14 },
    Target { name: "Q4_K_M", file_type: 15 },
    Target { name: "Q5_K_S", file_type: 16 },
    Target { name: "Q5_K_M", file_type: 17 },
    Target { name: "Q6_K", file_type: 18 },
];

/// The targets compared on all-MiniLM-L6-v2.
pub(crate) const EMBEDDING_TARGETS: &[&str] = &["F32", "F16", "Q8_0", "Q4_K_M"];

/// The command `briq convert SOURCE --type NAME --out FILE`.
pub(crate) fn convert_command(place: &Place, source: &Path, target: &str, out: &Path) -> Command {
    let mut command = Command::new(&place.briq);
    command.arg("convert").arg(source).args(["--type", target, "--out"]).arg(out);
    command
}

/// Converts `source` into `folder`, to a file named after the target.
///
/// # Errors
/// briq fails; the error holds what it said.
pub(crate) fn convert(place: &Place, source: &Path, target: &str, folder: &Path) -> Result<PathBuf> {
    let out = folder.join(format!("{target}.gguf"));
    finish(&mut convert_command(place, source, target, &out))?;
    Ok(out)
}

/// As [`convert`], but without a record, which no other tool writes.
///
/// # Errors
/// As [`convert`].
pub(crate) fn convert_plainly(place: &Place, source: &Path, target: &str, folder: &Path) -> Result<PathBuf> {
    let out = folder.join(format!("{target}-plain.gguf"));
    finish(convert_command(place, source, target, &out).arg("--no-record"))?;
    Ok(out)
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// It cannot be started or fails; the error holds what it said.
pub(crate) fn finish(command: &mut Command) -> Result<String> {
    let shown = [command.get_program()].into_iter().chain(command.get_args()).collect::<Vec<_>>();
    let shown = shown.join(OsStr::new(" ")).to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot start {shown}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{shown}: {}: {}", output.status, said.trim());
    String::from_utf8(output.stdout).with_context(|| format!("{shown} printed no UTF-8"))
}
