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
    /// Whether blocks depend on importance.
    const USES_IMPORTANCE: bool = false;

    /// Encodes rows of whole blocks into as many blocks. What a longer side has more is left as it is; where rows end
    /// inside a block, so is everything.
    ///
    /// The row matters: with importance some types weigh by its mean square. Types that make no use of importance
    /// ignore it, and types that encode several blocks at once take them from several rows.
    fn encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) {
        if let Ok(blocks) = rows.places(blocks) {
            Self::encode_blocks(rows, blocks);
        }
    }

    /// What a type does for [`Encode::encode_rows`], which hands it whole blocks, and no more of them than the rows
    /// have.
    fn encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]);
}

/// Weights to blocks, where that can fail. All that implement [`Encode`] implement it too, and fail for their lengths
/// alone.
pub trait TryEncode: Block {
    /// Whether blocks depend on importance.
    const USES_IMPORTANCE: bool;

    /// Whether there is no encoding without importance.
    const NEEDS_IMPORTANCE: bool = false;

    /// Whether weights are placed on a grid, for which some are too large. Types without one implement [`Encode`].
    const HAS_GRID: bool = true;

    /// As [`Encode::encode_rows`].
    ///
    /// # Errors
    /// When rows end inside a block, importance is needed and missing, or weights, or weights times importance, are too
    /// large for the search. Blocks are then partly written.
    fn try_encode_rows(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
        Self::try_encode_blocks(rows, rows.places(blocks)?)
    }

    /// As [`Encode::encode_blocks`].
    ///
    /// # Errors
    /// As [`TryEncode::try_encode_rows`], but for the rows' length.
    fn try_encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error>;
}

impl<B: Encode> TryEncode for B {
    const USES_IMPORTANCE: bool = <Self as Encode>::USES_IMPORTANCE;
    const HAS_GRID: bool = false;

    fn try_encode_blocks(rows: &Rows<'_>, blocks: &mut [Self]) -> Result<(), Error> {
        Self::encode_blocks(rows, blocks);
        Ok(())
    }
}

/// Whole rows of weights on their way to blocks.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The rows, one after the other.
    pub(crate) weights: &'a [f32],
    /// Weights in a row.
    pub(crate) row_elements: usize,
    /// A value per weight of a row, the same for every row.
    pub(crate) importance: Option<&'a [f32]>,
}

impl<'a> Rows<'a> {
    /// Rows of `row_elements` weights. `importance` holds a finite value of at least zero per weight of a row.
    ///
    /// # Errors
    /// When `weights` are not whole rows, or `importance` is not as long as a row.
    pub fn new(
        weights: &'a [f32],
        row_elements: usize,
        importance: Option<&'a [f32]>,
    ) -> Result<Self, Error> {
        let rows = weights.len().checked_div(row_elements).unwrap_or(0);
        if weights.len() != rows * row_elements {
            return Err(Error::PartialRow { weights: weights.len(), row_elements });
        }
        match importance.map(<[f32]>::len) {
            Some(length) if length != row_elements => {
                Err(Error::Length { what: "importance", length, needed: row_elements })
            }
            _ => Ok(Self { weights, row_elements, importance }),
        }
    }

    /// One row, all of whose weights matter alike.
    pub fn one(weights: &'a [f32]) -> Self {
        Self { weights, row_elements: weights.len(), importance: None }
    }

    /// Those of `blocks` that the rows fill.
    fn places<'b, B: Block>(&self, blocks: &'b mut [B]) -> Result<&'b mut [B], Error> {
        whole_blocks::<B>(self.row_elements)?;
        let filled = blocks.len().min(self.weights.len() / B::ELEMENTS);
        Ok(&mut blocks[..filled])
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.weights.len().checked_div(self.row_elements).unwrap_or(0)
    }
}

/// Holds the length of a row against the blocks of a type.
pub(crate) fn whole_blocks<B: Block>(row_elements: usize) -> Result<(), Error> {
    if row_elements.is_multiple_of(B::ELEMENTS) {
        return Ok(());
    }
    let (unit, ty, block) = ("elements of a row", B::TYPE, B::ELEMENTS);
    Err(Error::PartialBlock { length: row_elements, unit, ty, block })
}

/// The integers of a block: a weight is a quant times its scale, less a minimum where the type has one.
pub trait Quants<const N: usize>: Block {
    /// The quants in the order of the elements, with the type's zero point taken off.
    fn quants(&self) -> [i8; N];
}
