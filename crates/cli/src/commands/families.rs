//! `briq convert --list-families`: the families of model directories that convert.

use std::io::Write;

use briq_convert::model::{Family, families};
use serde_json::json;

use super::{print_json, stdout};
use crate::exit::Outcome;

pub(super) fn run(as_json: bool) -> anyhow::Result<Outcome> {
    match as_json {
        true => print_json(&json!({ "families": families().iter().map(described).collect::<Vec<_>>() }))?,
        false => print()?,
    }
    Ok(Outcome::Done)
}

fn print() -> anyhow::Result<()> {
    let mut out = stdout();
    let width = families().iter().map(|family| family.name.len()).max().unwrap_or(0);
    writeln!(out, "{:width$}  {:14} classes", "family", "architecture")?;
    for family in families() {
        writeln!(out, "{:width$}  {:14} {}", family.name, family.arch, family.architectures.join(", "))?;
    }
    out.flush()?;
    Ok(())
}

fn described(family: &&Family) -> serde_json::Value {
    json!({ "name": family.name, "architecture": family.arch, "classes": family.architectures })
}
