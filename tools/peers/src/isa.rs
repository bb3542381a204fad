//! Parts of checks that every instruction set has to pass.
//!
//! briq chooses its instruction set once per process, so each part runs in a process of its own: this program,
//! started again with `BRIQ_ISA` set. A part prints a line of JSON per finding; what ggml says about blocks that
//! it finds invalid goes to the standard error of that process and is shown only if the process fails.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use briq_codec::Isa;
use serde_json::{Value, json};

use crate::place::Place;

/// What a part found of one thing that it compared.
pub(crate) struct Finding {
    /// What was compared, in each of the ways that the check tells apart.
    pub(crate) differing: Vec<u64>,
    /// The first difference, in words.
    pub(crate) first: Option<String>,
}

impl Finding {
    /// Nothing found so far, told apart in so many ways.
    pub(crate) fn none(ways: usize) -> Self {
        Self { differing: vec![0; ways], first: None }
    }

    /// Counts `differing` of the given way, and describes the first difference of all.
    pub(crate) fn count(&mut self, way: usize, differing: usize, describe: impl FnOnce() -> String) {
        if differing > 0 {
            self.differing[way] += differing as u64;
            self.first.get_or_insert_with(describe);
        }
    }

    /// The line that stands for it.
    pub(crate) fn line(&self) -> String {
        json!({ "differing": self.differing, "first": self.first }).to_string()
    }

    fn from_line(line: &str) -> Result<Self> {
        let mut json: Value = serde_json::from_str(line).with_context(|| format!("not a finding: {line}"))?;
        Ok(Self {
            differing: serde_json::from_value(json["differing"].take())?,
            first: serde_json::from_value(json["first"].take())?,
        })
    }
}

/// What the part called `name` finds under each instruction set of this processor.
///
/// # Errors
/// As for [`findings_under`].
pub(crate) fn findings(place: &Place, name: &str, count: usize) -> Result<Vec<(Isa, Vec<Finding>)>> {
    let under = |isa: Isa| Ok((isa, findings_under(place, name, isa, count)?));
    Isa::available().into_iter().map(under).collect()
}

/// What the part called `name` finds under an instruction set.
///
/// # Errors
/// The part fails, finds another number of things than `count`, or runs under another instruction set.
pub(crate) fn findings_under(place: &Place, name: &str, isa: Isa, count: usize) -> Result<Vec<Finding>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(place.arguments()).arg(name).env("BRIQ_ISA", isa.name()).stdin(Stdio::null());
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} under {isa}: {}: {}", output.status, said.trim());
    let text = String::from_utf8(output.stdout)?;
    let mut lines = text.lines();
    ensure!(lines.next() == Some(isa.name()), "{name} did not run under {isa}");
    let findings = lines.map(Finding::from_line).collect::<Result<Vec<_>>>()?;
    ensure!(findings.len() == count, "{name} under {isa} looked at {} of {count}", findings.len());
    Ok(findings)
}
