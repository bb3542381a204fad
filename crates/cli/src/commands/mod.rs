//! One subcommand, one file.

pub(crate) mod bench;
pub(crate) mod completions;
pub(crate) mod convert;
mod families;
pub(crate) mod hash;
pub(crate) mod imatrix;
pub(crate) mod inspect;
mod record;
pub(crate) mod snapshot;
pub(crate) mod types;
pub(crate) mod verify;

use std::io::{self, Write};

use crate::output::stdout;

/// Prints a report as JSON on standard output.
fn print_json(report: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut out = stdout();
    serde_json::to_writer_pretty(&mut out, report).map_err(io::Error::from)?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}
