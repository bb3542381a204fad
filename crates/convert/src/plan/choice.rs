//! The type of every tensor: what the recipe says, and where a source's own type goes before it.

use briq_format::{Content, TensorType};

use super::PlanOptions;
use crate::Result;
use crate::mapping::{Mapping, Written};
use crate::model::{ElementRule, element_rule};
use crate::recipe::{self, ModelFacts, Reason, Recipe, TensorFacts, Unheeded};
use crate::source::{Element, Source, SourceKind};
use crate::weights::{Origin, parts_element};

/// The type of a tensor and why.
pub(super) struct Chosen {
    pub(super) ty: Option<TensorType>,
    pub(super) reason: String,
    pub(super) is_fallback: bool,
    pub(super) is_left_out: bool,
}

impl Chosen {
    fn new(ty: TensorType, reason: impl ToString) -> Self {
        Self { ty: Some(ty), reason: reason.to_string(), is_fallback: false, is_left_out: false }
    }
}

/// The type of every tensor that is written, and the types that were named in vain.
pub(super) fn choose_types(
    source: &Source,
    mapping: &Mapping,
    model: &ModelFacts,
    options: &PlanOptions,
) -> Result<(Vec<Chosen>, Vec<Unheeded>)> {
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
    let names: Vec<&str> = facts.iter().map(|tensor| tensor.name).collect();
    let unheeded = options.types.unheeded(&names, &choices);
    let chosen = mapping
        .written
        .iter()
        .zip(choices)
        .map(|(written, choice)| {
            let element = element_of(source, &written.origin);
            match element {
                Element::Unknown(id) => {
                    Chosen { ty: None, ..Chosen::new(TensorType::F32, format!("{id} is carried as it is")) }
                }
                Element::Known(_) if choice.reason.is_named() => {
                    from_recipe(recipe, choice.ty, &choice.reason)
                }
                Element::Known(TensorType::MXFP4) if !is_gguf && follows_converter(recipe) => {
                    Chosen::new(TensorType::MXFP4, "stored as MXFP4: its blocks are carried as they are")
                }
                // Of a directory they are weights, which llama.cpp's converter takes for floats.
                Element::Known(ty) if ty.content() == Content::Integers && !is_directory => {
                    Chosen::new(ty, "integers are carried as they are")
                }
                _ if is_gguf => from_recipe(recipe, choice.ty, &choice.reason),
                _ if matches!(choice.reason, Reason::Kept { .. }) => {
                    from_recipe(recipe, float_type(Recipe::Auto, element), &choice.reason)
                }
                _ if !follows_converter(recipe) => from_recipe(recipe, choice.ty, &choice.reason),
                _ => match element_rule(&written.name, written.shape.rank()) {
                    ElementRule::KeepF32(why) => Chosen::new(TensorType::F32, format!("{why}: stays F32")),
                    ElementRule::Follow => from_recipe(recipe, float_type(recipe, element), &choice.reason),
                },
            }
        })
        .collect();
    Ok((chosen, unheeded))
}

fn from_recipe(recipe: Recipe, ty: TensorType, reason: &Reason) -> Chosen {
    Chosen {
        is_fallback: matches!(reason, Reason::Fallback { .. }),
        is_left_out: reason.leaves_a_matrix() && !follows_converter(recipe) && !ty.is_quantized(),
        ..Chosen::new(ty, reason)
    }
}

/// Whether a checkpoint's tensors get the types of llama.cpp's converter: for floats. Blocks come from its
/// quantizer, which a checkpoint reaches as F32.
pub(super) fn follows_converter(recipe: Recipe) -> bool {
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

/// What a tensor's weights are stored as.
pub(super) fn element_of(source: &Source, origin: &Origin) -> Element {
    match origin {
        Origin::Source(index) => source.tensors[*index].element,
        Origin::Parts(parts) => parts_element(source, parts),
        Origin::Mxfp4 { .. } => Element::Known(TensorType::MXFP4),
        Origin::Values(_) => Element::Known(TensorType::F32),
    }
}
