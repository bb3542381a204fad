//! Special tokens: their ids, whether a runtime adds them to a text, and what it does to the text before.
//!
//! Three files speak of these, and the order of trust is llama.cpp's converter's. An id comes from the token
//! that `tokenizer_config.json` names, looked up in `tokenizer.json`, then from `config.json`. What is added
//! comes from `tokenizer.json`'s post-processor, then from `tokenizer_config.json`.

use briq_format::metadata::MetadataBuf;

use super::files::{Files, NAMED};
use super::normalizer;
use super::scheme::Rules;
use super::template;
use crate::Result;
use crate::json::Json;
use crate::model::Config;

/// The id's key for each name that has one, after `tokenizer.ggml.`. The third is spelled so by the format.
const ID_KEYS: [(&str, &str); 8] = [
    ("bos", "bos_token_id"),
    ("eos", "eos_token_id"),
    ("unk", "unknown_token_id"),
    ("sep", "seperator_token_id"),
    ("pad", "padding_token_id"),
    ("mask", "mask_token_id"),
    ("eot", "eot_token_id"),
    ("eom", "eom_token_id"),
];

/// Writes ids, flags, chat templates and normalizer flags, for a vocabulary of `token_count` ids. `assumed`
/// are the tokens that runtimes add to texts unless a key says otherwise: where `tokenizer.json` is there and
/// no file speaks of them, they are not added.
pub(super) fn write(
    files: &Files,
    config: &Config,
    rules: &Rules,
    token_count: usize,
    assumed: &[&'static str],
    metadata: &mut MetadataBuf,
) -> Result<()> {
    let mut special = Special::named_in(files);
    if let Some(tokenizer) = &files.tokenizer {
        special.read_post_processor(tokenizer);
    }
    special.read_flags(files);
    if files.tokenizer.is_some() {
        assumed.iter().for_each(|name| special.default_flag(name, false));
    }
    let mut ids = special.ids(files, config, token_count)?;
    replace(&mut ids, files, rules, token_count)?;
    ids.iter().try_for_each(|(name, id)| write_id(name, *id, metadata))?;
    for (name, add) in &special.add {
        metadata.set(&format!("tokenizer.ggml.add_{name}_token"), *add)?;
    }
    template::write(files, metadata)?;
    normalizer::write(files, metadata)
}

/// Writes the id of the special token that goes by `name`, when there is a key for it.
pub(super) fn write_id(name: &str, id: u32, metadata: &mut MetadataBuf) -> Result<()> {
    if let Some((_, key)) = ID_KEYS.iter().find(|(known, _)| *known == name) {
        metadata.set(&format!("tokenizer.ggml.{key}"), id)?;
    }
    Ok(())
}

/// Puts in what the family knows by the texts of tokens.
fn replace(
    ids: &mut Vec<(&'static str, u32)>,
    files: &Files,
    rules: &Rules,
    token_count: usize,
) -> Result<()> {
    let (added, settings) = (files.added_tokens()?, files.settings_tokens()?);
    let id_of = |text: &str| {
        let found = added.iter().chain(&settings).find(|token| token.content == text)?;
        Some(found.id).filter(|id| (*id as usize) < token_count)
    };
    for (name, text) in rules.stand_ins {
        if !ids.iter().any(|(known, _)| known == name) {
            ids.extend(id_of(text).map(|id| (*name, id)));
        }
    }
    let by_text = rules.overrides.iter().filter_map(|(name, text)| Some((*name, id_of(text)?)));
    let by_id = rules.ids.iter().copied().filter(|(_, id)| (*id as usize) < token_count);
    for (name, id) in by_text.chain(by_id) {
        match ids.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = id,
            None => ids.push((name, id)),
        }
    }
    Ok(())
}

/// Special tokens by name, and the flags in the order in which they were found.
#[derive(Debug, Default, PartialEq, Eq)]
struct Special {
    texts: Vec<(&'static str, String)>,
    add: Vec<(&'static str, bool)>,
}

impl Special {
    fn named_in(files: &Files) -> Self {
        let text = |name: &&'static str| Some((*name, files.special_text(name)?.to_owned()));
        Self { texts: NAMED.iter().filter_map(text).collect(), add: Vec::new() }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| *known == name).map(|(_, text)| text.as_str())
    }

    fn set_text(&mut self, name: &'static str, text: &str) {
        self.texts.retain(|(known, _)| *known != name);
        self.texts.push((name, text.to_owned()));
    }

    fn is_any(&self, token: &str, names: [&str; 2]) -> bool {
        names.iter().any(|name| self.text(name) == Some(token))
    }

    fn set_flag(&mut self, name: &'static str, add: bool) {
        match self.add.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = add,
            None => self.add.push((name, add)),
        }
    }

    fn default_flag(&mut self, name: &'static str, add: bool) {
        if !self.add.iter().any(|(known, _)| *known == name) {
            self.add.push((name, add));
        }
    }

    fn read_post_processor(&mut self, tokenizer: &Json) {
        for (name, fallback) in [("bos", "cls"), ("eos", "sep")] {
            if self.text(name).is_none()
                && let Some(text) = self.text(fallback).map(str::to_owned)
            {
                self.set_text(name, &text);
            }
        }
        let Some(post_processor) = tokenizer.get("post_processor") else { return };
        let several = post_processor.get("processors").and_then(Json::as_array);
        for processor in several.unwrap_or(std::slice::from_ref(post_processor)) {
            match processor.get("type").and_then(Json::as_str) {
                Some("ByteLevel") => ["bos", "eos"].iter().for_each(|name| self.default_flag(name, false)),
                Some("RobertaProcessing") => {
                    ["bos", "eos", "sep"].iter().for_each(|name| self.set_flag(name, true));
                    let sep = processor.get("sep").and_then(Json::as_array).and_then(<[Json]>::first);
                    if let (None, Some(sep)) = (self.text("sep"), sep.and_then(Json::as_str)) {
                        self.set_text("sep", sep);
                    }
                }
                Some("TemplateProcessing") => self.read_template(processor),
                _ => {}
            }
        }
    }

    /// A template says for one text (`single`) and for two (`pair`) which tokens stand around them.
    fn read_template(&mut self, processor: &Json) {
        let items = |key| processor.get(key).and_then(Json::as_array).unwrap_or_default();
        let (mut first, mut last) = (None, None);
        if let [start, .., end] = items("single") {
            (first, last) = (item_id(start, "SpecialToken"), item_id(end, "SpecialToken"));
        }
        if let Some(first) = first {
            if self.text("bos").is_none() {
                self.set_text("bos", first);
            }
            self.set_flag("bos", self.is_any(first, ["bos", "cls"]));
        }
        if let Some(last) = last {
            // A template that ends otherwise than with the end token ends a turn with the old one.
            if let Some(old) = self.text("eos").filter(|old| *old != last).map(str::to_owned) {
                self.set_text("eot", &old);
            }
            self.set_text("eos", last);
            self.set_flag("eos", true);
        }
        let pair = items("pair");
        let pair = match pair {
            [start, rest @ ..] if first.is_some() && item_id(start, "SpecialToken") == first => rest,
            _ => pair,
        };
        let pair = match pair {
            [rest @ .., end] if last.is_some() && item_id(end, "SpecialToken") == last => rest,
            _ => pair,
        };
        let [a, middle @ .., b] = pair else { return };
        if item_id(a, "Sequence") != Some("A") || item_id(b, "Sequence") != Some("B") || middle.is_empty() {
            return;
        }
        let separates =
            |item: &Json| item_id(item, "SpecialToken").is_some_and(|id| self.is_any(id, ["sep", "eos"]));
        let add = (separates(&middle[0]) && last.is_none()) || (middle.len() == 2 && separates(&middle[1]));
        self.set_flag("sep", add);
        if add
            && self.text("sep").is_none()
            && let Some(eos) = self.text("eos").map(str::to_owned)
        {
            self.set_text("sep", &eos);
        }
    }

    fn read_flags(&mut self, files: &Files) {
        for name in ["bos", "eos", "sep"] {
            if let Some(add) = files.setting(&format!("add_{name}_token")).and_then(Json::as_bool) {
                self.default_flag(name, add);
            }
        }
    }

    /// Ids by name, in the order in which they are written. An id that no token has is left out: configs say
    /// -1, and lists, for what they do not have.
    fn ids(&self, files: &Files, config: &Config, token_count: usize) -> Result<Vec<(&'static str, u32)>> {
        let added = files.added_tokens()?;
        let names = || NAMED.into_iter().chain(["eot", "eom"]);
        let exists = |id: &u32| (*id as usize) < token_count;
        let mut ids: Vec<(&'static str, u32)> = Vec::new();
        for name in names() {
            let Some(text) = self.text(name) else { continue };
            let id = added.iter().find(|token| token.content == text).map(|token| token.id);
            ids.extend(id.filter(exists).map(|id| (name, id)));
        }
        for name in names() {
            let id = config.get(&format!("{name}_token_id")).and_then(Json::as_u32);
            if !ids.iter().any(|(known, _)| *known == name) {
                ids.extend(id.filter(exists).map(|id| (name, id)));
            }
        }
        Ok(ids)
    }
}

/// The id of a template's item, when it is of this kind.
fn item_id<'a>(item: &'a Json, kind: &str) -> Option<&'a str> {
    item.get(kind)?.get("id")?.as_str().filter(|id| !id.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use std::path::{Path, PathBuf};

    /// The special tokens and flags for a template, where the settings name `<s>`, `</s>` and `<sep>`.
    fn of_template(single: &[&str], pair: &[&str]) -> Special {
        let item = |name: &&str| match *name {
            "A" | "B" => format!("{{\"Sequence\": {{\"id\": \"{name}\"}}}}"),
            _ => format!("{{\"SpecialToken\": {{\"id\": \"{name}\"}}}}"),
        };
        let list = |items: &[&str]| items.iter().map(item).collect::<Vec<_>>().join(", ");
        let (single, pair) = (list(single), list(pair));
        read(&format!("{{\"type\": \"TemplateProcessing\", \"single\": [{single}], \"pair\": [{pair}]}}"))
    }

    fn read(post_processor: &str) -> Special {
        let parse = |text: &str| json::parse(Path::new("x"), text).unwrap();
        let settings =
            "{\"bos_token\": \"<s>\", \"eos_token\": {\"content\": \"</s>\"}, \"sep_token\": \"<sep>\"}";
        let settings = parse(settings).as_object().unwrap().clone();
        let files = Files { directory: PathBuf::new(), tokenizer: None, settings };
        let mut special = Special::named_in(&files);
        special.read_post_processor(&parse(&format!("{{\"post_processor\": {post_processor}}}")));
        special
    }

    #[test]
    fn flags_follow_what_stands_around_one_text_and_between_two() {
        let flags = |single: &[&str], pair: &[&str]| of_template(single, pair).add;
        assert_eq!(flags(&["A"], &["A", "B"]), []);
        assert_eq!(flags(&["<s>", "A"], &["<s>", "A", "<s>", "B"]), [("bos", true), ("sep", false)]);
        assert_eq!(flags(&["<x>", "A"], &["<x>", "A", "B"]), [("bos", false)]);
        assert_eq!(flags(&["A", "</s>"], &["A", "</s>", "B", "</s>"]), [("eos", true), ("sep", false)]);
        assert_eq!(
            flags(&["<s>", "A", "</s>"], &["<s>", "A", "</s>", "</s>", "B", "</s>"]),
            [("bos", true), ("eos", true), ("sep", true)]
        );
        assert_eq!(flags(&["<s>", "A"], &["<s>", "A", "<sep>", "B"]), [("bos", true), ("sep", true)]);
        assert_eq!(flags(&["<s>", "A"], &["<s>", "B", "<sep>", "A"]), [("bos", true)]);
    }

    #[test]
    fn a_template_that_ends_otherwise_makes_the_old_end_the_end_of_a_turn() {
        let special = of_template(&["<s>", "A", "<end>"], &[]);
        assert_eq!((special.text("eos"), special.text("eot")), (Some("<end>"), Some("</s>")));
        assert_eq!(special.add, [("bos", true), ("eos", true)]);
    }

    #[test]
    fn processors_in_a_sequence_are_read_in_order() {
        let special = read(
            "{\"type\": \"Sequence\", \"processors\": [{\"type\": \"ByteLevel\"}, {\"type\": \"TemplateProcessing\",
              \"single\": [{\"SpecialToken\": {\"id\": \"<s>\"}}, {\"Sequence\": {\"id\": \"A\"}}]}]}",
        );
        assert_eq!(special.add, [("bos", true), ("eos", false)]);
        let roberta =
            read("{\"type\": \"RobertaProcessing\", \"sep\": [\"</s>\", 2], \"cls\": [\"<s>\", 0]}");
        assert_eq!(roberta.add, [("bos", true), ("eos", true), ("sep", true)]);
        assert_eq!(roberta.text("sep"), Some("<sep>"));
    }

    #[test]
    fn nonsense_in_a_post_processor_sets_nothing() {
        for post_processor in ["null", "3", "{\"type\": 1}", "{\"processors\": [[], null]}"] {
            assert_eq!(read(post_processor).add, [], "{post_processor}");
        }
        assert_eq!(read("{\"type\": \"TemplateProcessing\", \"single\": [1, 2], \"pair\": {}}").add, []);
    }
}
