//! `briq bench`: how fast weights become blocks, blocks become weights, and both are multiplied, here and in ggml, and
//! whether both make the same of them.
//!
//! One process, the same data, turn by turn: the rates of two runs on a shared machine say little about each other.
//! Whole files are not measured here.

mod data;
mod figures;
mod line;
mod memory;
mod products;
mod rounds;
mod setup;
mod workbench;

use std::io::Write;

use anyhow::Result;
use briq_codec::{Isa, can_encode};
use briq_convert::Error;
use briq_format::TensorType;
use briq_kernels::{can_dot, instruction_set, matrix_instructions};
use serde::Serialize;
use serde_json::json;

use super::{print_json, stdout};
use crate::args::bench::{Bench, Work};
use crate::exit::Outcome;
use figures::Figures;
use setup::Setup;
use workbench::Workbench;

pub(crate) fn run(args: &Bench) -> Result<Outcome> {
    if let Some(isa) = args.isa {
        isa.force().map_err(|used| Error::usage(format!("--isa {isa}: {used} is used already")))?;
    }
    let Some(work) = args.work else {
        list_isas(args.json)?;
        return Ok(Outcome::Done);
    };
    let types = types(work, args)?;
    let mut setup = Setup::new(work, &types, args)?;
    if !matches!(work, Work::Encode | Work::Decode) {
        products::run(setup, &types, args)?;
        return Ok(Outcome::Done);
    }
    let bench = Workbench::new(&setup, args)?;
    setup.peer = bench.peer_name();
    let figures = types.into_iter().map(|ty| match work {
        Work::Encode => bench.encode(ty, args.imatrix),
        _ => bench.decode(ty),
    });
    let differ = match args.json {
        true => report_json(&setup, figures)?,
        false => report(&setup, figures)?,
    };
    Ok(if differ { Outcome::CheckFailed } else { Outcome::Done })
}

fn list_isas(json: bool) -> Result<()> {
    let (available, used, multiplies) = (Isa::available(), Isa::best().name(), instruction_set());
    let matrices = matrix_instructions();
    if json {
        let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
        let multiplies_batches = matrices.unwrap_or(multiplies);
        return print_json(&json!({
            "available": names, "used": used, "multiplies": multiplies, "multiplies_batches": multiplies_batches
        }));
    }
    let mut out = stdout();
    for name in available.iter().map(|isa| isa.name()) {
        let role = match (name == used, name == multiplies) {
            (true, true) => " (used)",
            (true, false) => " (used, but not to multiply)",
            (false, true) => " (used to multiply)",
            (false, false) => "",
        };
        writeln!(out, "{name}{role}")?;
    }
    if let Some(name) = matrices {
        writeln!(out, "{name} (used to multiply batches of 16 vectors and more, by most quantized types)")?;
    }
    out.flush()?;
    Ok(())
}

/// The types that were asked for, or all that there are.
fn types(work: Work, args: &Bench) -> Result<Vec<TensorType>> {
    let (can, verb): (fn(TensorType) -> bool, _) = match work {
        Work::Encode => (can_encode, "encoded"),
        Work::Decode => (|_| true, "decoded"),
        Work::Dot | Work::Matvec | Work::Matmul => (can_dot, "multiplied"),
    };
    if let Some(ty) = args.types.iter().find(|&&ty| !can(ty)) {
        return Err(
            Error::usage(format!("--type {ty}: cannot be {verb}; `briq types` shows which can")).into()
        );
    }
    Ok(match args.types.is_empty() {
        true => TensorType::ALL.iter().copied().filter(|&ty| can(ty)).collect(),
        false => args.types.clone(),
    })
}

/// Prints a line per type as soon as it is measured; whether bytes differ.
fn report(setup: &Setup, all: impl Iterator<Item = Result<Figures>>) -> Result<bool> {
    let has_peer = setup.peer.is_some();
    let mut out = stdout();
    writeln!(out, "{}", setup.heading())?;
    Figures::print_heading(&mut out, has_peer)?;
    out.flush()?;
    let mut differ = false;
    for figures in all {
        let figures = figures?;
        figures.print(&mut out, has_peer)?;
        out.flush()?;
        differ |= figures.differ();
    }
    Ok(differ)
}

/// Prints everything at the end; whether bytes differ.
fn report_json(setup: &Setup, all: impl Iterator<Item = Result<Figures>>) -> Result<bool> {
    #[derive(Serialize)]
    struct Report<'a> {
        #[serde(flatten)]
        setup: &'a Setup,
        types: &'a [Figures],
    }
    let all = all.collect::<Result<Vec<_>>>()?;
    print_json(&Report { setup, types: &all })?;
    Ok(all.iter().any(Figures::differ))
}
