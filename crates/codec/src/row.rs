//! The three things that a type's file provides.

use briq_format::block::Block;

/// Blocks to weights.
pub trait Decode: Block {
    /// Decodes blocks into `weights`, which holds `ELEMENTS` per block. A longer side is left as it is.
    fn decode(blocks: &[Self], weights: &mut [f32]);
}

/// Weights to blocks.
pub trait Encode: Block {
    /// Encodes one row of `blocks.len() * ELEMENTS` weights. What a longer side has more is left as it is.
    ///
    /// The row matters: with importance some types weigh by its mean square. `importance` holds a finite value
    /// of at least zero per weight of the row; types that make no use of it ignore it.
    fn encode_row(weights: &[f32], importance: Option<&[f32]>, blocks: &mut [Self]);
}

/// The integers of a block: a weight is a quant times its scale, less a minimum where the type has one.
pub trait Quants<const N: usize>: Block {
    /// The quants in the order of the elements, with the type's zero point taken off.
    fn quants(&self) -> [i8; N];
}
