//! The `general.*` keys: what a model is called, who made it, how to sample from it.
//!
//! Sources, each filling only what is missing: `generation_config.json`, the model card, the config's
//! `_name_or_path`, the directory's name, and last the number of weights. Order and rules are those of
//! llama.cpp's converter; `general.architecture`, `general.type` and `general.file_type` are not written here.

use std::path::Path;

use briq_format::metadata::MetadataBuf;

use super::card::{self, Node};
use super::name::{self, Components};
use super::size::{Parameters, size_label};
use super::{Config, sampling};
use crate::json::Json;
use crate::{Error, Result};

/// Writes the keys for the model in `directory`, whose last path component is `directory_name`.
///
/// # Errors
///
/// When `generation_config.json` or the model card is malformed.
pub(super) fn write(
    directory: &Path,
    directory_name: &str,
    config: &Config,
    parameters: Parameters,
    metadata: &mut MetadataBuf,
) -> Result<()> {
    sampling::write(directory, metadata)?;
    let card = card::read(directory)?;
    let path = config.get("_name_or_path").and_then(Json::as_str);
    Identity::of(&card, path, directory_name, parameters).write(&card, metadata)?;
    ancestors(&card, Ancestors::BaseModels, parameters, metadata)?;
    ancestors(&card, Ancestors::Datasets, parameters, metadata)?;
    set_list(metadata, "general.tags", &card, ["tags", "pipeline_tag"])?;
    set_list(metadata, "general.languages", &card, ["languages", "language"])
}

/// What a model is called.
#[derive(Debug, Default)]
struct Identity {
    name: Option<String>,
    author: Option<String>,
    version: Option<String>,
    organization: Option<String>,
    finetune: Option<String>,
    basename: Option<String>,
    description: Option<String>,
    size_label: Option<String>,
}

impl Identity {
    fn of(card: &Node, name_or_path: Option<&str>, directory_name: &str, parameters: Parameters) -> Self {
        let from = |keys: &[&str]| first_text(card, keys).map(str::to_owned);
        let mut identity = Self {
            name: from(&["name", "model_name"]),
            author: from(&["author", "model_author", "model_creator"]),
            version: from(&["version", "model_version"]),
            organization: from(&["organization", "model_organization"]),
            finetune: from(&["finetune", "model_finetune"]),
            // The converter takes the card's `model_type`, as in `llama`, for the name's first part.
            basename: from(&["basename", "model_basename", "model_type"]),
            description: from(&["description", "model_description"]),
            size_label: from(&["size_label", "model_size_label"]),
        };
        // With more than one separator it is a path on somebody's machine.
        if let Some(path) = name_or_path.filter(|path| path.matches('/').count() <= 1) {
            identity.fill(name::components(path, parameters.total));
        }
        identity.fill(name::components(directory_name, parameters.total));
        identity.name.get_or_insert_with(|| directory_name.to_owned());
        if parameters.total > 0 {
            identity.size_label.get_or_insert_with(|| size_label(parameters));
        }
        identity
    }

    fn fill(&mut self, found: Components) {
        let fill = |field: &mut Option<String>, value: Option<String>| {
            if field.is_none() {
                *field = value;
            }
        };
        fill(&mut self.name, found.full_name.as_deref().map(name::title));
        fill(&mut self.organization, found.organization.as_deref().map(name::title));
        fill(&mut self.basename, found.basename);
        fill(&mut self.finetune, found.finetune);
        fill(&mut self.version, found.version);
        fill(&mut self.size_label, found.size_label);
    }

    fn write(&self, card: &Node, metadata: &mut MetadataBuf) -> Result<()> {
        let license = card.get("license").map(|license| texts(license).join(","));
        for (key, value) in [
            ("general.name", self.name.as_deref()),
            ("general.author", self.author.as_deref()),
            ("general.version", self.version.as_deref()),
            ("general.organization", self.organization.as_deref()),
            ("general.finetune", self.finetune.as_deref()),
            ("general.basename", self.basename.as_deref()),
            ("general.description", self.description.as_deref()),
            ("general.size_label", self.size_label.as_deref()),
            ("general.license", license.as_deref()),
            ("general.license.name", first_text(card, &["license_name"])),
            ("general.license.link", first_text(card, &["license_link"])),
            ("general.source.url", first_text(card, &["url", "model_url"])),
            ("general.source.doi", first_text(card, &["doi", "model_doi"])),
            ("general.source.uuid", first_text(card, &["uuid", "model_uuid"])),
            ("general.source.repo_url", first_text(card, &["repo_url", "model_repo_url"])),
        ] {
            set_text(metadata, key, value.unwrap_or_default())?;
        }
        Ok(())
    }
}

/// What a model was made from.
#[derive(Debug, Clone, Copy)]
enum Ancestors {
    BaseModels,
    Datasets,
}

/// The most models or datasets a card may list.
const ANCESTOR_CAP: usize = 256;

/// Writes the count and one group of keys for each model or dataset the card lists.
fn ancestors(
    card: &Node,
    which: Ancestors,
    parameters: Parameters,
    metadata: &mut MetadataBuf,
) -> Result<()> {
    let (prefix, keys) = match which {
        Ancestors::BaseModels => ("general.base_model", ["base_model", "base_models", "base_model_sources"]),
        Ancestors::Datasets => ("general.dataset", ["datasets", "dataset", "dataset_sources"]),
    };
    let Some(listed) = keys.iter().find_map(|key| card.get(key)) else { return Ok(()) };
    let items = listed.items();
    if items.len() > ANCESTOR_CAP {
        return Err(Error::unsupported(format!(
            "README.md lists {} of {prefix}; at most {ANCESTOR_CAP}",
            items.len()
        )));
    }
    metadata.set(&format!("{prefix}.count"), items.len() as u32)?;
    for (index, item) in items.iter().enumerate() {
        let described = item.as_text().map(|id| describe(id, parameters));
        let item = described.as_ref().unwrap_or(item);
        for field in
            ["name", "author", "version", "organization", "description", "url", "doi", "uuid", "repo_url"]
        {
            set_text(
                metadata,
                &format!("{prefix}.{index}.{field}"),
                first_text(item, &[field]).unwrap_or_default(),
            )?;
        }
    }
    Ok(())
}

/// The fields of a model or dataset that is given as an id or a URL.
fn describe(id: &str, parameters: Parameters) -> Node {
    let is_url = ["http://", "https://", "ssh://"].iter().any(|scheme| id.starts_with(scheme));
    let hub =
        ["https://huggingface.co/", "http://huggingface.co/"].iter().find_map(|hub| id.strip_prefix(hub));
    let hub_id =
        hub.filter(|path| path.split('/').count() == 2 && path.split('/').all(|part| !part.is_empty()));
    let found = match (is_url, hub_id) {
        (true, None) => Components::default(),
        (true, Some(hub_id)) => name::components(hub_id, parameters.total),
        (false, _) => name::components(id, parameters.total),
    };
    let url = match (&found.organization, &found.full_name) {
        _ if is_url => Some(id.to_owned()),
        (Some(organization), Some(name)) => Some(format!("https://huggingface.co/{organization}/{name}")),
        _ => None,
    };
    let fields = [
        ("name", found.full_name.as_deref().map(name::title)),
        ("organization", found.organization.as_deref().map(name::title)),
        ("version", found.version),
        ("repo_url", url),
    ];
    let present = |(field, value): (&str, Option<String>)| Some((field.to_owned(), Node::Text(value?)));
    Node::Map(fields.into_iter().filter_map(present).collect())
}

fn first_text<'a>(node: &'a Node, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| node.get(key)).and_then(Node::as_text)
}

fn texts(node: &Node) -> Vec<&str> {
    node.items().iter().filter_map(Node::as_text).collect()
}

/// Empty texts are not written.
fn set_text(metadata: &mut MetadataBuf, key: &str, text: &str) -> Result<()> {
    if !text.is_empty() {
        metadata.set(key, text)?;
    }
    Ok(())
}

/// The lists under both names, one after the other; nothing when they are empty.
fn set_list(metadata: &mut MetadataBuf, key: &str, card: &Node, names: [&str; 2]) -> Result<()> {
    let all: Vec<&str> = names.iter().filter_map(|name| card.get(name)).flat_map(texts).collect();
    if !all.is_empty() {
        metadata.set(key, all.as_slice())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use crate::model::config::number;
    use briq_format::metadata::OwnedValue;
    use std::fs;

    fn cases(kind: &str) -> Vec<Json> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/metadata-cases.json");
        json::read(&path, 1 << 20).unwrap().get(kind).and_then(Json::as_array).unwrap().to_vec()
    }

    fn integer(json: &Json) -> u64 {
        let Json::Integer(number) = json else { panic!("{json} is no integer") };
        u64::try_from(*number).unwrap()
    }

    /// Writes the keys for a case's files and holds them against the case's.
    fn check(case: &Json) {
        let text = |key: &str| case.get(key).and_then(Json::as_str);
        let directory = tempfile::tempdir().unwrap();
        if let Some(readme) = text("readme") {
            fs::write(directory.path().join("README.md"), readme).unwrap();
        }
        if let Some(generation) = case.get("generation_config").and_then(Json::as_object) {
            let members: Vec<String> =
                generation.iter().map(|(key, value)| format!("{key:?}: {value}")).collect();
            let generation = format!("{{{}}}", members.join(", "));
            fs::write(directory.path().join("generation_config.json"), generation).unwrap();
        }
        let config =
            text("_name_or_path").map_or("{}".into(), |path| format!("{{\"_name_or_path\": {path:?}}}"));
        let total = case.get("total_params").map_or(0, integer);
        let mut metadata = MetadataBuf::new();
        let config = Config::from_text(&config);
        let parameters = Parameters { total, ..Parameters::default() };
        write(directory.path(), text("dir").unwrap_or("hf"), &config, parameters, &mut metadata).unwrap();

        // The cases end before the step that counts the weights.
        let expected = case.get("keys").and_then(Json::as_array).unwrap();
        let has_label =
            expected.iter().any(|row| row.as_array().unwrap()[0].as_str() == Some("general.size_label"));
        if !has_label {
            metadata.remove("general.size_label");
        }
        let mut wanted = MetadataBuf::new();
        for row in expected {
            let [key, kind, value] = row.as_array().unwrap() else { panic!("{row}") };
            let value: OwnedValue = match (kind.as_str().unwrap(), value) {
                ("uint32", value) => value.as_u32().unwrap().into(),
                ("int32", value) => i32::try_from(integer(value)).unwrap().into(),
                ("float32", value) => (number(value).unwrap() as f32).into(),
                ("array", Json::Array(items)) => {
                    items.iter().map(|item| item.as_str().unwrap()).collect::<Vec<_>>().as_slice().into()
                }
                ("string", Json::String(text)) => text.as_str().into(),
                ("string", value) => value.to_string().into(),
                other => panic!("{other:?}"),
            };
            wanted.set(key.as_str().unwrap(), value).unwrap();
        }
        assert_eq!(metadata, wanted, "{case:?}");
    }

    #[test]
    fn cards_names_and_sampling_give_the_converters_keys() {
        for kind in ["cards", "generation_config", "dir_name_only", "name_or_path_only"] {
            cases(kind).iter().for_each(check);
        }
    }
}
