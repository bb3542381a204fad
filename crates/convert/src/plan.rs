//! A conversion before it happens: every tensor, its type, the reason for it, its exact place and size.
//!
//! A plan comes from headers alone. Whatever can be wrong with a source, short of its weights, is found here,
//! before anything is written.

mod choice;
mod keys;
mod tensor;

use std::path::Path;
use std::sync::Arc;

use briq_format::metadata::keys::ARCHITECTURE;
use briq_format::{FilePlan, MetadataBuf, TensorSpec, TensorType, Value};

use crate::imatrix::{self, Imatrix};
use crate::integrity::{Record, TensorHash, recorded};
use crate::mapping::Mapping;
use crate::recipe::{self, Importance, ModelFacts, Recipe, Unheeded, quantizer_order};
use crate::source::{Source, SourceKind};
use crate::weights::Origin;
use crate::{Error, Result};

use self::choice::{choose_types, element_of, follows_converter};
use self::keys::{set_file_type, set_imatrix_keys};
use self::tensor::planned;

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct PlanOptions {
    /// The mixture of types, and where to depart from it.
    pub types: recipe::Options,
    /// How much each column of a tensor matters.
    pub imatrix: Option<Arc<Imatrix>>,
    /// The architecture: of a single safetensors file, which says nothing of it; or instead of the one that
    /// a directory's `config.json` names.
    pub arch: Option<String>,
    /// The family of a directory whose `config.json` names a class that is not known.
    pub arch_as: Option<String>,
    /// The pre-tokenizer's name, where it is not to be found from the tokenizer's structure.
    pub pre: Option<String>,
    /// Whether the file carries a record of what was written into it.
    pub record: bool,
}

impl PlanOptions {
    /// A recipe and nothing else.
    pub fn new(recipe: Recipe) -> Self {
        let types = recipe::Options::new(recipe);
        Self { types, imatrix: None, arch: None, arch_as: None, pre: None, record: true }
    }
}

/// A conversion that is ready to run.
#[derive(Debug)]
pub struct Plan {
    /// Where the weights come from.
    pub source: Source,
    /// The recipe that chose the types.
    pub recipe: Recipe,
    /// The importance matrix, where one is given.
    pub imatrix: Option<Arc<Imatrix>>,
    /// The keys of the file, but for the record.
    pub metadata: MetadataBuf,
    /// The tensors in the order of the file.
    pub tensors: Vec<Planned>,
    /// Source tensors that are left out, and why.
    pub dropped: Vec<(String, &'static str)>,
    /// Settings of the source's config that the file cannot say, and weights beside those that an index names, each
    /// with what comes of it.
    pub unsaid: Vec<(String, &'static str)>,
    /// Patterns of the user's that match no tensor.
    pub unmatched: Vec<String>,
    /// Types that the user named and that no tensor gets.
    pub unheeded: Vec<Unheeded>,
    /// Whether the file carries a record of what was written into it.
    pub record: bool,
    /// The exact layout of the file. Where it carries a record, its digests are zeros here.
    pub file: FilePlan,
}

/// A tensor of a plan.
#[derive(Clone, Debug)]
pub struct Planned {
    /// Name, shape, type and size in the file.
    pub spec: TensorSpec,
    /// The type, where briq knows it; a tensor of another type is carried as it is.
    pub ty: Option<TensorType>,
    /// Where the weights come from.
    pub origin: Origin,
    /// The name in the source, for messages.
    pub origin_name: String,
    /// What the source stores it as, in words.
    pub stored_as: String,
    /// Why it gets its type, in a short sentence.
    pub reason: String,
    /// Whether it does not get the type that was asked for, because its rows do not fit.
    pub is_fallback: bool,
    /// Whether it is a matrix of floats that stays one although the recipe quantizes: by its name it is too
    /// sensitive, or no weight.
    pub is_left_out: bool,
    /// Where the importance of its columns comes from.
    pub importance: Importance,
}

impl Plan {
    /// Plans the conversion of what is at `path`.
    ///
    /// # Errors
    /// When the source is bad, of an unknown architecture, has a tensor that ends up nowhere or in a type
    /// that cannot be read, or lacks one that its family requires.
    pub fn new(path: &Path, options: &PlanOptions) -> Result<Self> {
        let source = Source::open(path)?;
        let mapping = Mapping::of(&source, options.arch.as_deref(), options.arch_as.as_deref())?;
        let mut metadata = mapping.metadata(&source, options.pre.as_deref())?;
        let (chosen, unheeded) = choose_types(&source, &mapping, &model_facts(&metadata), options)?;
        let tensors =
            mapping.written.iter().zip(chosen).map(|(written, chosen)| planned(&source, written, chosen));
        let mut tensors = tensors.collect::<Result<Vec<_>>>()?;
        let recipe = options.types.recipe;
        let imatrix = options.imatrix.clone();
        set_importance(&mut tensors, &source, recipe, imatrix.as_deref())?;
        set_file_type(&mut metadata, &source, &tensors, recipe)?;
        if let Some(imatrix) = &imatrix {
            set_imatrix_keys(&mut metadata, imatrix)?;
        }
        if writes_in_quantizer_order(&source, recipe) {
            tensors = in_quantizer_order(tensors);
        }
        let specs: Vec<TensorSpec> = tensors.iter().map(|tensor| tensor.spec.clone()).collect();
        let plain = FilePlan::new(&metadata, specs.clone())
            .map_err(|error| Error::bad(&source.path, error.to_string()))?;
        let record = options.record;
        let file = if record { recorded(&plain, &metadata, specs, Record::placeholder)? } else { plain };
        let unmatched = options.types.unmatched(tensors.iter().map(|tensor| tensor.spec.name()));
        let Mapping { dropped, mut unsaid, .. } = mapping;
        let why = "the index beside it names other files";
        unsaid.extend(source.passed_over().map(|path| (path.display().to_string(), why)));
        Ok(Self {
            source,
            recipe,
            imatrix,
            metadata,
            tensors,
            dropped,
            unsaid,
            unmatched,
            unheeded,
            record,
            file,
        })
    }

    /// The layout with the record of tensors whose bytes have these hashes. It is as long as [`Plan::file`].
    pub(crate) fn with_record(&self, hashes: Vec<TensorHash>) -> Result<FilePlan> {
        let specs = self.tensors.iter().map(|tensor| tensor.spec.clone()).collect();
        recorded(&self.file, &self.metadata, specs, |metadata, tensors| {
            Record::new(metadata, tensors, hashes)
        })
    }

    /// Bits per weight over all tensors.
    pub fn bits_per_weight(&self) -> f64 {
        let weights = self.weights_where(|_| true);
        let bytes: u64 = self.tensors.iter().map(|tensor| tensor.spec.bytes()).sum();
        if weights == 0 { 0.0 } else { bytes as f64 * 8.0 / weights as f64 }
    }

    /// Weights that do not get the type that was asked for, because their rows do not fit it.
    pub fn fallback_weights(&self) -> u64 {
        self.weights_where(|tensor| tensor.is_fallback)
    }

    /// Weights of matrices that stay floats although the recipe quantizes.
    pub fn unquantized_weights(&self) -> u64 {
        self.weights_where(|tensor| tensor.is_left_out)
    }

    fn weights_where(&self, counts: impl Fn(&Planned) -> bool) -> u64 {
        let counted = self.tensors.iter().filter(|tensor| counts(tensor));
        // Those of types that are not known are not held against the file, so that their sum may pass 64 bits.
        counted.fold(0, |weights, tensor| weights.saturating_add(tensor.spec.shape().elements()))
    }

    /// The tensors that come quantized, and get another type: what that lost stays lost.
    pub fn quantized_before(&self) -> impl Iterator<Item = &Planned> {
        self.tensors.iter().filter(|tensor| {
            let before = element_of(&self.source, &tensor.origin).known();
            before.is_some_and(TensorType::is_quantized) && tensor.ty != before
        })
    }

    /// The tensors that are quantized without weights although there is an importance matrix: it has no entry
    /// for them.
    pub fn without_importance(&self) -> impl Iterator<Item = &Planned> {
        let missing = |tensor: &&Planned| tensor.importance == Importance::Missing;
        self.tensors.iter().filter(|_| self.imatrix.is_some()).filter(missing)
    }

    /// The importance of every column of a tensor's matrix, by its number among the experts.
    pub(crate) fn importance(&self, tensor: &Planned, matrix: u64) -> Result<Option<Vec<f32>>> {
        let (Some(imatrix), Importance::Entry(index)) = (&self.imatrix, tensor.importance) else {
            return Ok(None);
        };
        // The entry was found among these, with as many values as the tensor has columns times matrices.
        let columns = tensor.spec.shape().row_elements();
        imatrix.importance(&imatrix.entries()[index], matrix * columns..(matrix + 1) * columns).map(Some)
    }
}

fn model_facts(metadata: &MetadataBuf) -> ModelFacts {
    let number = |key: &str| match metadata.get(key)? {
        Value::Array(array) => array.get(0)?.as_u64(),
        value => value.as_u64(),
    };
    let architecture = metadata.get(ARCHITECTURE).and_then(|value| value.as_str()).unwrap_or_default();
    ModelFacts::from_metadata(architecture, number)
}

/// Finds the importance of the tensors that are encoded; those that are copied need none.
fn set_importance(
    tensors: &mut [Planned],
    source: &Source,
    recipe: Recipe,
    imatrix: Option<&Imatrix>,
) -> Result<()> {
    let demands = tensors.iter().map(|tensor| {
        let stored = element_of(source, &tensor.origin).known();
        (tensor.spec.name(), tensor.spec.shape(), tensor.ty.filter(|ty| stored != Some(*ty)))
    });
    let covered = imatrix::cover(imatrix, recipe, demands)?;
    tensors.iter_mut().zip(covered).for_each(|(tensor, importance)| tensor.importance = importance);
    Ok(())
}

fn writes_in_quantizer_order(source: &Source, recipe: Recipe) -> bool {
    match source.kind {
        SourceKind::Gguf(_) => recipe != Recipe::Auto,
        _ => !follows_converter(recipe),
    }
}

fn in_quantizer_order(tensors: Vec<Planned>) -> Vec<Planned> {
    let order = quantizer_order(tensors.iter().map(|tensor| tensor.spec.name()));
    let mut tensors: Vec<Option<Planned>> = tensors.into_iter().map(Some).collect();
    order.into_iter().filter_map(|index| tensors[index].take()).collect()
}

#[cfg(test)]
mod tests {
    use briq_format::{Shape, TensorWriter, TypeId};

    use super::*;

    #[test]
    fn weights_that_pass_64_bits_are_not_counted_anew() {
        let most = Shape::new(&[i64::MAX as u64]).unwrap();
        let unknown = |name| TensorSpec::opaque(name, most, TypeId(99), 32).unwrap();
        let known = TensorSpec::new("c", Shape::new(&[34]).unwrap(), TensorType::F32).unwrap();
        let mut metadata = MetadataBuf::new();
        metadata.set(ARCHITECTURE, "llama").unwrap();
        let file = FilePlan::new(&metadata, vec![unknown("a"), unknown("b"), known]).unwrap();
        let mut writer = TensorWriter::new(&file, Vec::new()).unwrap();
        for (name, bytes) in [("a", 32), ("b", 32), ("c", 136)] {
            writer.write(name, &vec![0; bytes]).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("it.gguf");
        std::fs::write(&path, writer.finish().unwrap()).unwrap();
        let plan = Plan::new(&path, &PlanOptions::new(Recipe::Auto)).unwrap();
        assert!(plan.bits_per_weight() < 1e-9, "{}", plan.bits_per_weight());
    }
}
