//! `cargo x fixtures`: writes the containers under fixtures/ from their description in tools/fixtures.

use anyhow::{Context, Result, ensure};
use briq_fixtures::{Fixture, differences, write_missing};

use crate::root::root;

/// Writes what is described and not there, and holds folder and description against each other both ways.
///
/// A file that is there is never changed: others may rely on it.
///
/// # Errors
/// A file cannot be read or written, or folder and description differ.
pub(crate) fn run(check: bool) -> Result<()> {
    let folder = root()?.join("fixtures");
    if !check {
        let written =
            write_missing(&folder).with_context(|| format!("cannot write to {}", folder.display()))?;
        written.iter().for_each(print_entry);
    }
    let found = differences(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    ensure!(lines.is_empty(), "fixtures/ is not what tools/fixtures describes:\n{}", lines.join("\n"));
    Ok(())
}

/// The entry that the manifest needs for a new file, to be completed by hand.
#[expect(clippy::print_stdout, reason = "a chore reports to whoever ran it")]
fn print_entry(Fixture { path, bytes }: &Fixture) {
    let verdict = if path.starts_with("container/") { "holds" } else { "message" };
    println!("[file.\"{path}\"]\nblake3 = \"{}\"\norigin = \"fixtures\"", blake3::hash(bytes));
    println!("spec = ''\nwhy = ''\n{verdict} = ''\n");
}
