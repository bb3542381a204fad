//! Model directories and recipes that hold many small things.

use std::fmt::Write as _;

use super::{BYTES, numbered, repeat};
use crate::Folder;

pub(super) fn config(folder: &Folder, unit: &str) {
    folder.copy("checkpoints/tiny-llama", "model");
    folder.write(
        "model/config.json",
        format!("{{\"architectures\":[\"LlamaForCausalLM\"],\"a\":[{}0]}}", repeat(unit)),
    );
}

/// What is in there counts as if it were at the top.
pub(super) fn text_config(folder: &Folder, start: &str, unit: &str, end: &str) {
    folder.copy("checkpoints/tiny-llama", "model");
    let text = format!("{start}{}{end}", repeat(unit));
    folder.write(
        "model/config.json",
        format!("{{\"architectures\":[\"LlamaForCausalLM\"],\"text_config\":{{{text}}}}}"),
    );
}

pub(super) fn members(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama", "model");
    let mut text = String::from("{\"architectures\":[\"LlamaForCausalLM\"]");
    numbered(&mut text, |text, number| write!(text, ",\"{number:x}\":1"));
    folder.write("model/config.json", text + "}");
}

fn model_with_tokenizer(folder: &Folder, tokenizer: impl AsRef<[u8]>) {
    folder.copy("checkpoints/tiny-llama", "model");
    folder.write("model/tokenizer.json", tokenizer);
}

pub(super) fn tokens(folder: &Folder) {
    let mut text = String::from("{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"\":0");
    numbered(&mut text, |text, number| write!(text, ",\"{number:x}\":{}", number + 1));
    model_with_tokenizer(folder, text + "}}}");
}

pub(super) fn added_tokens(folder: &Folder) {
    let mut text = String::from(
        "{\"model\":{\"type\":\"BPE\",\"merges\":[],\"vocab\":{\"\":0}},\"added_tokens\":[{\"id\":1,\"content\":\"_\"}",
    );
    numbered(&mut text, |text, number| write!(text, ",{{\"id\":{},\"content\":\"{number:x}\"}}", number + 2));
    model_with_tokenizer(folder, text + "]}");
}

pub(super) fn merges(folder: &Folder) {
    let head = "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"aa\":1},\"merges\":[";
    model_with_tokenizer(folder, format!("{head}{}\"a a\"]}}}}", repeat("\"a a\",")));
}

/// A piece without text, score and kind is two bytes.
pub(super) fn pieces(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama-spm", "model");
    folder.write("model/tokenizer.model", [10, 0].repeat(BYTES / 2));
    let config = String::from_utf8(folder.read("model/config.json")).expect("a fixture is UTF-8");
    let at =
        config.find("\"vocab_size\": ").expect("the fixture has a vocabulary") + "\"vocab_size\": ".len();
    let end = at + config[at..].find(|c: char| !c.is_ascii_digit()).expect("an object ends");
    folder.write("model/config.json", format!("{}{}{}", &config[..at], BYTES / 2, &config[end..]));
}

pub(super) fn lines(folder: &Folder) {
    folder.copy("checkpoints/tiny-bert", "model");
    let _ = std::fs::remove_file(folder.path("model/tokenizer.json"));
    let mut text = String::new();
    numbered(&mut text, |text, number| writeln!(text, "{number:x}"));
    folder.write("model/vocab.txt", text);
}

pub(super) fn index(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama-yarn", "model");
    let mut text = String::from("{\"weight_map\":{\"\":\"a\"");
    numbered(&mut text, |text, number| write!(text, ",\"{number:x}\":\"a\""));
    folder.write("model/model.safetensors.index.json", text + "}}");
    folder.write("model/a", "");
}

pub(super) fn card(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama", "model");
    folder.write("model/README.md", format!("---\nbase_model:\n{}\n---\n", repeat("- a/b\n")));
}

/// The largest recipe that is read, in bytes.
const RECIPE: usize = 256 << 10;

pub(super) fn patterns(folder: &Folder) {
    recipe(folder, "\"\\\\w\",");
}

/// An array of as many units as there is room for.
pub(super) fn recipe(folder: &Folder, unit: &str) {
    folder.copy("checkpoints/tiny-llama", "model");
    let units = unit.repeat((RECIPE - 100) / unit.len());
    folder.write("recipe.toml", format!("base = \"Q8_0\"\nkeep = [{units}]\n"));
}

pub(super) fn tables(folder: &Folder, unit: &str) {
    folder.copy("checkpoints/tiny-llama", "model");
    folder.write("recipe.toml", format!("{}a = 1\n", unit.repeat((RECIPE - 100) / unit.len())));
}

/// Few bytes, but no larger pattern is allowed, and no more of them.
pub(super) fn most_patterns(folder: &Folder) {
    folder.copy("checkpoints/tiny-llama", "model");
    folder.write("recipe.toml", format!("base = \"Q8_0\"\nkeep = [{}]\n", "\"\\\\w.\\\\w\",".repeat(200)));
}
