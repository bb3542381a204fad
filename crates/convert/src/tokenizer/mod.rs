//! Tokenizers: from a checkpoint's files to the `tokenizer.*` keys.
//!
//! A GGUF file carries the vocabulary, the merges or scores, the ids of special tokens, and the name of the
//! rule that splits text before merging; it carries no code. So a tokenizer is recognised here and never
//! run: expressions in its files are compared as text, templates are copied byte for byte. The files are
//! untrusted; nothing is sized by a number they state until the entries confirm it.

mod bpe;
mod files;
pub mod pre;
mod sentencepiece;
mod special;
mod template;
mod vocabulary;
mod wordpiece;

use std::path::Path;

use briq_format::metadata::MetadataBuf;

use crate::json;
use crate::model::Config;
use crate::{Error, Result};
use files::Files;

/// How a family's tokenizer is found among its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Whatever kind of tokenizer the files hold.
    Plain,
    /// SentencePiece where `tokenizer.model` exists; else `tokenizer.json`, which is either SentencePiece's
    /// merges in another form or byte-level BPE.
    Llama,
    /// An encoder's, with a count of token types.
    Bert,
    /// Gemma's first.
    Gemma,
    /// Gemma's later ones.
    GemmaLater,
    /// Phi-3's.
    Phi3,
    /// InternLM2's.
    InternLm2,
    /// GLM-4's.
    Glm4,
    /// Nemotron's.
    Nemotron,
}

/// What is known about the pre-tokenizer beside its structure.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PreTokenizer<'a> {
    /// The name to write whatever the structure.
    pub(crate) chosen: Option<&'a str>,
    /// Names that come first where the structure has several.
    pub(crate) preferred: &'a [&'a str],
}

/// Writes the tokenizer keys of the model in `directory`.
///
/// # Errors
///
/// When a file is missing or malformed, or the pre-tokenizer is not known.
pub(crate) fn write(
    directory: &Path,
    config: &Config,
    scheme: Scheme,
    pre: PreTokenizer<'_>,
    metadata: &mut MetadataBuf,
) -> Result<()> {
    let mut files = Files::read(directory)?;
    match scheme {
        Scheme::Bert => {
            wordpiece::complete(&mut files)?;
            let token_types = config.optional_size("type_vocab_size")?.unwrap_or(1);
            metadata.set("tokenizer.ggml.token_type_count", token_types as u32)?;
            let tokens = wordpiece::vocabulary(&files, config)?;
            let name = pre.chosen.unwrap_or(pre::WORDPIECE);
            tokens.write("bert", name, false, metadata)?;
            special::write(&files, config, tokens.len(), metadata)
        }
        _ => llama(&files, config, pre, metadata),
    }
}

fn llama(files: &Files, config: &Config, pre: PreTokenizer<'_>, metadata: &mut MetadataBuf) -> Result<()> {
    if let Some(add) = files.setting("add_prefix_space") {
        let add = add.as_bool().ok_or_else(|| {
            Error::bad(
                files.settings_path(),
                format!("\"add_prefix_space\" is {add}; allowed is true or false"),
            )
        })?;
        metadata.set("tokenizer.ggml.add_space_prefix", add)?;
    }
    let count = if json::is_present(&files.sentencepiece_path()) {
        let tokens = sentencepiece::vocabulary(files, config)?;
        tokens.write("llama", pre.chosen.unwrap_or("default"), true, metadata)?;
        tokens.len()
    } else if sentencepiece::is_json_form(files.tokenizer()?) {
        let tokens = sentencepiece::vocabulary_from_json(files, config)?;
        tokens.write("llama", pre.chosen.unwrap_or("default"), true, metadata)?;
        tokens.len()
    } else {
        let tokens = bpe::vocabulary(files, config)?;
        tokens.write("gpt2", &pre::name(files, &pre)?, false, metadata)?;
        bpe::write_merges(files, metadata)?;
        tokens.len()
    };
    special::write(files, config, count, metadata)?;
    // Two families are known by nothing but the size of their vocabulary: CodeLlama, whose infill tokens
    // end with an end-of-turn, and Granite's code models, which take no begin-of-sequence token.
    match config.optional_size("vocab_size")? {
        Some(32_016) => metadata.set("tokenizer.ggml.eot_token_id", 32_010_u32)?,
        Some(49_152) => metadata.set("tokenizer.ggml.add_bos_token", false)?,
        _ => {}
    }
    Ok(())
}
