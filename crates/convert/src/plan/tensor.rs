//! A tensor of a plan: what it is called and stored as, and whether it can be read and written.

use briq_format::{TensorSpec, TensorType};

use super::Planned;
use super::choice::Chosen;
use crate::mapping::Written;
use crate::recipe::Importance;
use crate::source::{Element, Source};
use crate::weights::{Origin, Part};
use crate::{Error, Result};

/// Puts together what is known of a tensor and its type.
pub(super) fn planned(source: &Source, written: &Written, chosen: Chosen) -> Result<Planned> {
    let (origin_name, stored_as) = described(source, written);
    if let Some(ty) = chosen.ty {
        check_codec(source, written, ty)?;
    }
    // Names and shapes are the input's: what cannot be written of them is bad input.
    let spec =
        spec(source, written, chosen.ty).map_err(|error| Error::bad(&source.path, error.to_string()))?;
    let Chosen { ty, reason, is_fallback, is_left_out } = chosen;
    let (origin, importance) = (written.origin.clone(), Importance::Unused);
    Ok(Planned { spec, ty, origin, origin_name, stored_as, reason, is_fallback, is_left_out, importance })
}

/// The name in the source, and what it is stored as there, in words.
fn described(source: &Source, written: &Written) -> (String, String) {
    let stored = |index: usize| source.tensors[index].stored_as();
    match &written.origin {
        Origin::Source(index) => (source.tensors[*index].name.clone(), stored(*index)),
        Origin::Parts(parts) => {
            let mut sources: Vec<usize> = parts.iter().map(|part| part.source).collect();
            sources.dedup();
            match &sources[..] {
                [] => (written.name.clone(), "nothing".to_owned()),
                [index] => (source.tensors[*index].name.clone(), stored(*index)),
                [index, others @ ..] => {
                    (format!("{} and {} more", source.tensors[*index].name, others.len()), stored(*index))
                }
            }
        }
        Origin::Mxfp4 { blocks, .. } => (source.tensors[*blocks].name.clone(), "MXFP4".to_owned()),
        Origin::Values(_) => (written.name.clone(), "computed".to_owned()),
    }
}

fn spec(source: &Source, written: &Written, ty: Option<TensorType>) -> briq_format::Result<TensorSpec> {
    match (ty, &written.origin) {
        (Some(ty), _) => TensorSpec::new(&written.name, written.shape, ty),
        (None, Origin::Source(index)) => match source.tensors[*index].element {
            Element::Unknown(id) => {
                TensorSpec::opaque(&written.name, written.shape, id, source.tensors[*index].bytes)
            }
            _ => TensorSpec::new(&written.name, written.shape, TensorType::F32),
        },
        (None, _) => TensorSpec::new(&written.name, written.shape, TensorType::F32),
    }
}

/// Fails when the stored type cannot be read or the wanted one cannot be made.
fn check_codec(source: &Source, written: &Written, wanted: TensorType) -> Result<()> {
    if let Origin::Mxfp4 { blocks, scales, .. } = written.origin {
        [blocks, scales].into_iter().try_for_each(|index| check_bytes(source, index))?;
    }
    let index = match &written.origin {
        Origin::Source(index) => Some(*index),
        Origin::Parts(parts) => {
            let is_number = |part: &&Part| source.tensors[part.source].element.known().is_some();
            parts.iter().find(|part| !is_number(part)).or(parts.first()).map(|part| part.source)
        }
        Origin::Mxfp4 { .. } | Origin::Values(_) => None,
    };
    let Some(tensor) = index.map(|index| &source.tensors[index]) else { return Ok(()) };
    let bad = |problem: String| {
        Err(Error::bad(source.path_of(tensor), format!("tensor \"{}\" {problem}", tensor.name)))
    };
    match tensor.element {
        Element::Known(stored) if stored == wanted => Ok(()),
        Element::Known(_) if !briq_codec::can_encode(wanted) => {
            bad(format!("was to become {wanted}, which briq cannot encode yet"))
        }
        Element::Known(_) => Ok(()),
        other => bad(format!("has dtype {other}; allowed are F64, F32, F16, BF16 and signed integers")),
    }
}

/// Fails unless the tensor holds bytes, as codes and scales of MXFP4 do.
fn check_bytes(source: &Source, index: usize) -> Result<()> {
    let tensor = &source.tensors[index];
    match tensor.element {
        Element::Foreign("U8") => Ok(()),
        other => {
            let problem = format!("tensor \"{}\" of MXFP4 has dtype {other}; allowed is U8", tensor.name);
            Err(Error::bad(source.path_of(tensor), problem))
        }
    }
}
