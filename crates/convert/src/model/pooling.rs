//! How a sentence-transformers directory pools token embeddings into one.
//!
//! `modules.json` lists the stages; the pooling stage names a folder whose `config.json` has a flag for each
//! mode. Stages after pooling are not read.

use std::path::Path;

use briq_format::metadata::OwnedValue;

use crate::json::{self, Json};
use crate::source::is_plain;
use crate::{Error, Result};

/// The modes a GGUF file can name: the flag in the pooling stage's config, and the value of `pooling_type`.
const MODES: [(&str, u32); 3] =
    [("pooling_mode_mean_tokens", 1), ("pooling_mode_cls_token", 2), ("pooling_mode_lasttoken", 3)];

/// The value of `pooling_type` for the model in `directory`; `None` when it has no pooling stage.
///
/// # Errors
///
/// When a file is malformed, names a folder outside the directory, or asks for a mode GGUF has no number for.
pub(super) fn pooling_type(directory: &Path) -> Result<Option<OwnedValue>> {
    let modules_path = directory.join("modules.json");
    let Some(modules) = json::read_if_present(&modules_path, json::CONFIG_CAP)? else { return Ok(None) };
    let modules = modules.as_array().ok_or_else(|| Error::bad(&modules_path, "not an array of modules"))?;
    let is_pooling = |module: &&Json| {
        module.get("type").and_then(Json::as_str) == Some("sentence_transformers.models.Pooling")
    };
    let Some(module) = modules.iter().find(is_pooling) else { return Ok(None) };
    let folder =
        module.get("path").and_then(Json::as_str).filter(|folder| is_plain(folder)).ok_or_else(|| {
            let found = module.get("path").unwrap_or(&Json::Null);
            Error::bad(
                &modules_path,
                format!("the pooling module's \"path\" is {found}; allowed is the name of a folder"),
            )
        })?;
    let path = directory.join(folder).join("config.json");
    let config = json::read(&path, json::CONFIG_CAP)?;
    let is_set = |flag| config.get(flag).and_then(Json::as_bool).unwrap_or(false);
    match MODES.iter().find(|(flag, _)| is_set(flag)) {
        Some((_, number)) => Ok(Some((*number).into())),
        None => Err(Error::bad(&path, format!("no pooling mode that a GGUF file can name: {}", flags()))),
    }
}

fn flags() -> String {
    MODES.map(|(flag, _)| flag).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn pooled(modules: &str, pooling: Option<&str>) -> Result<Option<OwnedValue>> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("modules.json"), modules).unwrap();
        if let Some(pooling) = pooling {
            fs::create_dir(directory.path().join("1_Pooling")).unwrap();
            fs::write(directory.path().join("1_Pooling/config.json"), pooling).unwrap();
        }
        pooling_type(directory.path())
    }

    fn modules(path: &str) -> String {
        let kind = "sentence_transformers.models.Pooling";
        format!(
            "[{{\"path\": \"\", \"type\": \"x.Transformer\"}}, {{\"path\": \"{path}\", \"type\": \"{kind}\"}}]"
        )
    }

    #[test]
    fn each_mode_has_its_number_and_mean_comes_first() {
        for (config, expected) in [
            ("{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": true}", 1_u32),
            ("{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": false}", 2),
            ("{\"pooling_mode_lasttoken\": true}", 3),
        ] {
            assert_eq!(
                pooled(&modules("1_Pooling"), Some(config)).unwrap(),
                Some(expected.into()),
                "{config}"
            );
        }
    }

    #[test]
    fn a_directory_without_a_pooling_stage_has_no_pooling_type() {
        assert_eq!(pooling_type(tempfile::tempdir().unwrap().path()).unwrap(), None);
        assert_eq!(pooled("[]", None).unwrap(), None);
    }

    /// The name of the file that an error is about, and what is wrong with it.
    fn told(error: Error) -> (String, String) {
        let Error::Bad { path, problem } = error else { panic!("{error}") };
        (path.file_name().unwrap().to_str().unwrap().to_owned(), problem)
    }

    #[test]
    fn a_mode_without_a_number_and_a_folder_elsewhere_are_refused() {
        let message = pooled(&modules("1_Pooling"), Some("{\"pooling_mode_max_tokens\": true}")).unwrap_err();
        let modes = "pooling_mode_mean_tokens, pooling_mode_cls_token, pooling_mode_lasttoken";
        let problem = format!("no pooling mode that a GGUF file can name: {modes}");
        assert_eq!(told(message), ("config.json".to_owned(), problem));
        for path in ["../1_Pooling", "/etc", "a/b", "", ".", "..", "1_Pooling/", "a\\\\b"] {
            let message = pooled(&modules(path), Some("{\"pooling_mode_cls_token\": true}")).unwrap_err();
            let problem =
                format!("the pooling module's \"path\" is \"{path}\"; allowed is the name of a folder");
            assert_eq!(told(message), ("modules.json".to_owned(), problem));
        }
        assert!(pooled("{}", None).is_err());
    }
}
