//! What the metadata says of a conversion: its recipe and its importance matrix.

use briq_format::MetadataBuf;
use briq_format::metadata::keys;

use super::choice::follows_converter;
use super::{Planned, writes_in_quantizer_order};
use crate::Result;
use crate::imatrix::Imatrix;
use crate::recipe::Recipe;
use crate::source::{Source, SourceKind};
use crate::weights::Origin;

/// Says in the metadata which importance matrix was used, as llama.cpp's quantizer does.
pub(super) fn set_imatrix_keys(metadata: &mut MetadataBuf, imatrix: &Imatrix) -> Result<()> {
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

/// The number of floats with experts in MXFP4.
const MXFP4_FILE_TYPE: u32 = 38;

/// Names the recipe in the metadata: in its place where a checkpoint's family has one for it, and last where
/// the quantizer would put it.
pub(super) fn set_file_type(
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
