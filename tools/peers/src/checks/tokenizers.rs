//! llama.cpp cuts texts as the tokenizers library does, in files that briq wrote.
//!
//! Each kind of tokenizer is given to a small Llama, as it is and changed in ways that its family never saw.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::briq::{convert_command, finish};
use crate::checkpoint::write_tiny;
use crate::claims::Claims;
use crate::llama::Llama;
use crate::place::{Place, copy_files};

/// Texts that runtimes cut otherwise whatever the file says: their Unigram and WordPiece know fewer characters
/// for spaces than the library.
const OTHER_SPACES: [char; 6] = ['\u{b}', '\u{c}', '\u{85}', '\u{2003}', '\u{2028}', '\u{2029}'];

/// The fixture that begins texts with two tokens, where runtimes add one: only the rest is compared.
const TWO_AT_THE_START: &str = "bpe-glm4";

/// A name that only WordPiece goes by.
const FOR_WORDPIECE: &str = "jina-v2-en";

/// The class that all files are given.
const CLASS: &str = "LlamaForCausalLM";

/// A change to a directory, by name.
type Variant = (&'static str, fn(&mut Value) -> Result<()>);

const VARIANTS: [Variant; 3] =
    [("as it is", |_| Ok(())), ("added tokens", add_tokens), ("other ids", turn_ids_around)];

/// What the added tokens are tried on.
const WITH_ADDED: [&str; 4] =
    ["a<tool_mark>b", "<|extra|>", "x <tool_mark> y <|extra|>z", "<tool_mark><tool_mark>"];

/// Compares every kind in every variant.
pub(super) fn run(place: &Place) -> Result<()> {
    let llama = Llama::load(&place.libraries())?;
    let work = place.work("tokenizers")?;
    let mut texts: Vec<String> = serde_json::from_slice(&fs::read(place.tokenizers().join("texts.json"))?)?;
    ensure!(texts.len() >= 200, "{} texts", texts.len());
    texts.extend(WITH_ADDED.map(str::to_owned));
    let texts_file = work.join("texts.json");
    fs::write(&texts_file, serde_json::to_string(&texts)?)?;

    let folders = folders(place, &work)?;
    let expected = by_library(place, &texts_file, &folders)?;
    let mut claims = Claims::default();
    println!("tokenizer                          texts alike   of");
    for ((name, folder), expected) in folders.iter().zip(&expected) {
        let file = folder.join("model.gguf");
        // The class is none that exists; what it is to be converted as is said.
        finish(convert_command(place, folder, "F32", &file).args(["--arch", CLASS]))?;
        let model = llama.model(&file)?;
        let (mut alike, mut compared) = (0, 0);
        for (text, expected) in texts.iter().zip(expected) {
            let knows_fewer = name.starts_with("unigram") || name.starts_with("tiny-bert");
            if knows_fewer && text.contains(OTHER_SPACES) {
                continue;
            }
            let mut found = model.tokenize(text)?;
            let mut expected = &expected[..];
            if name.starts_with(TWO_AT_THE_START) {
                expected = &expected[2..];
                found.drain(..1);
            }
            compared += 1;
            alike += usize::from(found == expected);
            claims.that(found == expected, format_args!("{name}, {text:?}: {found:?} for {expected:?}"));
        }
        println!("{name:34} {alike:11} {compared:4}");
    }
    let names = names_that_load(place, &llama, &work, &mut claims)?;
    println!("{names} names of pre-tokenizers that --pre takes, each loaded");
    claims.settle()
}

/// llama.cpp knows each name that `--pre` takes for byte-level BPE; how many there are.
fn names_that_load(place: &Place, llama: &Llama, work: &Path, claims: &mut Claims) -> Result<usize> {
    let file = work.join("named.gguf");
    let convert = |name: &str| {
        let mut command = convert_command(place, &place.tiny_llama(), "F32", &file);
        finish(command.args(["--force", "--pre", name]))
    };
    let refusal = convert("?").err().context("--pre ? is taken for a name")?.to_string();
    let (_, names) = refusal.split_once("allowed are ").context("the refusal lists no names")?;
    let mut loaded = 0;
    for name in names.trim().split(", ").filter(|name| *name != FOR_WORDPIECE) {
        convert(name)?;
        let model = llama.model(&file).map(drop);
        claims.that(model.is_ok(), format_args!("--pre {name}: {model:?}"));
        loaded += 1;
    }
    Ok(loaded)
}

/// A folder for each kind and variant: the tokenizer's files, and a small Llama with as many tokens.
///
/// Folders are numbered: a runtime treats tokens otherwise in a model that is called after some families.
fn folders(place: &Place, work: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut sources = vec![place.tiny_bert(), place.tiny_llama()];
    for entry in fs::read_dir(place.tokenizers())? {
        let path = entry?.path();
        if path.join("tokenizer.json").is_file() {
            sources.push(path);
        }
    }
    sources.sort();
    let mut folders = Vec::new();
    for source in &sources {
        let kind = source.file_name().context("a folder's name")?.to_string_lossy();
        for (variant, change) in VARIANTS {
            let folder = work.join(folders.len().to_string());
            copy_files(source, &folder)?;
            let path = folder.join("tokenizer.json");
            let mut tokenizer: Value = serde_json::from_slice(&fs::read(&path)?)?;
            change(&mut tokenizer).with_context(|| folder.display().to_string())?;
            fs::write(&path, tokenizer.to_string())?;
            let config: Value = serde_json::from_slice(&fs::read(folder.join("config.json"))?)?;
            let tokens = config["vocab_size"].as_u64().unwrap_or(0).max(next_id(&tokenizer));
            write_tiny(&folder, tokens)?;
            folders.push((format!("{kind}, {variant}"), folder));
        }
    }
    Ok(folders)
}

/// Two tokens that the vocabulary lacks, after all others.
fn add_tokens(tokenizer: &mut Value) -> Result<()> {
    let next = next_id(tokenizer);
    let added = tokenizer["added_tokens"].as_array_mut().context("added_tokens")?;
    for (id, (content, special)) in (next..).zip([("<tool_mark>", false), ("<|extra|>", true)]) {
        added.push(json!({
            "id": id, "content": content, "special": special,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        }));
    }
    Ok(())
}

/// Another vocabulary: all tokens but the added ones change their ids, the first for the last.
fn turn_ids_around(tokenizer: &mut Value) -> Result<()> {
    let is_added = |id: u64, tokenizer: &Value| {
        let added = tokenizer["added_tokens"].as_array();
        added.is_some_and(|added| added.iter().any(|token| token["id"] == id))
    };
    let mut ids: Vec<u64> = match &tokenizer["model"]["vocab"] {
        Value::Object(vocabulary) => vocabulary.values().filter_map(Value::as_u64).collect(),
        Value::Array(pieces) => (0..pieces.len() as u64).collect(),
        _ => Vec::new(),
    };
    ids.retain(|id| !is_added(*id, tokenizer));
    ids.sort_unstable();
    ensure!(!ids.is_empty(), "the vocabulary is empty");
    let turned = |id: u64| ids.binary_search(&id).map_or(id, |place| ids[ids.len() - 1 - place]);
    match &mut tokenizer["model"]["vocab"] {
        Value::Object(vocabulary) => vocabulary.values_mut().for_each(|id| {
            *id = turned(id.as_u64().unwrap_or_default()).into();
        }),
        Value::Array(pieces) => {
            let old = pieces.clone();
            for (id, piece) in (0..).zip(pieces) {
                *piece = old[turned(id) as usize].clone();
            }
        }
        _ => {}
    }
    Ok(())
}

/// One more than the last id.
fn next_id(tokenizer: &Value) -> u64 {
    let pieces = match &tokenizer["model"]["vocab"] {
        Value::Object(vocabulary) => vocabulary.values().filter_map(Value::as_u64).max(),
        Value::Array(pieces) => (pieces.len() as u64).checked_sub(1),
        _ => None,
    };
    let added = tokenizer["added_tokens"].as_array();
    let added = added.and_then(|added| added.iter().filter_map(|token| token["id"].as_u64()).max());
    pieces.max(added).map_or(0, |last| last + 1)
}

/// The ids that the library gives to each text, for each folder.
fn by_library(place: &Place, texts: &Path, folders: &[(String, PathBuf)]) -> Result<Vec<Vec<Vec<i32>>>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tokenize_texts.py");
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", place.python()).arg("-B").arg(script).arg(texts);
    let lines = finish(command.args(folders.iter().map(|(_, folder)| folder.join("tokenizer.json"))))?;
    let lines: Vec<_> = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(lines.len() == folders.len(), "{} lines for {} tokenizers", lines.len(), folders.len());
    Ok(lines)
}
