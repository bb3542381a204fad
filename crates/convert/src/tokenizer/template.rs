//! Chat templates: where they are found, and copied byte for byte. Nothing here renders one.

use std::path::Path;

use briq_format::metadata::MetadataBuf;

use super::files::Files;
use crate::json::{self, Json, Quoted};
use crate::{Error, Result};

/// A template and its name; the one called `default` is the one without a name in the file.
type Named = (String, String);

/// Writes the templates. `tokenizer_config.json` decides when it has the key at all, even as null; then
/// `chat_template.jinja` with the files of `additional_chat_templates`, then `chat_template.json`.
pub(super) fn write(files: &Files, metadata: &mut MetadataBuf) -> Result<()> {
    let templates = match files.settings.get("chat_template") {
        Some(value) => templates(value, &files.settings_path())?,
        None => from_files(&files.directory)?,
    };
    check_names(files, &templates)?;
    let (default, named): (Vec<_>, Vec<_>) = templates.into_iter().partition(|(name, _)| name == DEFAULT);
    for (name, template) in &named {
        metadata.set(&format!("tokenizer.chat_template.{name}"), template.as_str())?;
    }
    let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
    if !names.is_empty() {
        metadata.set("tokenizer.chat_templates", names.as_slice())?;
    }
    if let Some((_, template)) = default.last().filter(|(_, template)| !template.is_empty()) {
        metadata.set("tokenizer.chat_template", template.as_str())?;
    }
    Ok(())
}

/// Two templates under one key would leave one of them out.
fn check_names(files: &Files, templates: &[Named]) -> Result<()> {
    let mut names: Vec<&str> = templates.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(Error::bad(
            &files.directory,
            format!("two chat templates go by the name {}, as part of a key", Quoted(pair[0])),
        )),
        None => Ok(()),
    }
}

const DEFAULT: &str = "default";

/// The longest name of a template, which becomes part of a key.
const NAME_CAP: usize = 256;

/// The most named templates; known models have three.
const TEMPLATE_CAP: usize = 64;

/// The templates in a value: one, a list with names, or none.
fn templates(value: &Json, path: &Path) -> Result<Vec<Named>> {
    let bad = |problem: String| Error::bad(path, format!("\"chat_template\": {problem}"));
    match value {
        Json::Null => Ok(Vec::new()),
        Json::String(template) => Ok(vec![(DEFAULT.to_owned(), template.clone())]),
        Json::Array(list) if list.len() <= TEMPLATE_CAP => list
            .iter()
            .map(|entry| {
                let text = |key| entry.get(key).and_then(Json::as_str);
                let (Some(name), Some(template)) =
                    (text("name").filter(|name| !name.is_empty()), text("template"))
                else {
                    return Err(bad(format!("{entry} where a \"name\" and a \"template\" were expected")));
                };
                if name.len() > NAME_CAP {
                    let problem = format!(
                        "the name {} has {} bytes; at most {NAME_CAP} are allowed",
                        Quoted(name),
                        name.len()
                    );
                    return Err(bad(problem));
                }
                Ok((key_name(name), template.to_owned()))
            })
            .collect(),
        Json::Array(list) => {
            Err(bad(format!("{} templates; at most {TEMPLATE_CAP} are allowed", list.len())))
        }
        other => Err(bad(format!("{other}; allowed is a text, or a list of texts with names"))),
    }
}

fn from_files(directory: &Path) -> Result<Vec<Named>> {
    let (jinja, json) = (directory.join("chat_template.jinja"), directory.join("chat_template.json"));
    if json::is_present(&jinja) {
        let mut templates = vec![(DEFAULT.to_owned(), json::read_text(&jinja, json::CONFIG_CAP)?)];
        templates.extend(additional(&directory.join("additional_chat_templates"))?);
        return Ok(templates);
    }
    let Some(value) = json::read_if_present(&json, json::CONFIG_CAP)? else { return Ok(Vec::new()) };
    templates(value.get("chat_template").unwrap_or(&Json::Null), &json)
}

/// The `.jinja` files of `directory` in the order of their names.
fn additional(directory: &Path) -> Result<Vec<Named>> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let failed = |error| Error::io(directory, "list", error);
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "jinja") {
            paths.push(path);
        }
    }
    if paths.len() > TEMPLATE_CAP {
        return Err(Error::bad(
            directory,
            format!("{} templates; at most {TEMPLATE_CAP} are allowed", paths.len()),
        ));
    }
    paths.sort();
    let named = |path: &std::path::PathBuf| {
        let name = path.file_stem().map(|stem| key_name(&stem.to_string_lossy())).unwrap_or_default();
        Ok((name, json::read_text(path, json::CONFIG_CAP)?))
    };
    paths.iter().map(named).collect()
}

/// A name as part of a key: what is no ASCII letter or digit becomes an underscore.
fn key_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
