//! Encoding and decoding for a type known at run time: lengths are checked here, once.

use briq_format::block::{self, Block};
use briq_format::{Content, TensorType, for_each_type, for_each_weight_type};
use zerocopy::FromBytes;

use crate::error::{Error, Operation};
use crate::row::{Decode, Rows, TryEncode, whole_blocks};

/// Types with an encoder.
macro_rules! for_each_encoder {
    ($callback:ident) => { for_each_weight_type!($callback F64) };
}

/// Decodes blocks of `ty` into `weights`.
///
/// Any bytes decode, also to infinities and NaN. Wider numbers (F64, I32, I64) are rounded to nearest even.
///
/// # Errors
/// When `bytes` are not whole blocks, or `weights` has not their number of elements.
pub fn decode(ty: TensorType, bytes: &[u8], weights: &mut [f32]) -> Result<(), Error> {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => decode_blocks::<block::$name>(bytes, weights),)*
            }
        };
    }
    for_each_type!(dispatch)
}

/// Encodes `weights`, which are whole rows of `row_elements`, into `blocks` of `ty`.
///
/// `importance` holds a finite value of at least zero per element of a row and serves for every row. Types of floats,
/// `Q8_0`, and those of two or three values or of a fixed set of them make [no use](uses_importance) of it. An
/// importance of all ones is not the same as none.
///
/// Weights that are not finite are encoded as the reference does, which is seldom useful; see
/// [`first_non_finite`](crate::first_non_finite). They are also the one case in which a bit is left to the processor:
/// the sign of a scale that is not a number.
///
/// # Errors
/// When a row is not whole blocks, `weights` not whole rows, `importance` not as long as a row or missing though
/// `ty` [needs it](needs_importance), `blocks` not as long as the result, or `ty` has no encoder. The types [with
/// grids](has_grid) also refuse weights that their search cannot place: some that are not finite, or whose squares
/// overflow.
pub fn encode(
    ty: TensorType,
    weights: &[f32],
    row_elements: usize,
    importance: Option<&[f32]>,
    blocks: &mut [u8],
) -> Result<(), Error> {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => encode_rows::<block::$name>(weights, row_elements, importance, blocks),)*
                _ => Err(Error::Unsupported { operation: Operation::Encode, ty }),
            }
        };
    }
    for_each_encoder!(dispatch)
}

/// Whether [`encode`] knows this type. [`decode`] knows them all.
pub fn can_encode(ty: TensorType) -> bool {
    matches!(ty.content(), Content::Weights | Content::Doubles)
}

/// Whether [`encode`] heeds importance: blocks of this type differ with what it says.
pub fn uses_importance(ty: TensorType) -> bool {
    facts(ty).is_some_and(|encoder| encoder.uses_importance)
}

/// Whether [`encode`] refuses this type without importance.
pub fn needs_importance(ty: TensorType) -> bool {
    facts(ty).is_some_and(|encoder| encoder.needs_importance)
}

/// Whether blocks of this type hold points of a grid: IQ1, IQ2 and IQ3. Their encoders search for the nearest, which
/// takes long, and [`encode`] refuses weights that have none.
pub fn has_grid(ty: TensorType) -> bool {
    facts(ty).is_some_and(|encoder| encoder.has_grid)
}

/// What an encoder says of itself.
struct Facts {
    uses_importance: bool,
    needs_importance: bool,
    has_grid: bool,
}

impl Facts {
    fn of<B: TryEncode>() -> Self {
        Self {
            uses_importance: B::USES_IMPORTANCE,
            needs_importance: B::NEEDS_IMPORTANCE,
            has_grid: B::HAS_GRID,
        }
    }
}

fn facts(ty: TensorType) -> Option<Facts> {
    macro_rules! dispatch {
        ($($name:ident)*) => {
            match ty {
                $(TensorType::$name => Some(Facts::of::<block::$name>()),)*
                _ => None,
            }
        };
    }
    for_each_encoder!(dispatch)
}

fn decode_blocks<B: Decode>(bytes: &[u8], weights: &mut [f32]) -> Result<(), Error> {
    let blocks = view::<B>(bytes)?;
    same_length("weights", weights.len(), blocks.len().saturating_mul(B::ELEMENTS))?;
    B::decode(blocks, weights);
    Ok(())
}

fn encode_rows<B: TryEncode>(
    weights: &[f32],
    row_elements: usize,
    importance: Option<&[f32]>,
    bytes: &mut [u8],
) -> Result<(), Error> {
    whole_blocks::<B>(row_elements)?;
    let rows = Rows::new(weights, row_elements, importance)?;
    let needed = weights.len() / B::ELEMENTS;
    same_length("blocks", bytes.len(), needed.saturating_mul(size_of::<B>()))?;
    if B::NEEDS_IMPORTANCE && importance.is_none() {
        return Err(Error::NeedsImportance { ty: B::TYPE });
    }
    if rows.count() == 0 {
        return Ok(());
    }
    B::try_encode_blocks(&rows, view_mut::<B>(bytes)?)
}

/// The bytes as blocks, in place.
pub(crate) fn view<B: Block>(bytes: &[u8]) -> Result<&[B], Error> {
    <[B]>::ref_from_bytes(bytes).map_err(|_| partial::<B>(bytes.len()))
}

fn view_mut<B: Block>(bytes: &mut [u8]) -> Result<&mut [B], Error> {
    let length = bytes.len();
    <[B]>::mut_from_bytes(bytes).map_err(|_| partial::<B>(length))
}

fn partial<B: Block>(length: usize) -> Error {
    Error::PartialBlock { length, unit: "bytes", ty: B::TYPE, block: size_of::<B>() }
}

fn same_length(what: &'static str, length: usize, needed: usize) -> Result<(), Error> {
    if length == needed { Ok(()) } else { Err(Error::Length { what, length, needed }) }
}
