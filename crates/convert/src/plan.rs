//! A conversion before it happens: every tensor, its type, the reason for it, its exact place and size.
//!
//! A plan comes from headers alone. Whatever can be wrong with a source, short of its weights, is found here,
//! before anything is written.

use std::path::Path;
use std::sync::Arc;

use briq_format::metadata::keys;
use briq_format::{FilePlan, MetadataBuf, TensorSpec, TensorType, Value};

use crate::imatrix::{self, Imatrix};
use crate::integrity::{Record, TensorHash, recorded};
use crate::mapping::{Mapping, Written};
use crate::model::{ElementRule, element_rule};
use crate::recipe::{self, Importance, ModelFacts, Reason, Recipe, TensorFacts, quantizer_order};
use crate::source::{Element, Source, SourceKind};
use crate::weights::{Origin, Part, parts_element};
use crate::{Error, Result};

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
        let chosen = choose_types(&source, &mapping, &model_facts(&metadata), options)?;
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
        Ok(Self { source, recipe, imatrix, metadata, tensors, dropped, unsaid, unmatched, record, file })
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
        let weights: u64 = self.tensors.iter().map(|tensor| tensor.spec.shape().elements()).sum();
        let bytes: u64 = self.tensors.iter().map(|tensor| tensor.spec.bytes()).sum();
        if weights == 0 { 0.0 } else { bytes as f64 * 8.0 / weights as f64 }
    }

    /// Weights that do not get the type that was asked for, because their rows do not fit it.
    pub fn fallback_weights(&self) -> u64 {
        self.tensors
            .iter()
            .filter(|tensor| tensor.is_fallback)
            .map(|tensor| tensor.spec.shape().elements())
            .sum()
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
        let columns = tensor.spec.shape().row_elements();
        imatrix.importance(&imatrix.entries()[index], matrix * columns..(matrix + 1) * columns).map(Some)
    }
}

/// The type of a tensor and why.
struct Chosen {
    ty: Option<TensorType>,
    reason: String,
    is_fallback: bool,
}

impl Chosen {
    fn new(ty: TensorType, reason: impl ToString) -> Self {
        Self { ty: Some(ty), reason: reason.to_string(), is_fallback: false }
    }
}

fn choose_types(
    source: &Source,
    mapping: &Mapping,
    model: &ModelFacts,
    options: &PlanOptions,
) -> Result<Vec<Chosen>> {
    let is_gguf = matches!(source.kind, SourceKind::Gguf(_));
    let is_directory = matches!(source.kind, SourceKind::Directory);
    let facts: Vec<TensorFacts<'_>> = mapping
        .written
        .iter()
        .map(|written| TensorFacts {
            name: &written.name,
            shape: written.shape.dims(),
            current: current_type(source, written, is_gguf),
        })
        .collect();
    let recipe = options.types.recipe;
    let choices = recipe::assign(model, &facts, &options.types, options.imatrix.is_some())?;
    mapping
        .written
        .iter()
        .zip(choices)
        .map(|(written, choice)| {
            let element = element_of(source, &written.origin);
            Ok(match element {
                Element::Unknown(id) => {
                    Chosen { ty: None, reason: format!("{id} is carried as it is"), is_fallback: false }
                }
                Element::Known(_) if choice.reason.is_named() => from_recipe(choice.ty, &choice.reason),
                Element::Known(TensorType::MXFP4) if !is_gguf && follows_converter(recipe) => {
                    Chosen::new(TensorType::MXFP4, "stored as MXFP4: its blocks are carried as they are")
                }
                // Of a directory they are weights, which llama.cpp's converter takes for floats.
                Element::Known(ty) if is_integer(ty) && !is_directory => {
                    Chosen::new(ty, "integers are carried as they are")
                }
                _ if is_gguf => from_recipe(choice.ty, &choice.reason),
                _ if matches!(choice.reason, Reason::Kept { .. }) => {
                    from_recipe(float_type(Recipe::Auto, element), &choice.reason)
                }
                _ if !follows_converter(recipe) => from_recipe(choice.ty, &choice.reason),
                _ => match element_rule(&written.name, written.shape.rank()) {
                    ElementRule::KeepF32(why) => Chosen::new(TensorType::F32, format!("{why}: stays F32")),
                    ElementRule::Follow => from_recipe(float_type(recipe, element), &choice.reason),
                },
            })
        })
        .collect()
}

fn from_recipe(ty: TensorType, reason: &Reason) -> Chosen {
    Chosen { is_fallback: matches!(reason, Reason::Fallback { .. }), ..Chosen::new(ty, reason) }
}

/// Whether a checkpoint's tensors get the types of llama.cpp's converter: for floats. Blocks come from its
/// quantizer, which a checkpoint reaches as F32.
fn follows_converter(recipe: Recipe) -> bool {
    recipe == Recipe::Auto || recipe.is_float()
}

/// The float type of a matrix: the recipe's own, or what the source has and a file can hold.
fn float_type(recipe: Recipe, element: Element) -> TensorType {
    recipe.base().unwrap_or(match element.known() {
        Some(ty @ (TensorType::F16 | TensorType::BF16)) => ty,
        _ => TensorType::F32,
    })
}

fn current_type(source: &Source, written: &Written, is_gguf: bool) -> TensorType {
    match element_of(source, &written.origin) {
        Element::Known(ty) if is_gguf || ty == TensorType::MXFP4 => ty,
        _ => TensorType::F32,
    }
}

fn element_of(source: &Source, origin: &Origin) -> Element {
    match origin {
        Origin::Source(index) => source.tensors[*index].element,
        Origin::Parts(parts) => parts_element(source, parts),
        Origin::Mxfp4 { .. } => Element::Known(TensorType::MXFP4),
        Origin::Values(_) => Element::Known(TensorType::F32),
    }
}

fn is_integer(ty: TensorType) -> bool {
    matches!(ty, TensorType::I8 | TensorType::I16 | TensorType::I32 | TensorType::I64)
}

fn model_facts(metadata: &MetadataBuf) -> ModelFacts {
    let number = |key: &str| match metadata.get(key)? {
        Value::Array(array) => array.get(0)?.as_u64(),
        value => value.as_u64(),
    };
    let architecture = metadata.get(keys::ARCHITECTURE).and_then(|value| value.as_str()).unwrap_or_default();
    ModelFacts::from_metadata(architecture, number)
}

fn planned(source: &Source, written: &Written, chosen: Chosen) -> Result<Planned> {
    let (origin_name, stored_as) = described(source, written);
    if let Some(ty) = chosen.ty {
        check_codec(source, written, ty)?;
    }
    // Names and shapes are the input's: what cannot be written of them is bad input.
    let spec =
        spec(source, written, chosen.ty).map_err(|error| Error::bad(&source.path, error.to_string()))?;
    let Chosen { ty, reason, is_fallback } = chosen;
    let (origin, importance) = (written.origin.clone(), Importance::Unused);
    Ok(Planned { spec, ty, origin, origin_name, stored_as, reason, is_fallback, importance })
}

/// The name in the source, and what it is stored as there, in words.
fn described(source: &Source, written: &Written) -> (String, String) {
    let stored = |index: usize| source.tensors[index].stored_as();
    match &written.origin {
        Origin::Source(index) => (source.tensors[*index].name.clone(), stored(*index)),
        Origin::Parts(parts) => {
            let mut sources: Vec<usize> = parts.iter().map(|part| part.source).collect();
            sources.dedup();
            match &sources[..] {
                [] => (written.name.clone(), "nothing".to_owned()),
                [index] => (source.tensors[*index].name.clone(), stored(*index)),
                [index, others @ ..] => {
                    (format!("{} and {} more", source.tensors[*index].name, others.len()), stored(*index))
                }
            }
        }
        Origin::Mxfp4 { blocks, .. } => (source.tensors[*blocks].name.clone(), "MXFP4".to_owned()),
        Origin::Values(_) => (written.name.clone(), "computed".to_owned()),
    }
}

fn spec(source: &Source, written: &Written, ty: Option<TensorType>) -> briq_format::Result<TensorSpec> {
    match (ty, &written.origin) {
        (Some(ty), _) => TensorSpec::new(&written.name, written.shape, ty),
        (None, Origin::Source(index)) => match source.tensors[*index].element {
            Element::Unknown(id) => {
                TensorSpec::opaque(&written.name, written.shape, id, source.tensors[*index].bytes)
            }
            _ => TensorSpec::new(&written.name, written.shape, TensorType::F32),
        },
        (None, _) => TensorSpec::new(&written.name, written.shape, TensorType::F32),
    }
}

/// Fails when the stored type cannot be read or the wanted one cannot be made.
fn check_codec(source: &Source, written: &Written, wanted: TensorType) -> Result<()> {
    if let Origin::Mxfp4 { blocks, scales, .. } = written.origin {
        [blocks, scales].into_iter().try_for_each(|index| check_bytes(source, index))?;
    }
    let index = match &written.origin {
        Origin::Source(index) => Some(*index),
        Origin::Parts(parts) => {
            let is_number = |part: &&Part| source.tensors[part.source].element.known().is_some();
            parts.iter().find(|part| !is_number(part)).or(parts.first()).map(|part| part.source)
        }
        Origin::Mxfp4 { .. } | Origin::Values(_) => None,
    };
    let Some(tensor) = index.map(|index| &source.tensors[index]) else { return Ok(()) };
    let bad = |problem: String| {
        Err(Error::bad(source.path_of(tensor), format!("tensor \"{}\" {problem}", tensor.name)))
    };
    match tensor.element {
        Element::Known(stored) if stored == wanted => Ok(()),
        Element::Known(_) if !briq_codec::can_encode(wanted) => {
            bad(format!("was to become {wanted}, which briq cannot encode yet"))
        }
        Element::Known(_) => Ok(()),
        other => bad(format!("has dtype {other}; allowed are F64, F32, F16, BF16 and signed integers")),
    }
}

/// Fails unless the tensor holds bytes, as codes and scales of MXFP4 do.
fn check_bytes(source: &Source, index: usize) -> Result<()> {
    let tensor = &source.tensors[index];
    match tensor.element {
        Element::Foreign("U8") => Ok(()),
        other => {
            let problem = format!("tensor \"{}\" of MXFP4 has dtype {other}; allowed is U8", tensor.name);
            Err(Error::bad(source.path_of(tensor), problem))
        }
    }
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

/// Says in the metadata which importance matrix was used, as llama.cpp's quantizer does.
fn set_imatrix_keys(metadata: &mut MetadataBuf, imatrix: &Imatrix) -> Result<()> {
    metadata.set_last("quantize.imatrix.file", imatrix.path().to_string_lossy().into_owned())?;
    if let Some(dataset) = imatrix.datasets().first() {
        metadata.set_last("quantize.imatrix.dataset", dataset.as_str())?;
    }
    // A count that passes 32 bits would be a count of tensors past any file.
    let entries = u32::try_from(imatrix.entries().len()).unwrap_or(u32::MAX);
    metadata.set_last("quantize.imatrix.entries_count", entries)?;
    if let Some(chunks) = imatrix.chunk_count().filter(|&chunks| chunks > 0) {
        metadata.set_last("quantize.imatrix.chunks_count", chunks)?;
    }
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

/// The number of floats with experts in MXFP4.
const MXFP4_FILE_TYPE: u32 = 38;

/// Names the recipe in the metadata: in its place where a checkpoint's family has one for it, and last where
/// the quantizer would put it.
fn set_file_type(
    metadata: &mut MetadataBuf,
    source: &Source,
    tensors: &[Planned],
    recipe: Recipe,
) -> Result<()> {
    let types: Vec<_> = tensors.iter().filter_map(|tensor| Some((tensor.ty?, tensor.spec.shape()))).collect();
    let is_mxfp4 = |tensor: &Planned| matches!(tensor.origin, Origin::Mxfp4 { .. });
    let file_type = match follows_converter(recipe) && tensors.iter().any(is_mxfp4) {
        true => MXFP4_FILE_TYPE,
        false => recipe.file_type(types.iter().map(|(ty, shape)| (*ty, shape.dims()))),
    };
    if writes_in_quantizer_order(source, recipe) {
        metadata.set_last(keys::QUANTIZATION_VERSION, 2_u32)?;
        metadata.set_last(keys::FILE_TYPE, file_type)?;
    } else if metadata.contains(keys::FILE_TYPE) && !matches!(source.kind, SourceKind::Gguf(_)) {
        metadata.set(keys::FILE_TYPE, file_type)?;
    }
    Ok(())
}
