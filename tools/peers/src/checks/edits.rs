//! Other tools edit files that carry a record, and carry it along: it is stale then, and nothing is damaged.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::briq::{convert, finish};
use crate::claims::Claims;
use crate::llama::Llama;
use crate::place::Place;

/// Exit codes of `briq verify`.
const HOLDS: i32 = 0;
const STALE: i32 = 5;

/// Edits a file with gguf-py, and requantizes one with llama.cpp.
pub(super) fn run(place: &Place) -> Result<()> {
    let work = place.work("edits")?;
    let mut claims = Claims::default();
    let file = convert(place, &place.tiny_llama(), "F16", &work)?;
    judge(&mut claims, place, "untouched", &file, HOLDS, &[])?;

    let edited = work.join("edited.gguf");
    fs::copy(&file, &edited)?;
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", place.python()).args(["-B", "-m", "gguf.scripts.gguf_set_metadata", "--force"]);
    finish(command.arg(&edited).args(["llama.context_length", "1024"]))?;
    let changed = "stale: key \"llama.context_length\" has another value";
    judge(&mut claims, place, "gguf-set-metadata", &edited, STALE, &[changed])?;

    let requantized = work.join("requantized.gguf");
    Llama::load(&place.libraries())?.quantize_file(&file, &requantized, 7)?;
    let changes = [
        "stale: key \"general.file_type\" has another value",
        "stale: tensor \"token_embd.weight\" was F16 256x384 and is Q8_0 256x384",
    ];
    judge(&mut claims, place, "llama_model_quantize", &requantized, STALE, &changes)?;
    claims.settle()
}

fn judge(
    claims: &mut Claims,
    place: &Place,
    tool: &str,
    file: &Path,
    code: i32,
    lines: &[&str],
) -> Result<()> {
    let output = Command::new(&place.briq).arg("verify").arg(file).output()?;
    let said = String::from_utf8(output.stdout).context("briq printed no UTF-8")?;
    println!("{tool:22} exit code {:?}", output.status.code());
    claims.that(
        output.status.code() == Some(code) && !said.contains("FAILED"),
        format_args!("{tool}: {:?}, expected {code}: {said}", output.status.code()),
    );
    for line in lines {
        claims.that(said.lines().any(|said| said == *line), format_args!("{tool}: no {line:?} in {said}"));
    }
    Ok(())
}
