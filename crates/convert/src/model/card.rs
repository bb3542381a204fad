//! The model card: the YAML at the head of `README.md`.
//!
//! Only the block between a first line `---` and the next such line is read. Plain values keep their text, so
//! a language called `no` is not a boolean and version `1.10` not a number. Tabs count as two spaces, as
//! published cards have them. The tree is built from the parser's events: an alias, which could make a few
//! lines grow without bound, is refused, and so is deep nesting.

use std::collections::HashSet;
use std::path::Path;

use saphyr_parser::{Event, Parser, ScalarStyle};

use crate::json::{self, Quoted};
use crate::{Error, Result};

/// A value of the card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing, `~` or `null`.
    Null,
    /// A value as it is written.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// Keys and values in order.
    Map(Vec<(String, Node)>),
}

/// The most bytes of a card, and of its front matter.
const CARD_CAP: u64 = 16 << 20;
const FRONT_MATTER_CAP: usize = 256 << 10;
/// The deepest nesting; cards of evaluation results have about eight levels.
const DEPTH_CAP: usize = 64;

impl Node {
    /// The first value under `key`, unless it is null.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let Self::Map(members) = self else { return None };
        members
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
            .filter(|value| **value != Self::Null)
    }

    /// The text, when this is a plain value.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a list; a plain value is a list of itself.
    pub(super) fn items(&self) -> &[Node] {
        match self {
            Self::List(items) => items,
            Self::Text(_) => std::slice::from_ref(self),
            Self::Null | Self::Map(_) => &[],
        }
    }
}

/// Reads the card of the model in `directory`. Without one, or without front matter, the card is null.
///
/// # Errors
///
/// When the file is too long or the front matter is not YAML as this module takes it.
pub(super) fn read(directory: &Path) -> Result<Node> {
    let path = directory.join("README.md");
    if !json::is_present(&path) {
        return Ok(Node::Null);
    }
    parse(&json::read_text(&path, CARD_CAP)?).map_err(|problem| Error::bad(&path, problem))
}

/// Parses the front matter of `text`; the error is a sentence with the line.
fn parse(text: &str) -> Result<Node, String> {
    let mut lines = text.lines();
    if lines.next() != Some("---") {
        return Ok(Node::Null);
    }
    let mut yaml = String::new();
    for line in lines.take_while(|line| *line != "---") {
        yaml.push_str(&line.replace('\t', "  "));
        yaml.push('\n');
        if yaml.len() > FRONT_MATTER_CAP {
            return Err(format!("the front matter has more than {FRONT_MATTER_CAP} bytes"));
        }
    }
    build(&yaml)
}

/// A list or a map that is not closed yet.
enum Open {
    List(Vec<Node>),
    /// The members, all keys so far, and the key whose value comes next.
    Map(Vec<(String, Node)>, HashSet<String>, Option<String>),
}

fn build(yaml: &str) -> Result<Node, String> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(yaml) {
        let (event, span) = event.map_err(|error| format!("front matter: {error}"))?;
        // One for the line of the opening `---`.
        let line = span.start.line() + 1;
        let finished = match event {
            Event::Alias(_) => return Err(format!("line {line}: an alias, which is not read here")),
            Event::SequenceStart(..) | Event::MappingStart(..) if open.len() == DEPTH_CAP => {
                return Err(format!("line {line}: nested deeper than {DEPTH_CAP} levels"));
            }
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingStart(..) => {
                open.push(Open::Map(Vec::new(), HashSet::new(), None));
                continue;
            }
            Event::Scalar(text, style, ..) => match (style, text.as_ref()) {
                (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Node::Null,
                _ => Node::Text(text.into_owned()),
            },
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List(items)) => Node::List(items),
                Some(Open::Map(members, ..)) => Node::Map(members),
                None => continue,
            },
            _ => continue,
        };
        match open.last_mut() {
            None => return Ok(finished),
            Some(Open::List(items)) => items.push(finished),
            Some(Open::Map(members, names, key)) => match (key.take(), finished) {
                (Some(key), value) => members.push((key, value)),
                (None, Node::Text(name)) if !names.insert(name.clone()) => {
                    return Err(format!("line {line}: the key {} is given twice", Quoted(&name)));
                }
                (None, Node::Text(name)) => *key = Some(name),
                (None, Node::Null) => *key = Some("null".to_owned()),
                (None, _) => return Err(format!("line {line}: a key that is a list or a map")),
            },
        }
    }
    Ok(Node::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Node {
        Node::Text(value.into())
    }

    #[test]
    fn plain_values_keep_their_text() {
        let card =
            parse("---\nlanguage:\n- en\n- no\n- \"yes\"\nversion: 1.10\nflag: no\nid: 0123\n---\nx: y\n")
                .unwrap();
        assert_eq!(card.get("language").unwrap().items(), [text("en"), text("no"), text("yes")]);
        assert_eq!(card.get("version"), Some(&text("1.10")));
        assert_eq!(card.get("flag"), Some(&text("no")));
        assert_eq!(card.get("id"), Some(&text("0123")));
        assert_eq!(card.get("x"), None);
    }

    #[test]
    fn only_a_block_that_opens_the_file_counts() {
        for card in [
            "",
            "\n---\na: b\n---\n",
            " ---\na: b\n",
            "text\n---\na: b\n---\n",
            "---\n---\n",
            "---\n# x\n---\n",
        ] {
            assert_eq!(parse(card).unwrap(), Node::Null, "{card:?}");
        }
        assert_eq!(parse("---\r\na: b\r\n---\r\n").unwrap().get("a"), Some(&text("b")));
        assert_eq!(parse("---\njust text\n---\n").unwrap(), text("just text"));
        assert_eq!(parse("---\na:\n- 1\nb: ~\n").unwrap().get("b"), None);
    }

    #[test]
    fn nested_maps_and_tabs_are_read() {
        let card =
            parse("---\ntags:\n\t- tabbed\nbase_models:\n- name: A\n  doi: 10.2/y\n- {name: B}\n---\n")
                .unwrap();
        assert_eq!(card.get("tags").unwrap().items(), [text("tabbed")]);
        let models = card.get("base_models").unwrap().items();
        assert_eq!(models[0].get("doi"), Some(&text("10.2/y")));
        assert_eq!(models[1].get("name"), Some(&text("B")));
    }

    #[test]
    fn a_few_lines_cannot_grow_without_bound() {
        let bomb = "---\na: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b]\n---\n";
        assert_eq!(parse(bomb).unwrap_err(), "line 3: an alias, which is not read here");
        let deep = |levels| parse(&format!("---\na: {}x{}\n---\n", "[".repeat(levels), "]".repeat(levels)));
        assert!(deep(DEPTH_CAP - 1).is_ok());
        assert_eq!(deep(DEPTH_CAP).unwrap_err(), "line 2: nested deeper than 64 levels");
        assert!(deep(100_000).is_err());
        let long = format!("---\n{}---\n", "- a\n".repeat(100_000));
        assert_eq!(parse(&long).unwrap_err(), "the front matter has more than 262144 bytes");
    }

    #[test]
    fn a_key_given_twice_is_refused_wherever_it_is() {
        for (card, line) in [("---\na: b\na: c\n---\n", 3), ("---\nx:\n- {a: b, a: b}\n---\n", 3)] {
            assert_eq!(parse(card).unwrap_err(), format!("line {line}: the key \"a\" is given twice"));
        }
        assert!(parse("---\na: {a: b}\nb: {a: b}\n---\n").is_ok());
    }

    #[test]
    fn broken_yaml_is_refused() {
        for card in ["---\na: [b\n---\n", "---\na: \"b\n---\n", "---\n[a, b]: c\n---\n"] {
            assert!(parse(card).is_err(), "{card:?}");
        }
    }
}
