//! Model families: what a checkpoint's class means for the names, keys and values of a GGUF file.
//!
//! A family is a value ([`Family`]), one file under `family/`; this module reads it. It knows config, names
//! and shapes, and never sees a weight: whoever plans a conversion asks [`Model::assemble`] for the
//! tensors and [`Model::metadata`] for the keys. Facts about families follow llama.cpp's converter.

mod arrange;
mod assemble;
mod bounds;
mod card;
mod config;
mod dimension;
mod element;
mod family;
mod general;
mod keys;
mod name;
mod pooling;
mod quantization;
mod rope;
mod sampling;
mod size;
mod tensor;
mod unsaid;
mod view;

use std::path::{Path, PathBuf};

use briq_format::metadata::{MetadataBuf, keys as well_known};

pub use arrange::{Arrange, Tensor};
pub use assemble::{Assembled, Assembly, Given, MadeOf};
pub use config::Config;
pub(crate) use config::number;
pub use dimension::Dimension;
pub use element::{ElementRule, element_rule};
pub use family::families;
pub use keys::{Facts, KeyRow, KeyValue};
pub(crate) use quantization::Scales;
pub use size::{Parameters, size_label};
pub use tensor::{Condition, Need, Stack, TensorRow};
pub use view::{Arranged, Axis, Slice, Value, View};

use crate::json::{Json, Quoted};
use crate::tokenizer::{self, Scheme};
use crate::{Error, Result};

/// A family of checkpoints that convert alike.
#[derive(Debug)]
pub struct Family {
    /// What the family is called, in small letters.
    pub name: &'static str,
    /// The classes a config names.
    pub architectures: &'static [&'static str],
    /// Whether a config of these classes is of this family; the first of several families that agree takes it.
    pub applies: fn(&Config) -> Result<bool>,
    /// The value of `general.architecture`, and the prefix of the keys.
    pub arch: &'static str,
    /// What the class defaults to where the config is silent.
    pub defaults: &'static [(&'static str, Default)],
    /// Sets the defaults that are computed from other values.
    pub fill: fn(&mut Config) -> Result<()>,
    /// The keys under `arch`, in order.
    pub keys: &'static [&'static [KeyRow]],
    /// Keys that are written before all others but the architecture.
    pub early_keys: &'static [KeyRow],
    /// The keys under `arch` that must have a value.
    pub required: &'static [&'static str],
    /// Brings a source tensor's name into the form that `dropped` and `tensors` use.
    pub canonical: fn(&str, &Config) -> String,
    /// Tensors that are left out, and why; a trailing `*` stands for any ending, a leading one for any start.
    pub dropped: &'static [(&'static str, &'static str)],
    /// Tensors that are left out depending on the config, and why.
    pub dropped_if: fn(&str, &Config) -> Result<Option<&'static str>>,
    /// Tensors that are left out for what is in them.
    pub redundant: &'static [Redundant],
    /// The tensors that are written.
    pub tensors: &'static [&'static [TensorRow]],
    /// Tensors that no source has.
    pub generated: fn(&Config) -> Result<Vec<Generated>>,
    /// The only kind of quantized weights that is taken.
    pub quantized_as: Option<&'static str>,
    /// How the tokenizer's files are read.
    pub tokenizer: Scheme,
    /// Pre-tokenizers that come first where a tokenizer's structure has several names.
    pub pre_tokenizers: &'static [&'static str],
    /// The number of tokens is made a multiple of this, or of the config's `pad_vocab_size_multiple`.
    pub token_multiple: u64,
}

/// A value that a class has where the config is silent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Default {
    /// An integer.
    Integer(i64),
    /// A number.
    Number(f64),
    /// A flag.
    Flag(bool),
}

/// A tensor that may be left out for what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redundant {
    /// Every number must be zero; the architecture has no such tensor.
    Zeros {
        /// The end of the tensor's name.
        ending: &'static str,
    },
    /// Left out where it equals another, which then serves for both.
    Twin {
        /// The tensor.
        name: &'static str,
        /// The other one.
        of: &'static str,
    },
}

/// A tensor that is computed from the config and written before all others, as F32.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// Its name in the file.
    pub name: String,
    /// Its shape, outermost dimension first.
    pub shape: Vec<u64>,
    /// Its values.
    pub values: Vec<f32>,
}

/// What every family leaves out.
const DROPPED: &[(&str, &str)] = &[
    ("*.rotary_emb.inv_freq", "runtimes compute the rotary frequencies"),
    ("*.attention.masked_bias", "a buffer of the causal mask"),
    ("*.attention.bias", "a buffer of the causal mask"),
];

/// What the number of tokens is made a multiple of; families that do not pad theirs do not read it.
const TOKEN_MULTIPLE: &str = "pad_vocab_size_multiple";

/// Beginnings and parts of the names of tensors that see or hear, in models that do more than read.
const SENSES: (&[&str], &[&str]) = (
    &[
        "mlp",
        "vit.",
        "vpm.",
        "siglip2.",
        "conformer.",
        "merger.",
        "resampler.",
        "sound_",
        "speech_embeddings.",
    ],
    &[
        "visual.",
        "vision.",
        "audio.",
        "talker.",
        "vision_",
        "audio_",
        "token2wav.",
        "code2wav.",
        "projector.",
        "pre_mm_projector_norm",
        "image_newline",
        "view_seperator",
        "patch_embed",
        "patch_merger.",
        "patch_merge_mlp.",
        "model.connector.",
    ],
);

impl Family {
    /// The rows of all tables, in order.
    pub fn rows(&self) -> impl Iterator<Item = &'static TensorRow> + use<> {
        self.tensors.iter().copied().flatten()
    }

    fn canonical_name(&self, name: &str, config: &Config) -> String {
        let name = name
            .replace("language_model.", "")
            .replace("text_model.", "")
            .replace("e_score_correction_bias", "e_score_correction.bias");
        (self.canonical)(&name, config)
    }
}

/// Whether a family is called `name`.
fn is_known(name: &str) -> bool {
    families().iter().any(|family| family.name == name)
}

/// Finds the family that goes by `name`: its own name, one of its classes, or the first that writes it as
/// `general.architecture`.
///
/// # Errors
///
/// When there is none.
pub fn find(name: &str, config: &Config) -> Result<&'static Family> {
    let all = || families().iter().copied();
    for family in all().filter(|family| family.architectures.contains(&name)) {
        if (family.applies)(config)? {
            return Ok(family);
        }
    }
    let by_name = all().find(|family| family.name == name);
    by_name.or_else(|| all().find(|family| family.arch == name)).ok_or_else(|| {
        Error::unsupported(format!(
            "the architecture {} is not known; --list-families lists those that are. A single .safetensors file \
             converts with its tensor names unchanged under any --arch NAME, and a directory whose tensors are those \
             of a known family converts with --arch-as FAMILY",
            Quoted(name)
        ))
    })
}

/// A model directory whose config is read and whose family is known.
#[derive(Debug)]
pub struct Model {
    /// Where the files are.
    pub directory: PathBuf,
    /// The config, with the family's defaults filled in.
    pub config: Config,
    /// The family.
    pub family: &'static Family,
}

impl Model {
    /// Reads `config.json` in `directory` and finds its family: that called `family` where it is given, and that
    /// of the class the config names where it is not.
    ///
    /// # Errors
    ///
    /// When the config is missing or malformed, names a class that is not known, or says that the weights are
    /// quantized already.
    pub fn open(directory: &Path, family: Option<&str>) -> Result<Self> {
        let mut config = Config::read(directory)?;
        let family = match family {
            Some(name) => find(name, &config)?,
            None => match (find(config.architecture()?, &config), config.kind_of_text_part()) {
                (Err(_), Some(kind)) if is_known(kind) => find(kind, &config)?,
                (found, _) => found.map_err(|error| config.bad(error.to_string()))?,
            },
        };
        quantization::check(&config, family.quantized_as)?;
        dimension::SIZES
            .iter()
            .copied()
            .flatten()
            .filter(|key| config.get(key).is_some_and(|value| value.as_array().is_none()))
            .try_for_each(|key| config.optional_size(key).map(drop))?;
        config.fill_all(family.defaults);
        match family.token_multiple {
            1 => config.set(TOKEN_MULTIPLE, Json::Null),
            multiple => config.fill(TOKEN_MULTIPLE, Json::Integer(multiple.into())),
        }
        (family.fill)(&mut config)?;
        Ok(Self { directory: directory.to_owned(), config, family })
    }

    /// Why the tensor of this canonical name is left out; nothing when it is not.
    fn drops(&self, name: &str) -> Result<Option<&'static str>> {
        let (starts, parts) = SENSES;
        if starts.iter().any(|start| name.starts_with(start)) || parts.iter().any(|part| name.contains(part))
        {
            return Ok(Some("a part that sees or hears; the file is of the part that reads"));
        }
        if let Some(reason) = quantization::dropped(name, &self.config) {
            return Ok(Some(reason));
        }
        let mut patterns = self.family.dropped.iter().chain(DROPPED);
        match patterns.find(|(pattern, _)| matches(pattern, name)) {
            Some((_, reason)) => Ok(Some(reason)),
            None => (self.family.dropped_if)(name, &self.config),
        }
    }

    /// All keys of the file, in the converter's order.
    ///
    /// # Errors
    ///
    /// When a file of the directory is malformed, or the config lacks what a key needs.
    pub fn metadata(&self, request: &MetadataRequest<'_>) -> Result<MetadataBuf> {
        let family = self.family;
        let mut metadata = MetadataBuf::new();
        let facts = Facts { config: &self.config, directory: &self.directory, file_type: request.file_type };
        metadata.set(well_known::ARCHITECTURE, family.arch)?;
        family.early_keys.iter().try_for_each(|row| row.write(family.arch, &facts, &mut metadata))?;
        metadata.set("general.type", "model")?;
        general::write(
            &self.directory,
            request.directory_name,
            &self.config,
            request.parameters,
            &mut metadata,
        )?;
        let mut rows = family.keys.iter().copied().flatten();
        rows.try_for_each(|row| row.write(family.arch, &facts, &mut metadata))?;
        self.check_required(&metadata)?;
        bounds::check(family.arch, &metadata).map_err(|problem| self.config.bad(problem))?;
        metadata.set(well_known::QUANTIZATION_VERSION, 2_u32)?;
        let pre = tokenizer::PreTokenizer { chosen: request.pre, preferred: family.pre_tokenizers };
        let config = self.config.with_padded_vocabulary()?;
        tokenizer::write(&self.directory, &config, family.tokenizer, pre, &mut metadata)?;
        Ok(metadata)
    }

    fn check_required(&self, metadata: &MetadataBuf) -> Result<()> {
        let arch = self.family.arch;
        let absent = |key: &&&str| !metadata.contains(&format!("{arch}.{key}"));
        let missing: Vec<String> =
            self.family.required.iter().filter(absent).map(|key| format!("{arch}.{key}")).collect();
        match missing.is_empty() {
            true => Ok(()),
            false => Err(self.config.bad(format!(
                "nothing says what {} is to be, which the family {} requires",
                missing.join(", "),
                self.family.name
            ))),
        }
    }
}

/// What [`Model::metadata`] needs beyond the directory.
#[derive(Debug, Clone, Copy)]
pub struct MetadataRequest<'a> {
    /// The last part of the directory's path, from which a name is made when no file gives one.
    pub directory_name: &'a str,
    /// The number under `general.file_type`.
    pub file_type: u32,
    /// How many weights are written.
    pub parameters: Parameters,
    /// The pre-tokenizer's name, when it is not to be found from the tokenizer's structure.
    pub pre: Option<&'a str>,
}

/// Whether `name` is `pattern`, whose leading or trailing `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(ending), _) => name.ends_with(ending),
        (None, Some(start)) => name.starts_with(start),
        (None, None) => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(config: &str) -> Result<Model> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("config.json"), config).unwrap();
        Model::open(directory.path(), None)
    }

    #[test]
    fn an_unknown_class_is_named_with_the_ways_out() {
        let message =
            opened("{\"architectures\": [\"DoomForCausalLM\"], \"auto_map\": {}}").unwrap_err().to_string();
        for part in ["\"DoomForCausalLM\"", "--list-families", "--arch", ".safetensors"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn a_missing_config_and_weights_quantized_already_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let message = Model::open(directory.path(), None).unwrap_err().to_string();
        assert_eq!(message, format!("{}: the file does not exist", path.display()));
        let quantized =
            r#"{"architectures": ["LlamaForCausalLM"], "quantization_config": {"quant_method": "gptq"}}"#;
        assert!(opened(quantized).is_err());
    }

    #[test]
    fn no_family_takes_zero_heads_or_layers() {
        for family in families() {
            for key in ["num_attention_heads", "num_hidden_layers", "hidden_size", "vocab_size"] {
                let config =
                    format!("{{\"architectures\": [\"{}\"], \"{key}\": 0}}", family.architectures[0]);
                let message = opened(&config).unwrap_err().to_string();
                assert!(message.contains(key), "{message}");
            }
        }
    }

    #[test]
    fn names_are_their_families_own_and_classes_too_unless_the_config_decides() {
        let decided: fn(&Config) -> Result<bool> = |_| Ok(true);
        let mut names: Vec<&str> = families().iter().map(|family| family.name).collect();
        let plain = families().iter().filter(|family| std::ptr::fn_addr_eq(family.applies, decided));
        names.extend(plain.flat_map(|family| family.architectures));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
