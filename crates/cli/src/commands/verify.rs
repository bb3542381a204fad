//! `briq verify`: structure, scales, the record that the file carries, and with a source every weight.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use briq_convert::Error;
use briq_convert::integrity::{self, Findings, State};
use briq_convert::source::Source;
use briq_convert::verify::{Report, TensorReport, verify, verify_against};
use briq_format::shard::{Part, open_parts};
use briq_format::{Escaped, Limits, counted};

use super::holes::{Unwritten, unwritten};
use super::{print_json, printed, record, stdout, tensor_bytes};
use crate::args::Verify;
use crate::exit::Outcome;
use crate::interrupt;
use crate::progress::Bar;
use crate::threads;
use crate::words;

pub(crate) fn run(args: &Verify) -> anyhow::Result<Outcome> {
    let model = open_parts(&args.file, &Limits::default())?;
    let stop = interrupt::flag()?;
    let bar = Bar::new(tensor_bytes(&model).saturating_mul(if args.against.is_some() { 3 } else { 2 }));
    let found = threads::share(|| find(args, &model, &bar, &stop));
    bar.finish();
    let found = found?;
    printed(match args.json {
        true => print_json(&found),
        false => print(&model, &found),
    })?;
    Ok(match record::outcome(&found.record) {
        outcome if found.report.passed => outcome,
        _ => Outcome::CheckFailed,
    })
}

/// Everything that was found out.
#[derive(serde::Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    report: Report,
    /// What the file holds no data for.
    holes: Vec<Unwritten<'a>>,
    /// Whether those are zeros by right: the hashes of all tensors are what they were.
    #[serde(skip)]
    is_proved: bool,
    /// The file against the record that it carries.
    record: Findings,
    /// The file against a list of hashes.
    list: Option<Findings>,
}

fn find<'a>(args: &Verify, model: &'a [Part], bar: &Bar, stop: &AtomicBool) -> Result<Found<'a>, Error> {
    // Hashes first: what they find says where the bytes went wrong, and what follows only that they did.
    let record = integrity::check(&args.file, bar, stop)?;
    let against = |list: &PathBuf| integrity::check_against(&args.file, list, bar, stop);
    let list = args.against.as_ref().map(against).transpose()?;
    let mut report = match &args.source {
        None => verify(model, bar, stop),
        Some(source) => Source::open(source).and_then(|source| {
            let (arch, arch_as) = (args.arch.as_deref(), args.arch_as.as_deref());
            verify_against(model, &source, arch, arch_as, bar, stop)
        }),
    }?;
    report.passed &=
        record.state != State::Damaged && list.as_ref().is_none_or(|list| list.state == State::Holds);
    // A list may speak of some tensors alone; a manifest, or a hash of everything, does not.
    let is_of_all = |list: &Findings| list.state == State::Holds && (list.keys > 0 || list.tensors == 0);
    let is_proved = record.state == State::Holds || list.as_ref().is_some_and(is_of_all);
    let holes = unwritten(model.iter());
    // Holes elsewhere are made on purpose, of zeros; at the end they are what was never written.
    report.passed &= is_proved || !holes.iter().any(|hole| hole.reaches_end);
    Ok(Found { report, holes, is_proved, record, list })
}

fn print(model: &[Part], found: &Found<'_>) -> anyhow::Result<()> {
    let report = &found.report;
    let mut out = stdout();
    if report.tensors.iter().any(|tensor| tensor.round_trip.is_some()) {
        writeln!(
            out,
            "{:8} {:>10} {:>10} {:>10} {:>8} {:>8}  tensor",
            "type", "rel. RMSE", "largest", "cosine", "of bound", "dot"
        )?;
    }
    for tensor in &report.tensors {
        if let Some(figures) = figures(tensor) {
            writeln!(out, "{:8} {figures}  {}", tensor.ty, Escaped(tensor.name.as_bytes()))?;
        }
    }
    for (name, note) in report.tensors.iter().filter_map(|tensor| Some((&tensor.name, tensor.note.as_ref()?)))
    {
        writeln!(out, "note: tensor \"{}\" is {note}", Escaped(name.as_bytes()))?;
    }
    for trailing in model.iter().map(|part| part.head.view().trailing_bytes()).filter(|&bytes| bytes > 0) {
        let bytes =
            counted(trailing, "byte behind the last tensor belongs", "bytes behind the last tensor belong");
        writeln!(out, "note: {bytes} to nothing")?;
    }
    let fails = |hole: &&Unwritten<'_>| hole.reaches_end && !found.is_proved;
    for hole in found.holes.iter().filter(|hole| !fails(hole)) {
        writeln!(out, "note: {hole}")?;
    }
    record::print(&mut out, &found.record)?;
    if let Some(list) = &found.list {
        record::print_against(&mut out, list, &found.record)?;
    }
    let holes_fail = found.holes.iter().any(|hole| fails(&hole));
    for hole in found.holes.iter().filter(fails) {
        writeln!(out, "FAILED: {hole}")?;
    }
    let problems = report.tensors.iter().filter_map(|tensor| Some((&tensor.name, tensor.problem.as_ref()?)));
    let mut failed = 0;
    for (name, problem) in problems {
        failed += 1;
        writeln!(out, "FAILED: tensor \"{}\" {problem}", Escaped(name.as_bytes()))?;
    }
    // Shapes of unknown types are not held against the file, so their sum may be any number.
    let weights = report.tensors.iter().fold(0, |sum: u64, tensor| sum.saturating_add(tensor.weights));
    let weights = words::count(weights);
    let tensors = counted(report.tensors.len(), "tensor", "tensors");
    match failed {
        0 if holes_fail => writeln!(out, "failed: the file was never finished")?,
        0 if !report.passed => writeln!(out, "failed: the file is not what it was")?,
        0 => writeln!(out, "ok: {tensors}, {weights} weights")?,
        _ => writeln!(out, "{failed} of {tensors} failed")?,
    }
    out.flush()?;
    Ok(())
}

fn figures(tensor: &TensorReport) -> Option<String> {
    let trip = tensor.round_trip?;
    let part = |of_bound: Option<f64>| of_bound.map_or_else(|| "-".to_owned(), |part| format!("{part:.4}"));
    let (worst_block, dot) = (part(trip.worst_block), part(tensor.dot.map(|dot| dot.worst)));
    Some(format!(
        "{:>10.3e} {:>10.3e} {:>10.7} {worst_block:>8} {dot:>8}",
        trip.relative_rmse, trip.largest_error, trip.cosine
    ))
}
