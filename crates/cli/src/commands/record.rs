//! What `briq verify` says of the record that a file carries, or of hashes it is held against.

use std::io::{self, Write};

use briq_convert::integrity::{ByteRange, Damage, Findings, State};
use briq_format::{Escaped, counted};

use crate::exit::Outcome;

/// Changes and damages that are shown; the JSON report has all of them.
const SHOWN: usize = 20;

/// Prints the findings on what a file carries.
pub(super) fn print(out: &mut impl Write, findings: &Findings) -> io::Result<()> {
    let Findings { state, keys, tensors, .. } = findings;
    print_damage(out, &findings.damage)?;
    match state {
        State::Absent => writeln!(out, "note: the file carries no record of what was written into it")?,
        State::Holds => {
            let keys = counted(*keys, "key", "keys");
            let tensors = counted(*tensors, "tensor", "tensors");
            writeln!(out, "record: {keys} and {tensors} are as they were written")?;
        }
        State::Damaged if findings.changes.is_empty() => {}
        State::Unknown => {
            for change in &findings.changes {
                writeln!(out, "note: {}: nothing was held against it", change.0)?;
            }
        }
        State::Damaged | State::Stale => {
            print_changes(out, "stale", findings)?;
            writeln!(out, "note: the record is stale: somebody changed the file and carried it along")?;
        }
    }
    Ok(())
}

/// Prints the findings against a list, but for the damage that the record of the file has found as well.
pub(super) fn print_against(out: &mut impl Write, findings: &Findings, record: &Findings) -> io::Result<()> {
    print_damage(out, findings.damage.iter().filter(|damage| !record.damage.contains(damage)))?;
    print_changes(out, "FAILED", findings)?;
    if findings.state == State::Holds {
        writeln!(out, "list: everything that it lists is so")?;
    }
    Ok(())
}

/// How the check of a record ends.
pub(super) fn outcome(findings: &Findings) -> Outcome {
    match findings.state {
        State::Absent | State::Holds => Outcome::Done,
        State::Stale | State::Unknown => Outcome::Stale,
        State::Damaged => Outcome::CheckFailed,
    }
}

fn print_damage<'a>(out: &mut impl Write, damage: impl IntoIterator<Item = &'a Damage>) -> io::Result<()> {
    let damage: Vec<_> = damage.into_iter().collect();
    for Damage { problem, file, ranges, .. } in damage.iter().take(SHOWN) {
        let file = Escaped(file.as_os_str().as_encoded_bytes()).to_string();
        let ranges: Vec<String> = ranges.iter().map(range).collect();
        let place = if ranges.is_empty() { String::new() } else { format!(", in {}", ranges.join(", ")) };
        writeln!(out, "FAILED: {file}: {problem}{place}")?;
    }
    more(out, damage.len())
}

/// The first byte and the last.
fn range(range: &ByteRange) -> String {
    match range.end - range.start {
        0 | 1 => format!("byte {}", range.start),
        _ => format!("bytes {} to {}", range.start, range.end - 1),
    }
}

fn print_changes(out: &mut impl Write, mark: &str, findings: &Findings) -> io::Result<()> {
    for change in findings.changes.iter().take(SHOWN) {
        writeln!(out, "{mark}: {}", change.0)?;
    }
    more(out, findings.changes.len())
}

fn more(out: &mut impl Write, count: usize) -> io::Result<()> {
    match count.saturating_sub(SHOWN) {
        0 => Ok(()),
        more => writeln!(out, "… and {more} more"),
    }
}
