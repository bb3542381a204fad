//! One subcommand, one file.

pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod convert;
mod families;
pub(crate) mod hash;
mod holes;
pub(crate) mod imatrix;
pub(crate) mod inspect;
mod record;
pub(crate) mod snapshot;
pub(crate) mod types;
pub(crate) mod verify;

use std::fmt;
use std::io::{self, Write};

use briq_format::shard::Part;

use crate::output::stdout;
use crate::patient::Patient;

/// Says something on standard error before the work starts. Where nobody listens, the work is done all the same.
fn warn(line: fmt::Arguments<'_>) {
    let _ = writeln!(Patient(io::stderr()), "briq: {line}");
}

/// The end of a report. Where its reader left early, what was found out still decides how the program ends.
fn printed(report: anyhow::Result<()>) -> anyhow::Result<()> {
    let is_broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    match report {
        Err(error) if error.downcast_ref().is_some_and(is_broken) => Ok(()),
        other => other,
    }
}

/// Bytes that the tensors of a model have together, by its tables.
fn tensor_bytes(parts: &[Part]) -> u64 {
    parts.iter().flat_map(|part| part.head.view().tensor_infos()).map(|info| info.bytes).sum()
}

/// Prints a report as JSON on standard output.
fn print_json(report: &impl serde::Serialize) -> anyhow::Result<()> {
    write_json(stdout(), report)
}

/// Writes a report as JSON.
fn write_json(mut out: impl Write, report: &impl serde::Serialize) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut out, report).map_err(io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
