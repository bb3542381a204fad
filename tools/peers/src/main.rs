//! `peers FIXTURES INSTALLED BRIQ [--hf DIR] [CHECK]...`: compares briq with the runtimes that read its files.
//!
//! `cargo x peers` installs the pinned packages, builds briq and starts this program. Each check prints the
//! figures it measured; the last line counts the checks that passed and failed, and the exit code is 1 when
//! one failed. Nothing of briq depends on this package.

mod briq;
mod checkpoint;
mod checks;
mod claims;
mod data;
mod ggml;
mod isa;
mod llama;
mod parallel;
mod place;
mod portable;
mod samples;
mod seen;
mod vectors;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};

use crate::checks::{CHECKS, Check, PARTS};
use crate::place::Place;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

const USAGE: &str = "usage: peers FIXTURES INSTALLED BRIQ [--hf DIR] [CHECK]...";

/// Runs the chosen checks; whether all of them passed.
fn run() -> Result<bool> {
    let mut arguments = std::env::args().skip(1);
    if std::env::args().nth(1).as_deref() == Some("vectors") {
        return vectors::write(arguments.skip(1)).map(|()| true);
    }
    let mut next = || arguments.next().context(USAGE);
    let mut place = Place::new(next()?, next()?, next()?)?;
    let mut names = arguments.collect::<Vec<_>>();
    if names.first().is_some_and(|name| name == "--hf") {
        ensure!(names.len() > 1, "{USAGE}");
        place.further_families = names.drain(..2).next_back().map(PathBuf::from);
    }
    if let Some((_, part)) = PARTS.iter().find(|(name, _)| names == [*name]) {
        return part(&place).map(|()| true);
    }
    let chosen = chosen(&names)?;

    let mut failed = 0;
    for check in &chosen {
        println!("\n== {}: {}", check.name, check.claim);
        if let Err(error) = (check.run)(&place) {
            println!("FAILED {}: {error:#}", check.name);
            failed += 1;
        }
    }
    println!("\n{} passed, {failed} failed", chosen.len() - failed);
    Ok(failed == 0)
}

/// The checks with these names, or all that need no request.
fn chosen(names: &[String]) -> Result<Vec<&'static Check>> {
    if names.is_empty() {
        return Ok(CHECKS.iter().filter(|check| !check.on_request).collect());
    }
    let find = |name: &String| match CHECKS.iter().find(|check| check.name == name) {
        Some(check) => Ok(check),
        None => {
            let known: Vec<_> = CHECKS.iter().map(|check| check.name).collect();
            bail!("no check is called {name:?}; there are {}", known.join(", "))
        }
    };
    names.iter().map(find).collect()
}
