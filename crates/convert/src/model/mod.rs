//! Model families: what a checkpoint's class means for the names, keys and values of a GGUF file.
//!
//! A family is a value ([`Family`]), one file under `family/`; this module reads it. It knows config, names
//! and shapes, and never sees a weight: whoever plans a conversion asks [`Model::map_tensor`] for each source
//! tensor and [`Model::metadata`] once. Facts about families follow llama.cpp's converter.

mod card;
mod config;
mod element;
mod family;
mod general;
mod keys;
mod name;
mod pooling;
mod rope;
mod sampling;
mod size;
mod tensor;
mod transform;

use std::path::{Path, PathBuf};

use briq_format::metadata::{MetadataBuf, keys as well_known};

pub use config::Config;
pub(crate) use config::number;
pub use element::{ElementRule, element_rule};
pub use family::families;
pub use keys::{Facts, KeyRow, KeyValue};
pub use size::{Parameters, size_label};
pub use tensor::{Change, Dimension, Mapped, Need, TensorRow};
pub use transform::Transform;

use crate::json::{Json, Quoted};
use crate::tokenizer::{self, Scheme};
use crate::{Error, Result};

/// A family of checkpoints that convert alike.
#[derive(Debug)]
pub struct Family {
    /// The classes a config names.
    pub architectures: &'static [&'static str],
    /// The value of `general.architecture`, and the prefix of the keys.
    pub arch: &'static str,
    /// Sets what the class defaults to where the config is silent.
    pub fill: fn(&mut Config) -> Result<()>,
    /// Config keys that must be sizes of at least 1, checked before all else.
    pub sizes: &'static [&'static str],
    /// The keys under `arch`, in order.
    pub keys: &'static [&'static [KeyRow]],
    /// Brings a source tensor's name into the form that `dropped` and `tensors` use.
    pub canonical: fn(&str, &Config) -> String,
    /// Tensors that are left out, and why; a trailing `*` stands for any ending, a leading one for any start.
    pub dropped: &'static [(&'static str, &'static str)],
    /// The tensors that are written.
    pub tensors: &'static [TensorRow],
    /// Tensors that no source has.
    pub generated: fn(&Config) -> Result<Vec<Generated>>,
    /// How the tokenizer's files are read.
    pub tokenizer: Scheme,
    /// Pre-tokenizers that come first where a tokenizer's structure has several names.
    pub pre_tokenizers: &'static [&'static str],
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

/// Finds the family of the class `architecture`, or the first that writes it as `general.architecture`.
///
/// # Errors
///
/// When there is none; the message lists the known ones.
pub fn find(architecture: &str) -> Result<&'static Family> {
    let known = || families().iter().flat_map(|family| family.architectures).copied();
    let by_class = families().iter().find(|family| family.architectures.contains(&architecture));
    let by_arch = || families().iter().find(|family| family.arch == architecture);
    by_class.or_else(by_arch).copied().ok_or_else(|| {
        Error::unsupported(format!(
            "the architecture {} is not known; known are {}. A single .safetensors file converts \
             with its tensor names unchanged under any --arch NAME, and a directory whose tensors are those of a \
             known architecture converts with its name there",
            Quoted(architecture),
            known().collect::<Vec<_>>().join(", ")
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
    /// Reads `config.json` in `directory` and finds its family: that of `architecture` where it is given, a
    /// class or a value of `general.architecture`, and that of the class the config names where it is not.
    ///
    /// # Errors
    ///
    /// When the config is missing or malformed, names a class that is not known, or says that the weights are
    /// quantized already.
    pub fn open(directory: &Path, architecture: Option<&str>) -> Result<Self> {
        let mut config = Config::read(directory)?;
        let family = match architecture {
            Some(name) => find(name)?,
            None => find(config.architecture()?).map_err(|error| config.bad(error.to_string()))?,
        };
        if let Some(quantization) = config.get("quantization_config") {
            let method = quantization.get("quant_method").unwrap_or(&Json::Null);
            return Err(Error::unsupported(format!(
                "{}: the weights are quantized already (quant_method {method}); briq converts from float weights",
                directory.display()
            )));
        }
        family.sizes.iter().try_for_each(|key| config.optional_size(key).map(drop))?;
        (family.fill)(&mut config)?;
        family.sizes.iter().try_for_each(|key| config.size(key).map(drop))?;
        Ok(Self { directory: directory.to_owned(), config, family })
    }

    /// What becomes of the source tensor `name`; `None` when the family does not know it.
    ///
    /// # Errors
    ///
    /// When the config lacks or contradicts what the tensor needs.
    pub fn map_tensor(&self, name: &str) -> Result<Option<Mapped>> {
        let name = (self.family.canonical)(name, &self.config);
        if let Some((_, reason)) = self.family.dropped.iter().find(|(pattern, _)| matches(pattern, &name)) {
            return Ok(Some(Mapped::Dropped(reason)));
        }
        TensorRow::map(self.family.tensors, &name, &self.config)
    }

    /// The first tensor the file must have and for which `is_written` says no.
    ///
    /// # Errors
    ///
    /// When the config lacks what a requirement is computed from.
    pub fn missing_tensor(&self, is_written: impl Fn(&str) -> bool) -> Result<Option<String>> {
        TensorRow::missing(self.family.tensors, &self.config, is_written)
    }

    /// Tensors that no source has, to be written first.
    ///
    /// # Errors
    ///
    /// When the config does not say what they are computed from.
    pub fn generated_tensors(&self) -> Result<Vec<Generated>> {
        (self.family.generated)(&self.config)
    }

    /// All keys of the file, in the converter's order.
    ///
    /// # Errors
    ///
    /// When a file of the directory is malformed, or the config lacks what a key needs.
    pub fn metadata(&self, request: &MetadataRequest<'_>) -> Result<MetadataBuf> {
        let mut metadata = MetadataBuf::new();
        metadata.set(well_known::ARCHITECTURE, self.family.arch)?;
        metadata.set("general.type", "model")?;
        general::write(
            &self.directory,
            request.directory_name,
            &self.config,
            request.parameters,
            &mut metadata,
        )?;
        let facts = Facts { config: &self.config, directory: &self.directory, file_type: request.file_type };
        for row in self.family.keys.iter().copied().flatten() {
            row.write(self.family.arch, &facts, &mut metadata)?;
        }
        metadata.set(well_known::QUANTIZATION_VERSION, 2_u32)?;
        let pre = tokenizer::PreTokenizer { chosen: request.pre, preferred: self.family.pre_tokenizers };
        tokenizer::write(&self.directory, &self.config, self.family.tokenizer, pre, &mut metadata)?;
        Ok(metadata)
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
    fn an_unknown_class_is_named_beside_the_known_ones_and_the_way_out() {
        let message =
            opened("{\"architectures\": [\"DoomForCausalLM\"], \"auto_map\": {}}").unwrap_err().to_string();
        for part in ["\"DoomForCausalLM\"", "LlamaForCausalLM", "BertModel", "--arch", ".safetensors"] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn a_missing_config_and_weights_quantized_already_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let message = Model::open(directory.path(), None).unwrap_err().to_string();
        assert!(message.contains("config.json: the file does not exist"), "{message}");
        let quantized = "{\"architectures\": [\"LlamaForCausalLM\"], \"quantization_config\": {\"quant_method\": \"gptq\"}}";
        assert!(opened(quantized).unwrap_err().to_string().contains("\"gptq\""));
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
    fn a_class_belongs_to_one_family() {
        let mut classes: Vec<&str> =
            families().iter().flat_map(|family| family.architectures).copied().collect();
        let count = classes.len();
        classes.sort_unstable();
        classes.dedup();
        assert_eq!(classes.len(), count);
    }
}
