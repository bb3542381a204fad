//! Which tensors an importance matrix speaks of, and what becomes of the others. All of it is decided from
//! names, lengths and values, before any work starts.

use briq_codec::uses_importance;
use briq_format::{Escaped, Shape, TensorType, counted};

use super::Imatrix;
use crate::recipe::{Importance, Recipe, Role, needs_importance};
use crate::{Error, Result};

/// A tensor of the plan: its name, its shape, and the type it is encoded in, where it is encoded at all.
pub(crate) type Demand<'a> = (&'a str, Shape, Option<TensorType>);

/// Says for each tensor where its importance comes from.
///
/// # Errors
/// When a type needs an importance that is not given, an entry has not the length of its tensor or says that nothing
/// in one of its matrices matters, or no entry belongs to any tensor of the model.
pub(crate) fn cover<'a>(
    imatrix: Option<&Imatrix>,
    recipe: Recipe,
    tensors: impl Iterator<Item = Demand<'a>> + Clone,
) -> Result<Vec<Importance>> {
    if let Some(imatrix) = imatrix {
        check_model(imatrix, tensors.clone().map(|(name, ..)| name))?;
    }
    let covered = tensors.clone().map(|(name, shape, ty)| match ty {
        Some(ty) if uses_importance(ty) => find(imatrix, name, shape),
        _ => Ok(Importance::Unused),
    });
    let covered = covered.collect::<Result<Vec<_>>>()?;
    let lacking = tensors.zip(&covered).filter_map(|((name, _, ty), importance)| {
        let ty = ty.filter(|&ty| needs_importance(recipe, name, ty))?;
        (*importance == Importance::Missing).then(|| format!("\"{}\" ({ty})", Escaped(name.as_bytes())))
    });
    let lacking: Vec<String> = lacking.collect();
    match (lacking.is_empty(), imatrix) {
        (true, _) => Ok(covered),
        (false, Some(imatrix)) => {
            let problem = format!("no entry for {}, whose types need one", listed(&lacking));
            Err(Error::bad(imatrix.path(), problem))
        }
        (false, None) => Err(Error::usage(format!(
            "{} cannot be encoded without an importance matrix; give one with --imatrix FILE",
            listed(&lacking)
        ))),
    }
}

/// The entry of a tensor, whose length must be the tensor's columns times its matrices, each of which has a column
/// that matters.
fn find(imatrix: Option<&Imatrix>, name: &str, shape: Shape) -> Result<Importance> {
    let Some((imatrix, index)) = imatrix.and_then(|imatrix| Some((imatrix, imatrix.position(name)?))) else {
        return Ok(Importance::Missing);
    };
    let (columns, matrices) = (shape.row_elements(), matrices(shape));
    let entry = &imatrix.entries()[index];
    let values = entry.values();
    if columns.checked_mul(matrices) == Some(values) {
        // The legacy format does not say which columns are an expert's; the tensor does.
        if entry.counts().len() as u64 != matrices {
            imatrix.check_sums(entry, matrices)?;
        }
        return Ok(Importance::Entry(index));
    }
    // Some matrices have the embedding's rows where its columns should be; nobody can use that, and nobody
    // misses it.
    if Role::of(name) == Role::Embedding {
        return Ok(Importance::Missing);
    }
    let name = Escaped(name.as_bytes());
    let each = if matrices == 1 { String::new() } else { format!(" in each of {matrices} matrices") };
    let [values, columns] = [counted(values, "value", "values"), counted(columns, "column", "columns")];
    let problem = format!("entry \"{name}\" has {values}, but the tensor has {columns}{each}");
    Err(Error::bad(imatrix.path(), problem))
}

/// Matrices in a tensor: one, or one per expert.
pub(crate) fn matrices(shape: Shape) -> u64 {
    shape.dims().get(2).copied().unwrap_or(1)
}

fn check_model<'a>(imatrix: &Imatrix, mut names: impl Iterator<Item = &'a str>) -> Result<()> {
    if names.any(|name| imatrix.position(name).is_some()) {
        return Ok(());
    }
    let first = imatrix.entries().first().map_or("", |entry| entry.name());
    let first = Escaped(first.as_bytes());
    let problem = match imatrix.entries().len() {
        1 => format!("its one entry belongs to no tensor of this model: \"{first}\""),
        entries => format!(
            "of its {entries} entries none belongs to a tensor of this model; the first is \"{first}\""
        ),
    };
    Err(Error::bad(imatrix.path(), problem))
}

/// The first few of a list, and how many more there are.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
