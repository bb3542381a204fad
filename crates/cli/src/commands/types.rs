//! `briq types`: the table of tensor types and the recipes made of them.

use std::io::Write;

use briq_codec::can_encode;
use briq_convert::recipe::Recipe;
use briq_format::TensorType;
use briq_kernels::can_dot;
use serde_json::json;

use super::{print_json, stdout};
use crate::args::Types;
use crate::exit::Outcome;

pub(crate) fn run(args: &Types) -> anyhow::Result<Outcome> {
    match args.json {
        true => print_json(&as_json())?,
        false => print()?,
    }
    Ok(Outcome::Done)
}

fn print() -> anyhow::Result<()> {
    let mut out = stdout();
    let width = longest(TensorType::ALL.iter().map(|ty| ty.name()));
    writeln!(
        out,
        "{:>3}  {:width$} {:>5} {:>5} {:>7}  {:24} block",
        "id", "type", "elems", "bytes", "bits/w", "briq can"
    )?;
    for &ty in TensorType::ALL {
        let (id, name, elements, bytes) = (ty.id().0, ty.name(), ty.block_elements(), ty.block_bytes());
        let bits = ty.bits_per_weight();
        writeln!(
            out,
            "{id:>3}  {name:width$} {elements:>5} {bytes:>5} {bits:>7.4}  {:24} {}",
            abilities(ty),
            ty.description()
        )?;
    }
    let width = longest(Recipe::ALL.iter().map(|recipe| recipe.name()));
    writeln!(out, "\n{:width$} recipe", "name")?;
    for recipe in Recipe::ALL {
        writeln!(out, "{recipe:width$} {}", recipe.about())?;
    }
    out.flush()?;
    Ok(())
}

fn longest<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(str::len).max().unwrap_or(0)
}

fn abilities(ty: TensorType) -> &'static str {
    match (can_encode(ty), can_dot(ty)) {
        (true, true) => "encode, decode, multiply",
        (true, false) => "encode, decode",
        (false, true) => "decode, multiply",
        (false, false) => "decode",
    }
}

fn as_json() -> serde_json::Value {
    let types = TensorType::ALL.iter().map(|&ty| {
        json!({
            "id": ty.id().0,
            "name": ty.name(),
            "block_elements": ty.block_elements(),
            "block_bytes": ty.block_bytes(),
            "bits_per_weight": ty.bits_per_weight(),
            "encode": can_encode(ty),
            "decode": true,
            "multiply": can_dot(ty),
            "description": ty.description(),
        })
    });
    let recipes =
        Recipe::ALL.iter().map(|recipe| json!({ "name": recipe.name(), "description": recipe.about() }));
    json!({ "types": types.collect::<Vec<_>>(), "recipes": recipes.collect::<Vec<_>>() })
}
