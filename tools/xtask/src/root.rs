//! The project's folder, and the programs that chores start in it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The folder of the workspace manifest.
///
/// # Errors
/// This program's package was moved.
pub(crate) fn root() -> Result<&'static Path> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).context("the project's folder is two above tools/xtask")
}

/// Runs a command with its output going where ours goes.
///
/// # Errors
/// It cannot be started, or it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let shown = words.collect::<Vec<_>>().join(OsStr::new(" ")).to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` ended with {status}");
    Ok(())
}
