//! The name of a byte-level BPE's pre-tokenizer, found from the structure of `tokenizer.json`.
//!
//! A GGUF file names the rule that splits text before merging, and a runtime has the rule built in. The
//! table in `pretokenizers.json` gives the names of each known structure; it was established by comparing
//! each rule's tokens with the runtime's. Structures are compared as text, code point by code point, after
//! each step is spelled out with its defaults; expressions are never compiled. A structure that is not in the
//! table is an error, since a wrong name gives wrong tokens in silence.

use std::path::Path;

use super::PreTokenizer;
use super::files::Files;
use super::structure::{exact, plain};
pub(super) use super::structure::{flat, shown, spell};
use crate::json::{self, Json};
use crate::{Error, Result};

/// The name under which WordPiece vocabularies go; runtimes split them all alike.
pub const WORDPIECE: &str = "jina-v2-en";

const TABLE: &str = include_str!("pretokenizers.json");

/// Names that runtimes have for rules whose structure the table does not hold.
const FURTHER: [&str; 13] = [
    "afmoe",
    "chameleon",
    "default",
    "gemma4",
    "granite-embed-multi-311m",
    "granite-embed-multi-97m",
    "jina-de",
    "jina-es",
    "jina-v2-en",
    "kimi-k2",
    "sarvam-moe",
    "whitespace",
    "youtu",
];

/// The pre-tokenizer's name: the chosen one, or one the structure tells.
///
/// # Errors
///
/// When the structure is not known, or the chosen name is not one for byte-level BPE.
pub(super) fn name(files: &Files, pre: &PreTokenizer<'_>) -> Result<String> {
    let table = table()?;
    let rows = table.as_array().unwrap_or_default();
    match pre.chosen {
        Some(WORDPIECE) => {
            return Err(Error::usage(format!(
                "--pre {WORDPIECE} is a name for WordPiece, and {} holds byte-level BPE",
                files.tokenizer_path().display()
            )));
        }
        Some(chosen) => return Ok(chosen.to_owned()),
        None => {}
    }
    let tokenizer = files.tokenizer()?;
    let (found, found_plain) = (exact(tokenizer), plain(tokenizer));
    let mut known: Vec<&Json> = rows.iter().filter(|row| plain(row) == found_plain).collect();
    let is_exact = |row: &Json| exact(row) == found;

    let goes_by = |name: &str| known.iter().any(|row| names(row).any(|known| known == name));
    if let Some(name) = pre.preferred.iter().find(|name| goes_by(name)) {
        return Ok((*name).to_owned());
    }
    // Several structures go by more than one name. What else a row states narrows the choice, the strongest
    // statement first, as long as something is left.
    let contents: Vec<&str> = files.added_tokens()?.iter().map(|token| token.content).collect();
    let has_token =
        |row: &Json| row.get("token").and_then(Json::as_str).map(|token| contents.contains(&token));
    let post_processor = tokenizer.get("post_processor").and_then(|post| post.get("type"));
    let has_post = |row: &Json| row.get("post_processor").map(|post| Some(post) == post_processor);
    let merges =
        tokenizer.get("model").and_then(|model| model.get("ignore_merges")?.as_bool()).unwrap_or(false);
    let has_merges = |row: &Json| row.get("ignore_merges").map(|ignore| *ignore == Json::Bool(merges));
    let cleans = files.setting("clean_up_tokenization_spaces").and_then(Json::as_bool);
    let has_cleans = |row: &Json| Some(row.get("cleans_spaces")?.as_bool() == cleans);
    known.retain(|row| has_token(row) != Some(false) && has_post(row) != Some(false));
    narrow(&mut known, |row| has_token(row) == Some(true) || has_post(row) == Some(true));
    narrow(&mut known, is_exact);
    narrow(&mut known, |row| has_merges(row) == Some(true));
    narrow(&mut known, |row| has_cleans(row) == Some(true));
    match known.first().and_then(|row| names(row).next()) {
        Some(name) => Ok(name.to_owned()),
        None => Err(unknown(files, &found, rows)),
    }
}

/// # Errors
///
/// When the chosen name is none that runtimes have, or is no name at all.
pub(super) fn check(chosen: Option<&str>) -> Result<()> {
    let Some(chosen) = chosen else { return Ok(()) };
    let table = table()?;
    let allowed = allowed(table.as_array().unwrap_or_default());
    match allowed.contains(&chosen) {
        true => Ok(()),
        false => Err(Error::usage(format!(
            "--pre {}: no runtime has such a pre-tokenizer; allowed are {}",
            json::Quoted(chosen),
            allowed.join(", ")
        ))),
    }
}

/// Whether runtimes that meet this name put the start token before each text unless a key says otherwise.
pub(super) fn starts_texts(name: &str) -> bool {
    const LLAMA3: [&str; 9] = [
        "llama3",
        "llama-v3",
        "llama-bpe",
        "falcon3",
        "falcon-h1",
        "pixtral",
        "midm-2.0",
        "lfm2",
        "jina-v5-nano",
    ];
    LLAMA3.contains(&name) || ["tekken", "chameleon"].contains(&name)
}

fn table() -> Result<Json> {
    json::parse(Path::new("pretokenizers.json"), TABLE)
}

/// All names, sorted.
fn allowed(rows: &[Json]) -> Vec<&str> {
    let mut allowed: Vec<&str> = rows.iter().flat_map(names).chain(FURTHER).collect();
    allowed.sort_unstable();
    allowed.dedup();
    allowed
}

/// Keeps the rows for which `holds`, unless that would leave none.
fn narrow(rows: &mut Vec<&Json>, holds: impl Fn(&Json) -> bool) {
    if rows.iter().any(|row| holds(row)) {
        rows.retain(|row| holds(row));
    }
}

/// The names of a row of the table.
fn names(row: &Json) -> impl Iterator<Item = &str> {
    row.get("names").and_then(Json::as_array).unwrap_or_default().iter().filter_map(Json::as_str)
}

fn unknown(files: &Files, found: &[String], rows: &[Json]) -> Error {
    let nearest = rows.iter().rev().max_by_key(|row| likeness(&exact(row), found));
    let why = nearest.map_or(String::new(), |row| {
        format!(
            "; the nearest is {:?}, {}",
            names(row).next().unwrap_or_default(),
            difference(&exact(row), found)
        )
    });
    let steps = match found.is_empty() {
        true => "no step at all".to_owned(),
        false => shown(&found.join(", ")),
    };
    files.bad(format!(
        "the pre-tokenizer is none of the known ones: {steps}{why}. If the rule that runtimes have for it is known, \
         force it with --pre NAME; names are {}",
        allowed(rows).join(", ")
    ))
}

/// How much two structures have in common: the steps they share, then how far the others begin and end alike.
/// Variants differ by a few characters in one expression.
fn likeness(known: &[String], found: &[String]) -> (usize, usize) {
    let shared = known.iter().filter(|step| found.contains(step)).count();
    let (known, found) = (known.join(", "), found.join(", "));
    let same = |(a, b): &(u8, u8)| a == b;
    let prefix = known.bytes().zip(found.bytes()).take_while(same).count();
    let suffix = known.bytes().rev().zip(found.bytes().rev()).take_while(same).count();
    let alike = (prefix + suffix).min(known.len()) * 1000 / known.len().max(found.len()).max(1);
    (if alike > 900 { usize::MAX } else { shared }, alike)
}

/// The first step in which two structures differ, in words.
fn difference(known: &[String], found: &[String]) -> String {
    let index = known.iter().zip(found).take_while(|(known, found)| known == found).count();
    let place = index + 1;
    match (known.get(index), found.get(index)) {
        (Some(known), Some(found)) => {
            let (known, found) = apart(known, found);
            format!("which has in step {place} {known} where this has {found}")
        }
        (Some(known), None) => format!("which goes on with step {place}, {}", shown(known)),
        (None, Some(found)) => format!("which ends before step {place}, {}", shown(found)),
        (None, None) => "which has the same steps and differs in what is beside them".to_owned(),
    }
}

/// Two texts from a little before the place where they part.
fn apart(known: &str, found: &str) -> (String, String) {
    const BEFORE: usize = 12;
    const AFTER: usize = 40;
    let same = known.chars().zip(found.chars()).take_while(|(a, b)| a == b).count();
    let part = |text: &str| {
        let from = same.saturating_sub(BEFORE);
        let cut: String = text.chars().skip(from).take(BEFORE + AFTER).collect();
        let ends = text.chars().count() <= from + BEFORE + AFTER;
        format!("{}{}{}", if from > 0 { "..." } else { "" }, shown(&cut), if ends { "" } else { "..." })
    };
    (part(known), part(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// A `tokenizer.json` with this pre-tokenizer, and `rest` after it.
    fn found(pre_tokenizer: &str, rest: &str, settings: &str) -> Result<String> {
        let parse = |text: &str| json::parse(Path::new("tokenizer.json"), text).unwrap();
        let settings = parse(settings).as_object().unwrap().clone();
        let tokenizer = Some(parse(&format!("{{\"pre_tokenizer\": {pre_tokenizer}{rest}}}")));
        name(&Files { directory: PathBuf::from("."), tokenizer, settings }, &PreTokenizer::default())
    }

    fn split(expression: &str) -> String {
        format!(
            "{{\"type\": \"Sequence\", \"pretokenizers\": [
                {{\"type\": \"Split\", \"pattern\": {{\"Regex\": {}}}, \"behavior\": \"Isolated\"}},
                {{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}}]}}",
            serde_json::to_string(expression).unwrap()
        )
    }

    #[test]
    fn each_row_of_the_table_finds_a_name_of_its_own_structure() {
        let table = json::parse(Path::new("pretokenizers.json"), TABLE).unwrap();
        for row in table.as_array().unwrap() {
            let token = row.get("token").and_then(Json::as_str);
            let added = token.map(|token| {
                let members = [("content", Json::String(token.into())), ("id", Json::Integer(0))];
                Json::Object(members.map(|(key, value)| (key.to_owned(), value)).into())
            });
            let object = |members: Vec<(&str, Json)>| {
                Json::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            };
            let post =
                row.get("post_processor").map_or(Json::Null, |kind| object(vec![("type", kind.clone())]));
            let tokenizer = object(vec![
                ("normalizer", row.get("normalizer").cloned().unwrap_or(Json::Null)),
                ("pre_tokenizer", row.get("pre_tokenizer").cloned().unwrap()),
                ("model", object(vec![("ignore_merges", row.get("ignore_merges").cloned().unwrap())])),
                ("added_tokens", Json::Array(added.into_iter().collect())),
                ("post_processor", post),
            ]);
            let cleans = row.get("cleans_spaces").cloned().unwrap_or(Json::Null);
            let settings =
                object(vec![("clean_up_tokenization_spaces", cleans)]).as_object().unwrap().clone();
            let files = Files { directory: PathBuf::from("."), tokenizer: Some(tokenizer), settings };
            let own: Vec<&str> = names(row).collect();
            for preferred in own.chunks(1) {
                let pre = PreTokenizer { chosen: None, preferred };
                assert_eq!(name(&files, &pre).unwrap(), preferred[0]);
            }
            // Only stablelm2's row cannot be told from another by what the files say.
            if own != ["stablelm2"] {
                let found = name(&files, &PreTokenizer { chosen: None, preferred: &["no-such-name"] });
                assert_eq!(found.unwrap(), own[0]);
            }
        }
    }

    #[test]
    fn what_is_beside_the_structure_decides_between_names() {
        let split = split(LLAMA3);
        let merges = |ignore| format!(", \"model\": {{\"ignore_merges\": {ignore}}}");
        let glm = ", \"added_tokens\": [{\"id\": 1, \"content\": \"[gMASK]\"}], \"model\": {\"ignore_merges\": true}";
        assert_eq!(found(&split, &merges("true"), "{}").unwrap(), "llama-bpe");
        assert_eq!(found(&split, &merges("false"), "{}").unwrap(), "dbrx");
        assert_eq!(found(&split, "", "{}").unwrap(), "dbrx");
        assert_eq!(found(&split, glm, "{}").unwrap(), "glm4");
        let bytes = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false}";
        assert_eq!(found(bytes, "", "{}").unwrap(), "gpt-2");
        assert_eq!(found(bytes, ", \"normalizer\": {\"type\": \"NFC\"}", "{}").unwrap(), "olmo");
        let roberta = ", \"post_processor\": {\"type\": \"RobertaProcessing\"}";
        assert_eq!(found(bytes, roberta, "{}").unwrap(), "roberta-bpe");
        let digits = format!(
            "{{\"type\": \"Sequence\", \"pretokenizers\": [{{\"type\": \"Digits\", \"individual_digits\": true}}, \
             {bytes}]}}"
        );
        assert_eq!(found(&digits, "", "{\"clean_up_tokenization_spaces\": true}").unwrap(), "starcoder");
        assert_eq!(found(&digits, "", "{\"clean_up_tokenization_spaces\": false}").unwrap(), "smollm");
    }

    #[test]
    fn one_code_point_makes_a_structure_unknown_and_the_error_says_what_to_do() {
        let changed = LLAMA3.replace("{1,3}", "{1,4}");
        let message = found(&split(&changed), "", "{}").unwrap_err().to_string();
        for part in [
            "none of the known ones",
            "|\\\\p{N}{1,4}|",
            "--pre NAME",
            "the nearest is \"llama-bpe\"",
            "dbrx, deepseek-coder",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
        assert!(found(&split("(a+)+$"), "", "{}").is_err());
        assert!(found("null", "", "{}").is_err());
        assert!(found("{\"type\": \"ByteLevel\", \"add_prefix_space\": true}", "", "{}").is_err());
        assert!(found("{\"type\": \"Whitespace\"}", "", "{}").is_err());
    }
}
