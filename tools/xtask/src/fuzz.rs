//! `cargo x fuzz`: runs every fuzz target, with libFuzzer where it can be had.
//!
//! libFuzzer needs a nightly compiler, cargo-fuzz, and a C++ compiler to build itself. Where one is missing, the
//! targets run on the compiler at hand, with random changes of the seeds and nothing that steers them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::root::{root, run as run_command};

/// How one target went.
pub(crate) struct Fuzzed {
    pub(crate) target: String,
    pub(crate) executions: u64,
    /// Inputs that broke a promise. libFuzzer stops at the first.
    pub(crate) broken: u64,
}

/// Runs the named targets, or all, and prints a line for each.
///
/// # Errors
/// Something does not build, or an input broke a promise.
#[expect(clippy::print_stdout, reason = "a chore reports to whoever ran it")]
pub(crate) fn run(minutes: f64, names: &[String]) -> Result<()> {
    let fuzzed = measure(minutes, names)?;
    println!("{}", table(&fuzzed)?);
    ensure!(fuzzed.iter().all(|target| target.broken == 0), "inputs broke promises: see target/fuzz");
    Ok(())
}

/// A line for each target.
pub(crate) fn table(fuzzed: &[Fuzzed]) -> Result<String> {
    let mut text = String::new();
    for Fuzzed { target, executions, broken } in fuzzed {
        writeln!(text, "fuzz {target:17} {executions:>12} executions; {broken} broken")?;
    }
    Ok(text.trim_end().to_owned())
}

/// Runs the named targets, or all, for so many minutes each.
///
/// # Errors
/// Something does not build, or a target ends without saying how often it ran.
#[expect(clippy::print_stderr, reason = "which fuzzer runs is not part of the result")]
pub(crate) fn measure(minutes: f64, names: &[String]) -> Result<Vec<Fuzzed>> {
    let root = root()?;
    run_command(cargo(root).args(["build", "--quiet", "--release", "--locked", "--package", "briq-fuzz"]))?;
    let names = match names {
        [] => listed(root)?,
        names => names.to_vec(),
    };
    let missing = missing();
    match &missing {
        None => build_libfuzzer(root)?,
        Some(what) => eprintln!("{what}: random changes without a fuzzer instead, which find less"),
    }
    let seconds = minutes * 60.0;
    let fuzz = |name: &String| match missing {
        None => with_libfuzzer(root, name, seconds),
        Some(_) => without_fuzzer(root, name, seconds),
    };
    let fuzzed: Vec<Fuzzed> = names.iter().map(fuzz).collect::<Result<_>>()?;
    let idle = fuzzed.iter().find(|target| target.executions == 0);
    ensure!(idle.is_none(), "{} was never executed", idle.map_or("", |target| &target.target));
    Ok(fuzzed)
}

/// What libFuzzer would need and is not there.
fn missing() -> Option<&'static str> {
    let there = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if !there("cargo", &["+nightly", "--version"]) {
        Some("there is no nightly compiler (rustup toolchain install nightly)")
    } else if !there("cargo", &["fuzz", "--version"]) {
        Some("cargo-fuzz is not installed (cargo install cargo-fuzz --locked)")
    } else if !there("c++", &["--version"]) {
        Some("there is no C++ compiler")
    } else {
        None
    }
}

fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder);
    cargo
}

/// cargo of another toolchain: not the one that runs this program.
fn nightly_fuzz(root: &Path, verb: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "fuzz", verb, "--fuzz-dir", "tools/fuzz/libfuzzer"]).current_dir(root);
    for variable in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}

fn build_libfuzzer(root: &Path) -> Result<()> {
    run_command(nightly_fuzz(root, "build").arg("--target-dir").arg(root.join("target/fuzz/cargo")))
}

fn runner(root: &Path) -> Command {
    let mut command = cargo(root);
    command.args(["run", "--quiet", "--release", "--locked", "--package", "briq-fuzz", "--"]);
    command
}

fn listed(root: &Path) -> Result<Vec<String>> {
    let output = runner(root).arg("--list").output().context("the list of targets cannot be had")?;
    ensure!(output.status.success(), "the list of targets cannot be had: {}", output.status);
    let targets: Vec<String> = String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect();
    ensure!(!targets.is_empty(), "there is no target");
    Ok(targets)
}

fn without_fuzzer(root: &Path, name: &str, seconds: f64) -> Result<Fuzzed> {
    let mut command = runner(root);
    command.arg(name).arg("--seconds").arg(seconds.to_string());
    command.arg("--found").arg(root.join("target/fuzz/found"));
    let output = command.stderr(Stdio::inherit()).output().context("the runner cannot be started")?;
    let text = String::from_utf8(output.stdout)?;
    let number = |word: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let at = words.iter().position(|found| found.starts_with(word))?;
        words.get(at.checked_sub(1)?)?.parse().ok()
    };
    let executions = number("executions").with_context(|| format!("{name} does not say how often it ran"))?;
    Ok(Fuzzed { target: name.to_owned(), executions, broken: number("broken").unwrap_or(1) })
}

/// The corpus of a target grows in target/fuzz/corpus; what breaks a promise lands in target/fuzz/found.
fn with_libfuzzer(root: &Path, name: &str, seconds: f64) -> Result<Fuzzed> {
    let (corpus, found) = (root.join("target/fuzz/corpus"), root.join("target/fuzz/found"));
    run_command(runner(root).arg(name).arg("--write-seeds").arg(&corpus))?;
    fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
    let mut command = nightly_fuzz(root, "run");
    command.arg("--target-dir").arg(root.join("target/fuzz/cargo"));
    command.arg(name).arg(corpus.join(name)).arg("--");
    // What an input may cost, with room for the sanitizer, unoptimised assertions and a busy machine.
    command.args(["-timeout=60", "-rss_limit_mb=1024", "-malloc_limit_mb=256", "-max_len=65536"]);
    command.arg(format!("-max_total_time={}", seconds.ceil())).arg("-print_final_stats=1");
    command.arg(format!("-artifact_prefix={}/{name}-", found.display()));
    let output = command.output().with_context(|| format!("{name} cannot be started"))?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let executions = text
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok())
        .with_context(|| format!("{name} does not say how often it ran:\n{text}"))?;
    Ok(Fuzzed { target: name.to_owned(), executions, broken: u64::from(!output.status.success()) })
}
