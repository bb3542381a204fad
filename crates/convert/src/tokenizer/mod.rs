//! Tokenizers: from a checkpoint's files to the `tokenizer.*` keys.
//!
//! A GGUF file carries the vocabulary, the merges or scores, the ids of special tokens, and the name of the
//! rule that splits text before merging; it carries no code. So a tokenizer is recognised here and never
//! run: expressions in its files are compared as text, templates are copied byte for byte. The files are
//! untrusted; nothing is sized by a number they state until the entries confirm it.

mod base64;
mod bpe;
mod files;
#[cfg(test)]
mod golden;
mod kind;
mod normalizer;
pub mod pre;
mod proto;
mod rwkv;
mod scheme;
mod sentencepiece;
mod slow;
mod special;
mod structure;
mod template;
mod unigram;
mod vocabulary;
mod wordpiece;

use std::path::Path;

use briq_format::metadata::MetadataBuf;

use crate::json::{self, Json, Quoted};
use crate::model::Config;
use crate::{Error, Result};
use files::Files;
use kind::Kind;
pub use scheme::Scheme;
use unigram::Unigram;
use vocabulary::Vocabulary;

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
    pre::check(pre.chosen)?;
    let mut files = Files::read(directory)?;
    let kind = Kind::of(&mut files)?;
    Tokenizer { files: &files, config, rules: scheme.rules(), pre, metadata }.write(kind)
}

/// One tokenizer on its way into the keys.
struct Tokenizer<'a> {
    files: &'a Files,
    config: &'a Config,
    rules: scheme::Rules,
    pre: PreTokenizer<'a>,
    metadata: &'a mut MetadataBuf,
}

impl Tokenizer<'_> {
    /// Keys stand in the order in which llama.cpp's converter writes them.
    fn write(&mut self, kind: Kind) -> Result<()> {
        if self.rules.is_llama {
            self.write_prefix_setting()?;
        }
        let count = match kind {
            Kind::ByteLevel => self.write_byte_level()?,
            Kind::WordPiece => self.write_wordpiece()?,
            Kind::SentencePiece(model) => self.write_sentencepiece(&model)?,
            Kind::Merges => self.write_merges()?,
            Kind::Unigram => self.write_unigram(Unigram::of_json(self.files, self.config, &self.pre)?)?,
            Kind::UnigramModel(model) => {
                self.write_unigram(Unigram::of_model(&model, self.files, self.config)?)?
            }
            Kind::Rwkv(path) => self.write_rwkv(&path)?,
        };
        if self.rules.ends_by_config {
            self.write_ends(count)?;
        }
        for (name, id) in self.rules.fixed.iter().filter(|(_, id)| (*id as usize) < count) {
            special::write_id(name, *id, self.metadata)?;
        }
        if self.rules.no_space_in_front {
            self.set_space_in_front(false)?;
        }
        if self.rules.space_comes_last {
            self.write_prefix_setting()?;
        }
        match self.config.optional_size("vocab_size")? {
            // Two families are known by nothing but the size of their vocabulary: CodeLlama, whose infill
            // tokens end with an end-of-turn, and Granite's code models, which take no begin-of-sequence token.
            Some(32_016) if self.rules.is_llama => special::write_id("eot", 32_010, self.metadata),
            Some(49_152) if self.rules.is_llama => {
                Ok(self.metadata.set("tokenizer.ggml.add_bos_token", false)?)
            }
            _ => Ok(()),
        }
    }

    fn write_ends(&mut self, count: usize) -> Result<()> {
        let path = self.files.directory.join("generation_config.json");
        let generation = json::read_if_present(&path, json::CONFIG_CAP)?;
        let ends = generation.as_ref().and_then(|generation| generation.get("eos_token_id")?.as_array());
        let of_turn = ends.filter(|ends| ends.len() > 1).and_then(|ends| ends.first());
        for (name, id) in [("eos", self.config.get("eod_token_id")), ("eot", of_turn)] {
            if let Some(id) = id.and_then(Json::as_u32).filter(|&id| (id as usize) < count) {
                special::write_id(name, id, self.metadata)?;
            }
        }
        Ok(())
    }

    fn write_prefix_setting(&mut self) -> Result<()> {
        let Some(add) = self.files.setting("add_prefix_space") else { return Ok(()) };
        let add = add.as_bool().ok_or_else(|| {
            Error::bad(
                self.files.settings_path(),
                format!("\"add_prefix_space\" is {add}; allowed is true or false"),
            )
        })?;
        self.set_space_in_front(add)
    }

    fn write_byte_level(&mut self) -> Result<usize> {
        let tokens = bpe::vocabulary(self.files, self.config)?;
        let name = pre::name(self.files, &self.pre)?;
        self.write_tokens(&tokens, "gpt2", Some(&name), false)?;
        bpe::write_merges(self.files, self.metadata)?;
        let assumed: &[_] = if pre::starts_texts(&name) { &["bos"] } else { &[] };
        self.write_special(tokens.len(), assumed)?;
        if self.rules.counts_token_types {
            self.write_token_types()?;
        }
        Ok(tokens.len())
    }

    fn write_wordpiece(&mut self) -> Result<usize> {
        if self.rules.counts_token_types {
            self.write_token_types()?;
        }
        let tokens = wordpiece::vocabulary(self.files, self.config, &self.pre)?;
        self.write_tokens(&tokens, "bert", Some(self.pre.chosen.unwrap_or(pre::WORDPIECE)), false)?;
        self.write_special(tokens.len(), &[])?;
        Ok(tokens.len())
    }

    fn write_sentencepiece(&mut self, model: &proto::Model) -> Result<usize> {
        let tokens = sentencepiece::vocabulary(model, self.files, self.config, &self.rules)?;
        self.write_tokens(&tokens, "llama", Some(self.pre.chosen.unwrap_or("default")), true)?;
        if self.rules.is_internlm {
            self.set_space_in_front(model.adds_space_in_front())?;
        }
        self.write_special(tokens.len(), &[])?;
        self.complete_space_in_front(model.adds_space_in_front())?;
        Ok(tokens.len())
    }

    fn write_merges(&mut self) -> Result<usize> {
        let (tokens, in_front) = sentencepiece::vocabulary_from_merges(self.files, self.config, &self.pre)?;
        self.write_tokens(&tokens, "llama", Some(self.pre.chosen.unwrap_or("default")), true)?;
        self.write_special(tokens.len(), &[])?;
        self.complete_space_in_front(in_front)?;
        Ok(tokens.len())
    }

    fn write_unigram(&mut self, unigram: Unigram) -> Result<usize> {
        let tokens = unigram.vocabulary;
        self.write_tokens(&tokens, "t5", Some(self.pre.chosen.unwrap_or("default")), true)?;
        self.set_space_in_front(unigram.space_in_front)?;
        if self.rules.counts_token_types {
            self.write_token_types()?;
        }
        self.metadata.set("tokenizer.ggml.remove_extra_whitespaces", unigram.removes_extra_spaces)?;
        if !unigram.character_map.is_empty() {
            self.metadata.set("tokenizer.ggml.precompiled_charsmap", unigram.character_map)?;
        }
        self.write_special(tokens.len(), &["eos"])?;
        Ok(tokens.len())
    }

    fn write_rwkv(&mut self, path: &Path) -> Result<usize> {
        let tokens = rwkv::vocabulary(path, self.config)?;
        self.write_tokens(&tokens, "rwkv", None, false)?;
        // Two line breaks end a turn; token 0 begins and ends a text, whatever the config says.
        self.rules.ids = &[("eot", 261), ("bos", 0), ("eos", 0)];
        self.write_special(tokens.len(), &[])?;
        if self.metadata.get("tokenizer.chat_template").is_none() {
            self.metadata.set("tokenizer.chat_template", "rwkv-world")?;
        }
        Ok(tokens.len())
    }

    fn write_tokens(
        &mut self,
        tokens: &Vocabulary,
        model: &str,
        pre: Option<&str>,
        with_scores: bool,
    ) -> Result<()> {
        if let Some((first, second, text)) = tokens.twins() {
            return Err(Error::bad(
                &self.files.directory,
                format!(
                    "the tokens {first} and {second} are both {}, and runtimes refuse that",
                    Quoted(text)
                ),
            ));
        }
        tokens.write(model, pre, with_scores, self.metadata)
    }

    fn write_special(&mut self, count: usize, assumed: &[&'static str]) -> Result<()> {
        special::write(self.files, self.config, &self.rules, count, assumed, self.metadata)
    }

    fn write_token_types(&mut self) -> Result<()> {
        let token_types = self.config.optional_size("type_vocab_size")?.unwrap_or(1);
        Ok(self.metadata.set("tokenizer.ggml.token_type_count", token_types as u32)?)
    }

    fn set_space_in_front(&mut self, add: bool) -> Result<()> {
        Ok(self.metadata.set("tokenizer.ggml.add_space_prefix", add)?)
    }

    /// Runtimes put a space in front of SentencePiece's texts unless a key says otherwise.
    fn complete_space_in_front(&mut self, add: bool) -> Result<()> {
        match add || self.metadata.get("tokenizer.ggml.add_space_prefix").is_some() {
            true => Ok(()),
            false => self.set_space_in_front(false),
        }
    }
}
