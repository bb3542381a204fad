//! The verdict of every command on every container of the fixtures.

use std::path::Path;

use briq_tests::fixtures::{File, Manifest};
use briq_tests::{Folder, Run, cost};

use crate::worst::Worst;

/// What the commands said.
#[derive(Default)]
pub(crate) struct Verdicts {
    pub(crate) files: u64,
    pub(crate) verdicts: u64,
    /// In words; empty where every verdict is right.
    pub(crate) wrong: Vec<String>,
}

/// Runs every command on every file, and measures each run.
pub(crate) fn judge(measurer: &Path, worst: &mut Worst) -> Verdicts {
    let manifest = Manifest::read();
    let mut verdicts = Verdicts::default();
    for folder in ["container", "malformed"] {
        for (name, file) in manifest.folder(folder) {
            verdicts.files += 1;
            judge_file(&format!("{folder}/{name}"), file, measurer, worst, &mut verdicts);
        }
    }
    verdicts
}

fn judge_file(path: &str, file: &File, measurer: &Path, worst: &mut Worst, verdicts: &mut Verdicts) {
    let name = path.rsplit('/').next().unwrap_or_default();
    let folder = Folder::with(path, name);
    let mut commands = vec![vec!["convert", name, "--type", "auto", "--arch", "x", "--out", "out/out.gguf"]];
    if name.ends_with(".gguf") {
        commands[0] = vec!["convert", name, "--type", "auto", "--out", "out/out.gguf"];
        commands.extend([vec!["inspect", name], vec!["verify", name], vec!["snapshot", name]]);
    }
    for command in commands {
        let _ = std::fs::create_dir(folder.path("out"));
        let run = folder.briq(&command);
        verdicts.verdicts += 1;
        if let Err(problem) = check(&folder, file, name, command[0], &run) {
            verdicts.wrong.push(format!("{} {path}: {problem}: {run:?}", command[0]));
        }
        let _ = std::fs::remove_dir_all(folder.path("out"));
        let _ = std::fs::create_dir(folder.path("out"));
        worst.see(&format!("{path} ({})", command[0]), cost(measurer, &folder.path(""), &command));
        let _ = std::fs::remove_dir_all(folder.path("out"));
    }
}

fn check(folder: &Folder, file: &File, name: &str, command: &str, run: &Run) -> Result<(), String> {
    let opens = file.holds.is_some();
    let left = folder.files().into_keys().filter(|path| path.starts_with("out")).count();
    match (run.code, &file.message) {
        (Some(0), _) if opens => Ok(()),
        // A container that opens may be no model, or hold what a type cannot: refused with nothing left.
        (Some(1..=3), _) if opens && command != "inspect" && left == 0 => Ok(()),
        (Some(3), Some(message)) if left == 0 => {
            let expected = format!("briq: {name}: {message}\n");
            if run.stderr == expected { Ok(()) } else { Err(format!("the message is not {expected:?}")) }
        }
        _ => Err(format!("{} expected", if opens { "acceptance" } else { "refusal" })),
    }
}
