//! Which source tensor becomes which tensor of the file: all of them are accounted for.

use std::collections::HashMap;
use std::path::Path;

use briq_format::metadata::keys;
use briq_format::{MIN_WRITTEN_ALIGNMENT, MetadataBuf, Shape};

use crate::model::{Mapped, MetadataRequest, Model, Parameters, Transform};
use crate::source::{Source, SourceKind, SourceTensor};
use crate::weights::Origin;
use crate::{Error, Result};

/// The tensors of the file to be, in the order of the source, and what is left out.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) written: Vec<Written>,
    pub(crate) dropped: Vec<(String, &'static str)>,
    naming: Naming,
}

/// A tensor of the file to be.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) origin: Origin,
}

/// What gives the tensors their names and the file its keys.
#[derive(Debug)]
enum Naming {
    /// A family maps the names of a checkpoint.
    Family(Model),
    /// Names stay; the architecture is what the user says.
    Unchanged { arch: String },
    /// Names and keys stay.
    Gguf,
}

impl Mapping {
    /// Maps all tensors of `source`.
    ///
    /// # Errors
    /// When the architecture is unknown or missing, a tensor ends up nowhere, two end up under one name, one
    /// contradicts the configuration, or one that the family requires is missing.
    pub(crate) fn of(source: &Source, arch: Option<&str>) -> Result<Self> {
        match (&source.kind, arch) {
            (SourceKind::Directory, arch) => Self::of_checkpoint(source, Model::open(&source.path, arch)?),
            (SourceKind::Safetensors, Some(arch)) => {
                check_arch(arch)?;
                Ok(Self::unchanged(source, Naming::Unchanged { arch: arch.to_owned() }))
            }
            (SourceKind::Safetensors, None) => Err(Error::usage(format!(
                "{}: a single safetensors file does not say what architecture it is; name it with --arch NAME",
                source.path.display()
            ))),
            (SourceKind::Gguf(_), None) => Ok(Self::unchanged(source, Naming::Gguf)),
            (SourceKind::Gguf(_), Some(_)) => {
                Err(Error::usage("a GGUF file names its architecture; --arch cannot change it"))
            }
        }
    }

    fn unchanged(source: &Source, naming: Naming) -> Self {
        let written = source.tensors.iter().enumerate().map(|(index, tensor)| Written {
            name: tensor.name.clone(),
            shape: tensor.shape,
            origin: Origin::Source { index, transform: Transform::None },
        });
        Self { written: written.collect(), dropped: Vec::new(), naming }
    }

    fn of_checkpoint(source: &Source, model: Model) -> Result<Self> {
        let mut written = Vec::with_capacity(source.tensors.len());
        let mut dropped = Vec::new();
        for generated in model.generated_tensors()? {
            let dims: Vec<u64> = generated.shape.iter().rev().copied().collect();
            let shape = Shape::new(&dims)?;
            written.push(Written { name: generated.name, shape, origin: Origin::Values(generated.values) });
        }
        let mut names = HashMap::new();
        for (index, tensor) in source.tensors.iter().enumerate() {
            let bad = |problem: String| {
                Error::bad(source.path_of(tensor), format!("tensor \"{}\" {problem}", tensor.name))
            };
            match model.map_tensor(&tensor.name)? {
                None => {
                    let problem = format!(
                        "has no place in the architecture {}, so it would end up nowhere",
                        model.family.arch
                    );
                    return Err(bad(problem));
                }
                Some(Mapped::Dropped(reason)) => dropped.push((tensor.name.clone(), reason)),
                Some(Mapped::To { name, transform, shape }) => {
                    check_shape(tensor, &shape).map_err(bad)?;
                    if let Some(other) = names.insert(name.clone(), &tensor.name) {
                        return Err(bad(format!("becomes \"{name}\", and so does \"{other}\"")));
                    }
                    written.push(Written {
                        name,
                        shape: tensor.shape,
                        origin: Origin::Source { index, transform },
                    });
                }
            }
        }
        match model.missing_tensor(|name| names.contains_key(name))? {
            Some(name) => Err(Error::bad(
                &source.path,
                format!(
                    "no tensor becomes \"{name}\", which the architecture {} requires",
                    model.family.arch
                ),
            )),
            None => Ok(Self { written, dropped, naming: Naming::Family(model) }),
        }
    }

    /// The keys of the file. The number of the recipe is left for the caller to set.
    pub(crate) fn metadata(&self, source: &Source, pre: Option<&str>) -> Result<MetadataBuf> {
        match &self.naming {
            Naming::Family(model) => {
                let directory_name = directory_name(&source.path)?;
                model.metadata(&MetadataRequest {
                    directory_name: &directory_name,
                    file_type: 0,
                    parameters: parameters(&self.written),
                    pre,
                })
            }
            Naming::Unchanged { arch } => {
                let mut metadata = MetadataBuf::new();
                metadata.set(keys::ARCHITECTURE, arch.as_str())?;
                metadata.set("general.type", "model")?;
                metadata.set(
                    keys::NAME,
                    source.path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                )?;
                metadata.set(keys::FILE_TYPE, 0_u32)?;
                metadata.set(keys::QUANTIZATION_VERSION, 2_u32)?;
                Ok(metadata)
            }
            Naming::Gguf => Ok(gguf_metadata(source)),
        }
    }
}

/// An architecture is part of most keys, so it must be able to be one: letters, digits and `_ - .`, as all are.
fn check_arch(arch: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if arch.is_empty() || arch.len() > 64 || !arch.chars().all(allowed) {
        let problem =
            format!("--arch is {arch:?}, where 1 to 64 letters, digits, \"_\", \"-\" and \".\" are allowed");
        return Err(Error::usage(problem));
    }
    Ok(())
}

/// Counts the weights that are written, those of experts apart: a model's size is given per expert.
fn parameters(written: &[Written]) -> Parameters {
    let mut counts = Parameters { total: 0, shared: 0, expert: 0, expert_count: 0 };
    for tensor in written {
        let elements = tensor.shape.elements();
        counts.total = counts.total.saturating_add(elements);
        match tensor.shape.dims() {
            [.., experts] if tensor.name.contains("_exps.") && tensor.shape.rank() >= 3 && *experts > 0 => {
                counts.expert = counts.expert.saturating_add(elements / experts);
                counts.expert_count = *experts;
            }
            _ => counts.shared = counts.shared.saturating_add(elements),
        }
    }
    counts
}

/// The keys of a GGUF source. An alignment that is read but never written becomes the usual one.
fn gguf_metadata(source: &Source) -> MetadataBuf {
    let SourceKind::Gguf(metadata) = &source.kind else {
        return MetadataBuf::new();
    };
    let mut metadata = metadata.clone();
    let alignment = metadata.get(keys::ALIGNMENT).and_then(|value| value.as_u64());
    if alignment.is_some_and(|alignment| alignment < MIN_WRITTEN_ALIGNMENT) {
        metadata.remove(keys::ALIGNMENT);
    }
    metadata
}

/// `shape` is what the configuration asks for, outermost dimension first.
fn check_shape(tensor: &SourceTensor, shape: &[u64]) -> Result<(), String> {
    if tensor.shape.dims().iter().rev().eq(shape) {
        return Ok(());
    }
    let found: Vec<u64> = tensor.shape.dims().iter().rev().copied().collect();
    Err(format!("has shape {found:?}, but config.json asks for {shape:?}"))
}

/// The last part of the directory's path, from which a model without a name takes one.
fn directory_name(path: &Path) -> Result<String> {
    let full = path.canonicalize().map_err(|error| Error::io(path, "resolve", error))?;
    Ok(full.file_name().unwrap_or_default().to_string_lossy().into_owned())
}
