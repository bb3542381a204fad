//! Which source tensor becomes which tensor of the file: all of them are accounted for.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use briq_format::metadata::keys;
use briq_format::{MIN_WRITTEN_ALIGNMENT, MetadataBuf, Shape};

use crate::json::Quoted;
use crate::model::{
    Assembled, Family, Given, MadeOf, MetadataRequest, Model, Parameters, Redundant, families,
};
use crate::source::{Source, SourceKind};
use crate::weights::{Origin, Part};
use crate::{Error, Result};

/// The tensors of the file to be, in the order of the source, and what is left out.
#[derive(Debug)]
pub(crate) struct Mapping {
    pub(crate) written: Vec<Written>,
    /// Tensors and settings of the source that the file will not hold, and why.
    pub(crate) dropped: Vec<(String, &'static str)>,
    /// Settings of the config that the file cannot say, and what comes of it.
    pub(crate) unsaid: Vec<(String, &'static str)>,
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
    pub(crate) fn of(source: &Source, arch: Option<&str>, arch_as: Option<&str>) -> Result<Self> {
        match (&source.kind, arch, arch_as) {
            (SourceKind::Directory, arch, family) => {
                check_name("--arch", arch)?;
                check_name("--arch-as", family)?;
                Self::of_checkpoint(source, Model::open(&source.path, family.or(arch))?)
            }
            (_, _, Some(_)) => {
                Err(Error::usage("--arch-as is for model directories, whose tensors are those of a family"))
            }
            (SourceKind::Safetensors, Some(arch), None) => {
                check_arch(arch)?;
                Ok(Self::unchanged(source, Naming::Unchanged { arch: arch.to_owned() }))
            }
            (SourceKind::Safetensors, None, None) => Err(Error::usage(format!(
                "{}: a single safetensors file does not say what architecture it is; name it with --arch NAME",
                source.path.display()
            ))),
            (SourceKind::Gguf(_), None, None) => Ok(Self::unchanged(source, Naming::Gguf)),
            (SourceKind::Gguf(_), Some(_), None) => {
                Err(Error::usage("a GGUF file names its architecture; --arch cannot change it"))
            }
        }
    }

    fn unchanged(source: &Source, naming: Naming) -> Self {
        let written = source.tensors.iter().enumerate().map(|(index, tensor)| Written {
            name: tensor.name.clone(),
            shape: tensor.shape,
            origin: Origin::Source(index),
        });
        Self { written: written.collect(), dropped: Vec::new(), unsaid: Vec::new(), naming }
    }

    fn of_checkpoint(source: &Source, model: Model) -> Result<Self> {
        let redundant = redundant(source, model.family.redundant)?;
        let left_out: HashSet<usize> = redundant.iter().map(|(index, _)| *index).collect();
        let shapes: Vec<Vec<u64>> =
            source.tensors.iter().map(|tensor| tensor.shape.dims().iter().rev().copied().collect()).collect();
        // The tensors that are left, and which of the source they are.
        let (kept, tensors): (Vec<usize>, Vec<Given<'_>>) = source
            .tensors
            .iter()
            .zip(&shapes)
            .enumerate()
            .filter(|(index, _)| !left_out.contains(index))
            .map(|(index, (tensor, shape))| {
                (index, Given { name: &tensor.name, shape, file: source.path_of(tensor) })
            })
            .unzip();
        let assembly = model.assemble(&tensors)?;
        let unsaid = model.unsaid(&assembly)?;
        let written =
            assembly.written.into_iter().map(|tensor| written(tensor, &kept)).collect::<Result<_>>()?;
        let mut dropped = redundant;
        dropped.extend(assembly.dropped.into_iter().map(|(index, reason)| (kept[index], reason)));
        dropped.sort_unstable();
        dropped.dedup();
        let dropped =
            dropped.into_iter().map(|(index, reason)| (source.tensors[index].name.clone(), reason)).collect();
        Ok(Self { written, dropped, unsaid, naming: Naming::Family(model) })
    }

    /// The keys of the file. The number of the recipe is left for the caller to set.
    ///
    /// # Errors
    /// When a file beside the tensors is bad, or there is a pre-tokenizer and no tokenizer that it could be of.
    pub(crate) fn metadata(&self, source: &Source, pre: Option<&str>) -> Result<MetadataBuf> {
        match (&self.naming, pre) {
            (Naming::Gguf, Some(_)) => {
                Err(Error::usage("a GGUF file names its pre-tokenizer; --pre cannot change it"))
            }
            (Naming::Unchanged { .. }, Some(_)) => Err(Error::usage(
                "--pre is for model directories, and a single safetensors file has no tokenizer",
            )),
            _ => self.keys(source, pre),
        }
    }

    fn keys(&self, source: &Source, pre: Option<&str>) -> Result<MetadataBuf> {
        match &self.naming {
            Naming::Family(model) => {
                let directory_name = directory_name(&source.path)?;
                model.metadata(&MetadataRequest {
                    directory_name: &directory_name,
                    file_type: 0,
                    parameters: Parameters::count(
                        self.written.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.dims())),
                    ),
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

/// Refuses a name that no family goes by, whatever its config says; `option` is where the user gave it.
fn check_name(option: &str, name: Option<&str>) -> Result<()> {
    let goes_by = |family: &Family, name| {
        family.name == name || family.arch == name || family.architectures.contains(&name)
    };
    match name.filter(|name| !families().iter().any(|family| goes_by(family, name))) {
        Some(unknown) => Err(Error::usage(format!(
            "{option} {}: no family is called so; `briq convert --list-families` lists those that are known",
            Quoted(unknown)
        ))),
        None => Ok(()),
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

/// A tensor of the file, with the source's numbers of its sources. Those of an assembly count what was kept.
fn written(tensor: Assembled, kept: &[usize]) -> Result<Written> {
    let dims: Vec<u64> = tensor.shape.iter().rev().copied().collect();
    let origin = match tensor.made_of {
        MadeOf::Source(index) => Origin::Source(kept[index]),
        MadeOf::Slices(slices) => {
            Origin::Parts(Part::list(slices.into_iter().map(|(index, slice)| (kept[index], slice))))
        }
        MadeOf::Mxfp4 { blocks, scales, first, step } => {
            Origin::Mxfp4 { blocks: kept[blocks], scales: kept[scales], first, step }
        }
        MadeOf::Values(values) => Origin::Values(Arc::from(values)),
    };
    Ok(Written { name: tensor.name, shape: Shape::new(&dims)?, origin })
}

/// The tensors that are left out for what is in them.
fn redundant(source: &Source, rules: &[Redundant]) -> Result<Vec<(usize, &'static str)>> {
    let mut left_out = Vec::new();
    let find = |name: &str| source.tensors.iter().position(|tensor| tensor.name == name);
    for rule in rules {
        match *rule {
            Redundant::Zeros { ending } => {
                for (index, tensor) in source.tensors.iter().enumerate() {
                    if !tensor.name.ends_with(ending) {
                        continue;
                    }
                    if !source.all_bytes(tensor, |byte| byte == 0)? {
                        let problem = format!(
                            "tensor \"{}\" must be zero throughout, since the architecture has none such",
                            tensor.name
                        );
                        return Err(Error::bad(source.path_of(tensor), problem));
                    }
                    left_out.push((index, "zero throughout, as the architecture has it"));
                }
            }
            Redundant::Twin { name, of } => {
                if let (Some(index), Some(other)) = (find(name), find(of))
                    && source.are_equal(&source.tensors[index], &source.tensors[other])?
                {
                    left_out.push((index, "equal to the embeddings, which serve for both"));
                }
            }
        }
    }
    Ok(left_out)
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

/// The last part of the directory's path, from which a model without a name takes one.
fn directory_name(path: &Path) -> Result<String> {
    let full = path.canonicalize().map_err(|error| Error::io(path, "resolve", error))?;
    Ok(full.file_name().unwrap_or_default().to_string_lossy().into_owned())
}
