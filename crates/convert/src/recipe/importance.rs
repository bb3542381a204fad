//! Which types a recipe does not write without an importance matrix.

use briq_format::TensorType;

use super::{Recipe, Role};

/// Where the importance of a tensor's columns comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// The tensor is not encoded, or in a type that makes no use of it.
    Unused,
    /// The entry of the importance matrix with this number.
    Entry(usize),
    /// There is none: the tensor is encoded as if all errors weighed alike.
    Missing,
}

/// Whether a tensor of this type is refused without an importance matrix: so few bits make no sense blindly.
///
/// Token embedding and output projection are excused, because few matrices speak of them; but not from the
/// types whose search has no way to do without.
pub fn needs_importance(recipe: Recipe, name: &str, ty: TensorType) -> bool {
    use TensorType::*;
    let is_excused = matches!(Role::of(name), Role::Embedding | Role::Output);
    match ty {
        IQ1_S | IQ2_XXS | IQ2_XS => true,
        IQ1_M | IQ2_S | IQ3_XXS => !is_excused,
        Q2_K => recipe == Recipe::Q2_K_S && !is_excused,
        _ => false,
    }
}
