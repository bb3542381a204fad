//! `briq snapshot`: a stable text of a file, printed or compared.

use std::io::Write;
use std::path::Path;

use briq_convert::{Error, json};
use briq_format::{Gguf, Printable};
use similar::{ChangeTag, TextDiff};

use super::{print_json, stdout};
use crate::args::Snapshot;
use crate::exit::Outcome;

pub(crate) fn run(args: &Snapshot) -> anyhow::Result<Outcome> {
    // The small file first: hashing a model takes a while.
    let expected = args.check.as_deref().map(read_expected).transpose()?;
    let found = Gguf::open(&args.file)?.snapshot().to_string();
    let Some(expected) = expected else {
        match args.json {
            true => print_json(&serde_json::json!({ "snapshot": found }))?,
            false => print(&found)?,
        }
        return Ok(Outcome::Done);
    };
    let difference = difference(&expected, &found);
    let matches = difference.is_empty();
    match args.json {
        true => print_json(&serde_json::json!({ "matches": matches, "difference": difference }))?,
        false => print(&difference)?,
    }
    Ok(if matches { Outcome::Done } else { Outcome::CheckFailed })
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

/// The lines that differ, with a sign in front; empty when none does. How lines end does not count.
fn difference(expected: &str, found: &str) -> String {
    let (expected, found): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let diff = TextDiff::from_slices(&expected, &found);
    let mut lines = String::new();
    for change in diff.iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => "- ",
            ChangeTag::Insert => "+ ",
            ChangeTag::Equal => continue,
        };
        // The expected text is a file as well; what it says must not act on the terminal.
        lines.push_str(&format!("{sign}{}\n", Printable(change.value())));
    }
    lines
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
    fn an_expected_text_cannot_act_on_the_terminal() {
        assert_eq!(difference("\u{1b}[2J\n", ""), "- \\u{1b}[2J\n");
    }
}
