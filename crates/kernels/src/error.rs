//! What a caller can get wrong.

use briq_format::TensorType;

/// Why there is no dot product.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No kernel multiplies rows of this type.
    #[error("there is no dot product for {ty}; there is one for {list}", list = supported())]
    Unsupported {
        /// The type of the weights.
        ty: TensorType,
    },
    /// Activations cannot be encoded to this type.
    #[error("activations cannot be encoded to {ty}; they can be to F32, F16, BF16, Q8_0, Q8_1 and Q8_K")]
    NoActivations {
        /// The type asked for.
        ty: TensorType,
    },
    /// The activations have another type than the weights are multiplied with.
    #[error("{ty} is multiplied with activations of {needed}, but these are {given}")]
    Partner {
        /// The type of the weights.
        ty: TensorType,
        /// Its partner.
        needed: TensorType,
        /// The type of the activations.
        given: TensorType,
    },
    /// The two sides have different lengths.
    #[error("the row has {weights} weights, but there are {activations} activations")]
    Length {
        /// Elements of the row.
        weights: usize,
        /// Elements of the activations.
        activations: usize,
    },
    /// Bytes that are not whole rows, or rows that are empty or not whole blocks.
    #[error(
        "{bytes} bytes are no whole number of rows of {row_elements} weights of {ty}, whose rows have a multiple of {block}",
        block = ty.block_elements()
    )]
    Matrix {
        /// The type of the weights.
        ty: TensorType,
        /// All that there are.
        bytes: usize,
        /// Weights of a row.
        row_elements: usize,
    },
    /// A result that has not a place for each product.
    #[error("the result has {given} places, but there are {needed} products")]
    Output {
        /// Places.
        given: usize,
        /// Products.
        needed: usize,
    },
    /// A row or activations that are not whole blocks, or a row that cannot be decoded.
    #[error(transparent)]
    Codec(#[from] briq_codec::Error),
}

fn supported() -> String {
    let types = TensorType::ALL.iter().filter(|&&ty| crate::can_dot(ty));
    types.map(|ty| ty.name()).collect::<Vec<_>>().join(", ")
}
