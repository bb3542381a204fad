//! The steps that `tokenizer.json` takes before merging, as text that can be compared.
//!
//! Two spellings exist. The exact one says each step with its defaults filled in. The plain one says alike
//! what works alike: many files hold the same rule in other words, since each was written by another program.

use briq_format::Escaped;

use crate::json::Json;

/// The steps of normalizer and pre-tokenizer with their types, sequences laid flat.
pub(super) fn flat(tokenizer: &Json) -> Vec<(&str, &Json)> {
    let mut steps = Vec::new();
    collect(tokenizer.get("normalizer"), "normalizers", &mut steps);
    collect(tokenizer.get("pre_tokenizer"), "pretokenizers", &mut steps);
    steps
}

fn collect<'a>(step: Option<&'a Json>, children: &str, steps: &mut Vec<(&'a str, &'a Json)>) {
    let Some(step) = step.filter(|step| !step.is_null()) else { return };
    let kind = step.get("type").and_then(Json::as_str);
    match (kind, step.get(children).and_then(Json::as_array)) {
        (Some("Sequence"), Some(several)) => {
            several.iter().for_each(|step| collect(Some(step), children, steps))
        }
        _ => steps.push((kind.unwrap_or("?"), step)),
    }
}

/// The exact spelling: one text for each step. What has no bearing on the tokens, as `trim_offsets`, is left
/// out.
pub(super) fn exact(tokenizer: &Json) -> Vec<String> {
    flat(tokenizer).into_iter().map(|(kind, step)| spell(kind, step)).collect()
}

/// The plain spelling. Runtimes do not normalize, so that NFC is left out: names differ in it, rules do not.
pub(super) fn plain(tokenizer: &Json) -> Vec<String> {
    let mut steps = Vec::new();
    for (kind, step) in flat(tokenizer) {
        let spelled = spell(kind, step);
        match (kind, spelled.as_str()) {
            ("NFC", _) => {}
            (_, "ByteLevel(own expression)") => {
                steps.extend([split(GPT2), "ByteLevel(bytes only)".to_owned()])
            }
            // Both call a character numeric when its general category is one of numbers.
            (_, "Digits(each)") => steps.push(split(r"\p{N}")),
            (_, "Digits(runs)") => steps.push(split(r"\p{N}+")),
            ("Split", _) => steps.push(plain_split(step).unwrap_or(spelled)),
            _ => steps.push(spelled),
        }
    }
    steps
}

/// The expression that `ByteLevel` brings along. Source: the tokenizers library.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

fn split(regex: &str) -> String {
    format!("Split(Isolated) /{regex}/")
}

/// A split by an expression, plain. To remove what is between the matches is to isolate the matches where
/// nothing is between them.
fn plain_split(step: &Json) -> Option<String> {
    let regex = plain_regex(step.get("pattern")?.get("Regex")?.as_str()?);
    let behavior = step.get("behavior").and_then(Json::as_str)?;
    let inverted = step.get("invert").and_then(Json::as_bool).unwrap_or(false);
    match (behavior, inverted) {
        ("Isolated", _) => Some(split(&regex)),
        ("Removed", true) if matches_everything(&regex) => Some(split(&regex)),
        _ => None,
    }
}

/// Whether each character of any text belongs to a match: letters, numbers, what is neither, and spaces each
/// have an alternative to themselves.
fn matches_everything(regex: &str) -> bool {
    let letters = [r"?\p{L}+|", r"[\p{L}\p{M}]+|", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"];
    letters.iter().any(|part| regex.contains(part))
        && [r"|\p{N}{1,3}|", r"|\p{N}|", r"|\p{N}+|", r"| ?\p{N}+|"].iter().any(|part| regex.contains(part))
        && [r"| ?[^\s\p{L}\p{N}]+", r"| ?[^\s\p{L}\p{M}\p{N}]+"].iter().any(|part| regex.contains(part))
        && regex.ends_with(r"|\s+")
}

/// Rewrites what is spelled in several ways. Each rule keeps the matches:
///
/// - a line break stands for itself or is escaped;
/// - contractions are listed by word or by letter;
/// - a possessive quantifier gives nothing back, and before a class that shares no character with its own
///   there is nothing to give back;
/// - `\s*[\r\n]` takes as many lines as with `+`, since `\s*` has eaten all but the last break before it;
/// - a last `\s` sees a single space only, since `\s+(?!\S)` takes all but one of a longer run.
fn plain_regex(regex: &str) -> String {
    let mut regex = regex.replace('\r', r"\r").replace('\n', r"\n");
    for (spelled, plain) in [
        (r"'(?i:[sdmt]|ll|ve|re)", CONTRACTIONS),
        (r"(?i:'s|'t|'re|'ve|'m|'d|'ll)", CONTRACTIONS),
        (r"[^\r\n\p{L}\p{N}]?+\p{L}+", r"[^\r\n\p{L}\p{N}]?\p{L}+"),
        (r"[^\r\n\p{L}\p{N}]?+\p{L}++", r"[^\r\n\p{L}\p{N}]?\p{L}+"),
        (r" ?[^\s\p{L}\p{N}]++[\r\n]*", r" ?[^\s\p{L}\p{N}]+[\r\n]*"),
        (r"|\p{N}{1}|", r"|\p{N}|"),
        (r"|\s*[\r\n]|", r"|\s*[\r\n]+|"),
    ] {
        regex = regex.replace(spelled, plain);
    }
    if regex.ends_with(r"|\s+(?!\S)|\s") {
        regex.push('+');
    }
    regex
}

const CONTRACTIONS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)";

/// A step in the exact spelling.
pub(super) fn spell(kind: &str, step: &Json) -> String {
    let flag = |key, default| step.get(key).and_then(Json::as_bool).unwrap_or(default);
    let text = |key, default| step.get(key).and_then(Json::as_str).unwrap_or(default).to_owned();
    match kind {
        "ByteLevel" => {
            let prefix = if flag("add_prefix_space", true) { ", space in front" } else { "" };
            format!(
                "ByteLevel({}{prefix})",
                if flag("use_regex", true) { "own expression" } else { "bytes only" }
            )
        }
        "Digits" => format!("Digits({})", if flag("individual_digits", false) { "each" } else { "runs" }),
        "Punctuation" => format!("Punctuation({})", text("behavior", "Isolated")),
        "Split" => {
            let pattern = step.get("pattern").unwrap_or(&Json::Null);
            let pattern = match (pattern.get("Regex"), pattern.get("String")) {
                (Some(Json::String(regex)), _) => format!("/{regex}/"),
                (_, Some(Json::String(string))) => format!("'{string}'"),
                _ => "?".to_owned(),
            };
            let inverted = if flag("invert", false) { ", inverted" } else { "" };
            format!("Split({}{inverted}) {pattern}", text("behavior", "?"))
        }
        "NFC" | "NFD" | "NFKC" | "NFKD" | "Lowercase" | "BertPreTokenizer" => kind.to_owned(),
        // Spelled whole, so that it equals nothing but itself.
        _ => whole(step),
    }
}

/// A value as JSON has it. The parser bounds how deep it nests.
fn whole(json: &Json) -> String {
    match json {
        Json::String(text) => format!("{text:?}"),
        Json::Array(items) => format!("[{}]", items.iter().map(whole).collect::<Vec<_>>().join(", ")),
        Json::Object(members) => {
            let member = |(key, value): (&String, &Json)| format!("{key:?}: {}", whole(value));
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        simple => simple.to_string(),
    }
}

/// A text of a stranger's for a message: escaped, and cut after some hundreds of characters.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", Escaped(&text.as_bytes()[..end])),
        None => Escaped(text.as_bytes()).to_string(),
    }
}

/// The most characters of a structure in a message.
const SHOWN: usize = 700;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use std::path::Path;

    fn steps(pre_tokenizers: &str) -> Vec<String> {
        let text = format!(
            "{{\"normalizer\": {{\"type\": \"NFC\"}}, \"pre_tokenizer\": {{\"type\": \"Sequence\", \
             \"pretokenizers\": [{pre_tokenizers}]}}}}"
        );
        plain(&json::parse(Path::new("tokenizer.json"), &text).unwrap())
    }

    fn split_step(regex: &str, behavior: &str, invert: bool) -> String {
        let regex = serde_json::to_string(regex).unwrap();
        format!(
            "{{\"type\": \"Split\", \"pattern\": {{\"Regex\": {regex}}}, \"behavior\": \"{behavior}\", \"invert\": \
             {invert}}}"
        )
    }

    const CL100K: &str = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s";
    const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    #[test]
    fn what_works_alike_is_spelled_alike() {
        let llama3 = steps(&split_step(LLAMA3, "Isolated", false));
        assert_eq!(steps(&split_step(CL100K, "Isolated", false)), llama3);
        assert_eq!(steps(&split_step(LLAMA3, "Removed", true)), llama3);
        assert_eq!(steps(&split_step(&LLAMA3.replace(r"\r\n", "\r\n"), "Isolated", false)), llama3);
        let own = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false}";
        let bytes = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}";
        assert_eq!(steps(own), steps(&format!("{}, {bytes}", split_step(GPT2, "Isolated", false))));
        let digits = "{\"type\": \"Digits\", \"individual_digits\": true}";
        assert_eq!(steps(digits), steps(&split_step(r"\p{N}", "Isolated", false)));
    }

    #[test]
    fn what_works_otherwise_is_spelled_otherwise() {
        let llama3 = steps(&split_step(LLAMA3, "Isolated", false));
        for (regex, behavior, invert) in [
            (LLAMA3, "Removed", false),
            (LLAMA3, "MergedWithPrevious", false),
            (&LLAMA3.replace("{1,3}", ""), "Isolated", false),
            (&LLAMA3.replace("+[\\r\\n]*", "+"), "Isolated", false),
            (&LLAMA3.replace("(?i:'s", "(?:'s"), "Isolated", false),
        ] {
            assert_ne!(steps(&split_step(regex, behavior, invert)), llama3, "{regex} {behavior} {invert}");
        }
        // Nothing matches a bracket here, so that removing what is between the matches removes it.
        let bloom = r" ?[^(\s|[.,!?])]+";
        assert_ne!(steps(&split_step(bloom, "Removed", true)), steps(&split_step(bloom, "Isolated", false)));
        assert_ne!(
            steps("{\"type\": \"ByteLevel\", \"add_prefix_space\": true}"),
            steps("{\"type\": \"ByteLevel\", \"add_prefix_space\": false}")
        );
    }
}
