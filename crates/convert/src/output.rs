//! Where a conversion writes: the name it takes by itself, and the names it refuses.

use std::fs;
use std::path::{Path, PathBuf};

use briq_format::MetadataBuf;

use crate::recipe::Recipe;
use crate::source::{Source, SourceKind};
use crate::{Error, Result};

/// The file name that the GGUF naming convention gives: base name, size, fine-tune, version and encoding,
/// joined by hyphens, as in `Llama-3.2-1B-Instruct-Q4_K_M.gguf`. What is unknown is left out.
pub fn default_file_name(metadata: &MetadataBuf, recipe: Recipe) -> String {
    let text = |key: &str| {
        let text = metadata.get(key)?.as_str()?;
        let safe: String =
            text.chars().map(|c| if c.is_alphanumeric() || "._+-".contains(c) { c } else { '-' }).collect();
        let safe = safe.trim_matches(['-', '.']).to_owned();
        (!safe.is_empty()).then_some(safe)
    };
    let base =
        text("general.basename").or_else(|| text("general.name")).unwrap_or_else(|| "model".to_owned());
    let encoding = match recipe {
        // `auto` names no type; its file says which one it is.
        Recipe::Auto => None,
        recipe => Some(recipe.name().to_owned()),
    };
    let parts =
        [Some(base), text("general.size_label"), text("general.finetune"), text("general.version"), encoding];
    format!("{}.gguf", parts.into_iter().flatten().collect::<Vec<_>>().join("-"))
}

/// Refuses an output that is one of the source's own files, or another `input` of the conversion, under whatever
/// name.
///
/// # Errors
/// When it is, or its name is that of a folder.
pub fn check_output<'a>(
    source: &Source,
    inputs: impl IntoIterator<Item = &'a Path>,
    output: &Path,
) -> Result<()> {
    check_no_input(inputs, output)?;
    let Ok(output_file) = fs::canonicalize(output) else {
        return Ok(());
    };
    for path in source.files_beside() {
        if is_same_file(&path, &output_file) {
            let instead = match check_in_place(source) {
                Ok(_) => "write to another name, or pass --in-place without --out to replace it",
                Err(_) => "write to another name",
            };
            return Err(Error::usage(format!(
                "{}: the output is a file of the source ({}); {instead}",
                output.display(),
                path.display()
            )));
        }
    }
    Ok(())
}

/// Refuses an output that is one of the `inputs`, under whatever name.
///
/// # Errors
/// When it is, or its name is that of a folder.
pub fn check_no_input<'a>(inputs: impl IntoIterator<Item = &'a Path>, output: &Path) -> Result<()> {
    if output.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(Error::usage(format!("{}: the output is to be a file, not a folder", output.display())));
    }
    let Ok(output_file) = fs::canonicalize(output) else {
        return Ok(());
    };
    match inputs.into_iter().find(|input| is_same_file(input, &output_file)) {
        Some(input) => Err(Error::usage(format!(
            "{}: the output is an input as well ({}); write to another name",
            output.display(),
            input.display()
        ))),
        None => Ok(()),
    }
}

/// The file that a conversion in place replaces: the source, where that is a single GGUF file.
///
/// # Errors
/// When it is a directory, a safetensors file, or a model in several files.
pub fn check_in_place(source: &Source) -> Result<PathBuf> {
    let what = match (&source.kind, source.file_count()) {
        (SourceKind::Gguf(_), 1) => return Ok(source.path.clone()),
        (SourceKind::Gguf(_), files) => format!("a model in {files} files, and the result is one"),
        (SourceKind::Directory, _) => "a directory".to_owned(),
        (SourceKind::Safetensors, _) => "a safetensors file".to_owned(),
    };
    let path = source.path.display();
    Err(Error::usage(format!("{path}: --in-place replaces a single GGUF file; this is {what}")))
}

#[cfg(unix)]
fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same_file(a: &Path, b: &Path) -> bool {
    fs::canonicalize(a).is_ok_and(|a| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_made_of_what_the_metadata_says() {
        let mut metadata = MetadataBuf::new();
        assert_eq!(default_file_name(&metadata, Recipe::Q8_0), "model-Q8_0.gguf");
        metadata.set("general.name", "../My Model/x").unwrap();
        assert_eq!(default_file_name(&metadata, Recipe::F16), "My-Model-x-F16.gguf");
        for (key, text) in [("basename", "Llama-3.2"), ("size_label", "1B"), ("finetune", "Instruct")] {
            metadata.set(&format!("general.{key}"), text).unwrap();
        }
        assert_eq!(default_file_name(&metadata, Recipe::Q4_K_M), "Llama-3.2-1B-Instruct-Q4_K_M.gguf");
        assert_eq!(default_file_name(&metadata, Recipe::Auto), "Llama-3.2-1B-Instruct.gguf");
    }
}
