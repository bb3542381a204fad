//! Which type does each tensor get?
//!
//! A [`Recipe`] is a named mixture of types; [`assign`] applies one to the tensors of a model and says why
//! for every choice. The rules are those of llama.cpp's quantizer, so that a file made here has the types a
//! user of that recipe name expects, tensor by tensor. In order, for one tensor:
//!
//! 1. what must not be quantized, or is to be kept, keeps its type ([`Untouched`], [`Options::keep`]);
//! 2. types named for the token embedding and the output decide, then overrides ([`Options::overrides`]);
//! 3. `auto` keeps the type, a float recipe gives its own type, and so does any that is to be pure;
//! 4. the mixture's table decides, by the tensor's [`Role`] and its place among its peers ([`Condition`]);
//! 5. a row that is no whole number of blocks takes a type with a smaller block ([`Reason::Fallback`]).
//!
//! [`Options::read`] takes what the user asked for from a recipe file. Spec: recipes.md.
//!
//! Left out: how a Hugging Face source chooses its element types before it is quantized, and which types
//! have an encoder.

mod condition;
mod fallback;
mod file;
mod importance;
mod mixture;
mod model;
mod name;
mod order;
mod reason;
mod role;
mod unheeded;
mod untouched;

use briq_format::TensorType;
use regex::Regex;

pub use condition::Condition;
pub use file::{pattern, weight_type};
pub use importance::{Importance, needs_importance};
pub use model::ModelFacts;
pub use name::{Recipe, UnknownRecipe};
pub use order::quantizer_order;
pub use reason::Reason;
pub use role::Role;
pub use unheeded::Unheeded;
pub use untouched::Untouched;

use crate::Result;

/// What the rules need to know of one tensor.
#[derive(Clone, Copy, Debug)]
pub struct TensorFacts<'a> {
    /// The name in the GGUF file.
    pub name: &'a str,
    /// Elements per dimension, the row length first.
    pub shape: &'a [u64],
    /// The type the tensor has now.
    pub current: TensorType,
}

impl TensorFacts<'_> {
    fn row_length(&self) -> u64 {
        self.shape.first().copied().unwrap_or(1)
    }
}

/// What the user asked for: a mixture, and where to depart from it.
#[derive(Clone, Debug)]
pub struct Options {
    /// The mixture to apply.
    pub recipe: Recipe,
    /// Types for the tensors whose name a pattern matches, anywhere in it; the first match decides.
    pub overrides: Vec<(Regex, TensorType)>,
    /// Tensors that keep the type of their source, whatever else names them: their name matches a pattern.
    pub keep: Vec<Regex>,
    /// The type of `output.weight`, and of the token embedding where that serves as output.
    pub output: Option<TensorType>,
    /// The type of the token embedding.
    pub token_embedding: Option<TensorType>,
    /// Leave the mixture's table out: what nothing names gets the recipe's own type.
    pub pure: bool,
    /// Where a row does not fit its type, use another; otherwise that is an error.
    pub fallback: bool,
}

impl Options {
    /// A mixture and no departure from it.
    pub fn new(recipe: Recipe) -> Self {
        Self {
            recipe,
            overrides: Vec::new(),
            keep: Vec::new(),
            output: None,
            token_embedding: None,
            pure: false,
            fallback: true,
        }
    }

    /// The patterns that match none of `names`: often a slip of the pen, but no error, because one set of patterns may
    /// serve several models.
    pub fn unmatched<'a>(&self, names: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
        let patterns = self.overrides.iter().map(|(pattern, _)| pattern).chain(&self.keep);
        let idle = patterns.filter(|pattern| !names.clone().any(|name| pattern.is_match(name)));
        idle.map(ToString::to_string).collect()
    }
}

/// The type chosen for one tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The type to write.
    pub ty: TensorType,
    /// Why, in a short sentence when displayed.
    pub reason: Reason,
}

/// Chooses a type for every tensor; the answers stand in the order of `tensors`, which may be any.
///
/// The result does not depend on that order: the rules that count tensors count in [`quantizer_order`].
/// `importance` says whether an importance matrix is given at all; it shifts some rules, entries or not.
///
/// # Errors
///
/// In a model with experts, a feed-forward tensor whose name gives no layer below the block count; a row that
/// fits neither its type nor any type that could stand in; and rows that do not fit where no fallback is
/// allowed.
pub fn assign(
    model: &ModelFacts,
    tensors: &[TensorFacts<'_>],
    options: &Options,
    importance: bool,
) -> Result<Vec<Choice>> {
    let mut mixture = mixture::Mixture::new(model, tensors, options.recipe, importance);
    let mut choices: Vec<Option<Choice>> = vec![None; tensors.len()];
    for index in quantizer_order(tensors.iter().map(|tensor| tensor.name)) {
        choices[index] = Some(choose(model, &tensors[index], options, &mut mixture)?);
    }
    let choices: Vec<Choice> = choices.into_iter().flatten().collect();
    match options.fallback {
        true => Ok(choices),
        false => fallback::refuse(tensors, &choices).map(|()| choices),
    }
}

fn choose(
    model: &ModelFacts,
    tensor: &TensorFacts<'_>,
    options: &Options,
    mixture: &mut mixture::Mixture<'_>,
) -> Result<Choice> {
    if let Some(why) = untouched::untouched(tensor.name, tensor.shape, &model.architecture) {
        return Ok(Choice { ty: tensor.current, reason: Reason::Untouched(why) });
    }
    if let Some(pattern) = options.keep.iter().find(|pattern| pattern.is_match(tensor.name)) {
        return Ok(Choice { ty: tensor.current, reason: Reason::Kept { pattern: pattern.to_string() } });
    }
    let (wanted, reason) = match (named(tensor, options, mixture), options.recipe.base()) {
        (Some(named), _) => named,
        (None, None) => (tensor.current, Reason::SourcePrecision),
        (None, Some(base)) if options.pure || options.recipe.is_float() => (base, Reason::Default),
        (None, Some(base)) => mixture.choose(tensor, base)?,
    };
    let row = tensor.row_length();
    let ty = fallback::fit(tensor.name, wanted, row)?;
    let reason = match ty == wanted {
        true => reason,
        false => Reason::Fallback { row, wanted, ty, cause: Box::new(reason) },
    };
    Ok(Choice { ty, reason })
}

/// The type that the user named for this tensor.
fn named(
    tensor: &TensorFacts<'_>,
    options: &Options,
    mixture: &mixture::Mixture<'_>,
) -> Option<(TensorType, Reason)> {
    let by_pattern = || {
        let (pattern, ty) = options.overrides.iter().find(|(pattern, _)| pattern.is_match(tensor.name))?;
        Some((*ty, Reason::Override { pattern: pattern.to_string(), ty: *ty }))
    };
    let by_role = |ty: Option<TensorType>, role| Some((ty?, Reason::NamedRole { role, ty: ty? }));
    match Role::of(tensor.name) {
        // The one embedding that a pattern can name for itself.
        Role::Embedding if tensor.name == "per_layer_token_embd.weight" && by_pattern().is_some() => {
            by_pattern()
        }
        Role::Output => by_role(options.output, Role::Output).or_else(by_pattern),
        Role::Embedding => by_role(options.token_embedding, Role::Embedding)
            .or_else(by_pattern)
            // As output the embedding is named by the mixture's rules, which a pure recipe leaves out.
            .or_else(|| match mixture.role(tensor) {
                Role::Output if !options.pure => by_role(options.output, Role::Output),
                _ => None,
            }),
        _ => by_pattern(),
    }
}

#[cfg(test)]
mod tests;
