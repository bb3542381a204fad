//! What a type's file provides.

use briq_format::block::Block;

use crate::error::Error;

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
    fn encode_row(weights: &[f32], importance: Option<&[f32]>, blocks: &mut [Self]) {
        Self::encode_rows(&Rows { weights, row_elements: weights.len(), importance }, blocks);
    }

    /// Encodes rows of one length. Types that encode several blocks at once take them from several rows.
    fn encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) {
        let row_blocks = (rows.row_elements / Self::ELEMENTS).max(1);
        let each_row =
            rows.weights.chunks_exact(rows.row_elements.max(1)).zip(blocks.chunks_exact_mut(row_blocks));
        each_row.for_each(|(weights, blocks)| Self::encode_row(weights, rows.importance, blocks));
    }
}

/// Weights to blocks, where that can fail. All that implement [`Encode`] implement it too, and never fail.
pub trait TryEncode: Block {
    /// Whether there is no encoding without importance.
    const NEEDS_IMPORTANCE: bool = false;

    /// As [`Encode::encode_rows`].
    ///
    /// # Errors
    /// When importance is needed and missing, or weights, or weights times importance, are too large for the search.
    /// Blocks are then partly written.
    fn try_encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error>;
}

impl<B: Encode> TryEncode for B {
    fn try_encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
        Self::encode_rows(rows, blocks);
        Ok(())
    }
}

/// Whole rows of weights on their way to blocks.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The rows, one after the other.
    pub weights: &'a [f32],
    /// Weights in a row, a whole number of blocks.
    pub row_elements: usize,
    /// A value per weight of a row, the same for every row.
    pub importance: Option<&'a [f32]>,
}

/// The integers of a block: a weight is a quant times its scale, less a minimum where the type has one.
pub trait Quants<const N: usize>: Block {
    /// The quants in the order of the elements, with the type's zero point taken off.
    fn quants(&self) -> [i8; N];
}
