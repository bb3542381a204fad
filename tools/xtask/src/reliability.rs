//! `cargo x reliability`: one table of what was tried and what was lost.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::fuzz;
use crate::root::{root, run as run_command};

/// Fuzzes every target for so many minutes, then runs the harness of the tests on the binary as it is shipped.
///
/// # Errors
/// Something does not build, or a promise is broken.
#[expect(clippy::print_stdout, reason = "a chore reports to whoever ran it")]
pub(crate) fn run(minutes: f64) -> Result<()> {
    let root = root()?;
    let cargo = |verb: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args([verb, "--quiet", "--release", "--locked"]).current_dir(root);
        cargo
    };
    let fuzzed = match minutes {
        0.0 => Vec::new(),
        minutes => fuzz::measure(minutes, &[])?,
    };
    run_command(cargo("build").args(["--package", "briq"]))?;
    if !fuzzed.is_empty() {
        println!("{}", fuzz::table(&fuzzed)?);
    }
    let mut harness = cargo("run");
    let status = harness.args(["--package", "briq-tests", "--bin", "reliability"]).status();
    ensure!(status.context("the harness cannot be started")?.success(), "a promise is broken");
    ensure!(fuzzed.iter().all(|target| target.broken == 0), "inputs broke promises: see target/fuzz");
    Ok(())
}
