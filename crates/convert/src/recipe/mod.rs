//! Which type does each tensor get?
//!
//! A [`Recipe`] is a named mixture of types; [`assign`] applies one to the tensors of a model and says why
//! for every choice. The rules are those of llama.cpp's quantizer, so that a file made here has the types a
//! user of that recipe name expects, tensor by tensor. In order, for one tensor:
//!
//! 1. what must not be quantized keeps its type ([`Untouched`]);
//! 2. an override of the user decides ([`Options::overrides`]);
//! 3. `auto` keeps the type, a float recipe gives its own type;
//! 4. the mixture's table decides, by the tensor's [`Role`] and its place among its peers ([`Condition`]);
//! 5. a row that is no whole number of blocks takes a type with a smaller block ([`Reason::Fallback`]).
//!
//! Left out: how a Hugging Face source chooses its element types before it is quantized, and which types
//! have an encoder.

mod fallback;
mod mixture;
mod model;
mod name;
mod order;
mod reason;
mod role;
mod untouched;

use briq_format::TensorType;
use regex::Regex;

pub use mixture::Condition;
pub use model::ModelFacts;
pub use name::{Recipe, UnknownRecipe};
pub use order::quantizer_order;
pub use reason::Reason;
pub use role::Role;
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

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// The mixture to apply.
    pub recipe: Recipe,
    /// Types for the tensors whose name a pattern matches, anywhere in it; the first match decides.
    pub overrides: Vec<(Regex, TensorType)>,
    /// Whether an importance matrix is given at all; it shifts some rules, entries or not.
    pub importance: bool,
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
///
/// # Errors
///
/// In a model with experts, a feed-forward tensor whose name gives no layer below the block count; and a
/// row that fits neither its type nor any type that could stand in.
pub fn assign(model: &ModelFacts, tensors: &[TensorFacts<'_>], options: &Options) -> Result<Vec<Choice>> {
    let mut mixture = mixture::Mixture::new(model, tensors, options);
    let mut choices: Vec<Option<Choice>> = vec![None; tensors.len()];
    for index in quantizer_order(tensors.iter().map(|tensor| tensor.name)) {
        choices[index] = Some(choose(model, &tensors[index], options, &mut mixture)?);
    }
    Ok(choices.into_iter().flatten().collect())
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
    let named = options.overrides.iter().find(|(pattern, _)| pattern.is_match(tensor.name));
    let (wanted, reason) = match (named, options.recipe.base()) {
        (Some((pattern, ty)), _) => (*ty, Reason::Override { pattern: pattern.to_string(), ty: *ty }),
        (None, None) => (tensor.current, Reason::SourcePrecision),
        (None, Some(base)) if options.recipe.is_float() => (base, Reason::Default),
        (None, Some(base)) => mixture.choose(tensor, base)?,
    };
    let row = tensor.row_length();
    let ty = fallback::fit(tensor.name, wanted, row)?;
    let reason = if ty == wanted { reason } else { Reason::Fallback { row, wanted, ty } };
    Ok(Choice { ty, reason })
}

#[cfg(test)]
mod tests;
