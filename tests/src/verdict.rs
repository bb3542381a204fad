//! What the commands have to say of a container of the fixtures.

use std::fs;
use std::path::Path;

use crate::fixtures::File;
use crate::{Folder, Run};

const DAMAGED: i32 = 1;
const BAD_INPUT: i32 = 3;

/// The commands that read a container called `name`, as arguments; what one writes goes to `out.gguf`.
pub fn commands(name: &str) -> Vec<Vec<&str>> {
    let convert = vec!["convert", name, "--type", "auto", "--out", "out.gguf"];
    if name.ends_with(".gguf") {
        vec![vec!["inspect", name], vec!["snapshot", name], vec!["verify", name], convert]
    } else {
        vec![[&convert[..], &["--arch", "x"]].concat()]
    }
}

/// Runs a command in a folder that holds the container alone, and clears away what it wrote.
///
/// # Errors
/// With words, when it says anything else than the manifest has of the file, or leaves a file it should not.
pub fn judge(folder: &Folder, file: &File, command: &[&str]) -> Result<(), String> {
    let run = folder.briq(command);
    let written = folder.files().len() - 1;
    for name in folder.files().into_keys().filter(|name| *name != Path::new(command[1])) {
        fs::remove_file(folder.path("").join(&name))
            .map_err(|error| format!("{}: {error}", name.display()))?;
    }
    let refusal = match command[0] {
        _ if file.holds.is_none() => Some(file.message.as_deref().unwrap_or_default()),
        "convert" => file.convert.as_deref(),
        _ => None,
    };
    let damage = if command[0] == "verify" && refusal.is_none() { &file.damage[..] } else { &[] };
    let expected = match refusal {
        Some(message) => (Some(BAD_INPUT), format!("briq: {}: {message}\n", command[1]), 0),
        None if !damage.is_empty() => (Some(DAMAGED), String::new(), 0),
        None => (Some(0), String::new(), usize::from(command[0] == "convert")),
    };
    let found = (run.code, run.stderr.clone(), written);
    if found != expected {
        return Err(format!("{expected:?} expected of {command:?}: {run:?}, {written} files written"));
    }
    if failures(&run) != damage || refusal.is_some() && !run.stdout.is_empty() {
        return Err(format!("{damage:?} expected of {command:?}: {run:?}"));
    }
    Ok(())
}

fn failures(run: &Run) -> Vec<&str> {
    run.stdout.lines().filter_map(|line| line.strip_prefix("FAILED: ")).collect()
}
