//! The verdict of every command on every container of the fixtures.

use std::path::Path;

use briq_tests::fixtures::{File, Manifest};
use briq_tests::{Folder, cost, verdict};

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
    for command in verdict::commands(name) {
        verdicts.verdicts += 1;
        if let Err(problem) = verdict::judge(&folder, file, &command) {
            verdicts.wrong.push(format!("{path}: {problem}"));
        }
        worst.see(&format!("{path} ({})", command[0]), cost(measurer, &folder.path(""), &command));
        let _ = std::fs::remove_file(folder.path("out.gguf"));
    }
}
