//! `briq snapshot`: a stable text of a file, printed or compared.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use briq_convert::{Error, integrity, json};
use briq_format::shard::open_parts;
use briq_format::{Limits, Printable};
use similar::{ChangeTag, TextDiff};

use super::{print_json, printed, stdout, tensor_bytes};
use crate::args::Snapshot;
use crate::exit::Outcome;
use crate::interrupt;
use crate::progress::Bar;
use crate::threads;

pub(crate) fn run(args: &Snapshot) -> anyhow::Result<Outcome> {
    // The small file first: hashing a model takes a while.
    let expected = args.check.as_deref().map(read_expected).transpose()?;
    let found = text(&args.file)?;
    let Some(expected) = expected else {
        match args.json {
            true => print_json(&serde_json::json!({ "snapshot": found }))?,
            false => print(&found)?,
        }
        return Ok(Outcome::Done);
    };
    let difference = difference(&expected, &found);
    let matches = difference.is_empty();
    printed(match args.json {
        true => print_json(&serde_json::json!({ "matches": matches, "difference": difference })),
        false => print(&difference),
    })?;
    Ok(if matches { Outcome::Done } else { Outcome::CheckFailed })
}

/// The text of the model at `path`.
fn text(path: &Path) -> anyhow::Result<String> {
    let stop = interrupt::flag()?;
    let parts = open_parts(path, &Limits::default())?;
    let bar = Bar::new(tensor_bytes(&parts));
    let text = threads::share(|| integrity::snapshot(&parts, &bar, &stop));
    bar.finish();
    Ok(text?)
}

fn read_expected(path: &Path) -> anyhow::Result<String> {
    let bytes = json::read_bytes(path, json::TOKENIZER_CAP)?;
    Ok(String::from_utf8(bytes).map_err(|_| Error::bad(path, "no snapshot: it is not UTF-8"))?)
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}

/// The most lines of either text, without what they begin and end with alike, that are put side by side. Finding
/// the fewest changes takes up to the product of both in steps.
const MOST_LINES: usize = 2000;

/// The lines that differ, with a sign in front; empty when none does. How lines end does not count.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let alike = |(a, b): &(&&str, &&str)| a == b;
    let start = expected.iter().zip(&found).take_while(alike).count();
    let (expected, found) = (&expected[start..], &found[start..]);
    let end = expected.iter().rev().zip(found.iter().rev()).take_while(alike).count();
    let (expected, found) = (&expected[..expected.len() - end], &found[..found.len() - end]);
    match expected.len().max(found.len()) {
        0..=MOST_LINES => fewest_changes(expected, found),
        _ => lines_of_one(expected, found, start),
    }
}

fn fewest_changes(expected: &[&str], found: &[&str]) -> String {
    let diff = TextDiff::from_slices(expected, found);
    let changes = diff.iter_all_changes().filter_map(|change| match change.tag() {
        ChangeTag::Delete => Some(shown('-', change.value())),
        ChangeTag::Insert => Some(shown('+', change.value())),
        ChangeTag::Equal => None,
    });
    changes.collect()
}

/// The lines that only one text has, whatever their order: found in one pass over each. `start` lines before them
/// are alike.
fn lines_of_one(expected: &[&str], found: &[&str], start: usize) -> String {
    let (known, made): (HashSet<&str>, HashSet<&str>) =
        (expected.iter().copied().collect(), found.iter().copied().collect());
    let gone = expected.iter().filter(|line| !made.contains(**line)).map(|line| shown('-', line));
    let new = found.iter().filter(|line| !known.contains(**line)).map(|line| shown('+', line));
    let lines: String = gone.chain(new).collect();
    match lines.is_empty() {
        true => format!("the same lines, in another order from line {} on\n", start + 1),
        false => lines,
    }
}

/// The expected text is a file as well; what it says must not act on the terminal.
fn shown(sign: char, line: &str) -> String {
    format!("{sign} {}\n", Printable(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_that_differ_are_shown() {
        assert_eq!(difference("a\nb\nc\n", "a\nB\nc\n"), "- b\n+ B\n");
        assert_eq!(difference("a\n", "a\n"), "");
        assert_eq!(difference("a\r\nb", "a\nb\n"), "");
    }

    #[test]
    fn texts_of_any_length_are_compared_in_one_pass() {
        let lines = |range: std::ops::Range<u32>| -> Vec<String> { range.map(|n| n.to_string()).collect() };
        let text = |lines: &[String]| lines.join("\n");
        let (many, others) = (lines(0..200_000), lines(200_000..400_000));
        assert_eq!(difference(&text(&many), &text(&others)).lines().count(), 400_000);
        let mut changed = many.clone();
        changed[7] = "seven".to_owned();
        assert_eq!(difference(&text(&many), &text(&changed)), "- 7\n+ seven\n");
        changed[150_000] = "x".to_owned();
        assert_eq!(difference(&text(&many), &text(&changed)), "- 7\n- 150000\n+ seven\n+ x\n");
        let mut turned = many.clone();
        turned[1..].rotate_left(1);
        let message = "the same lines, in another order from line 2 on\n";
        assert_eq!(difference(&text(&many), &text(&turned)), message);
    }

    #[test]
    fn an_expected_text_cannot_act_on_the_terminal() {
        assert_eq!(difference("\u{1b}[2J\n", ""), "- \\u{1b}[2J\n");
    }
}
