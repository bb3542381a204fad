//! `briq convert`: a checkpoint goes in, a GGUF file comes out.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use briq_convert::imatrix::Imatrix;
use briq_convert::plan::{Plan, PlanOptions, Planned};
use briq_convert::recipe::{Importance, Options, Unheeded};
use briq_convert::run::{RunOptions, run as run_plan, run_through};
use briq_convert::{Error, check_in_place, check_output, default_file_name};
use briq_format::{Escaped, Existing, Printable, TensorInfo, counted};
use serde::Serialize;
use serde_json::json;

use super::{families, print_json, stdout, warn, write_json};
use crate::args::Convert;
use crate::destination::Destination;
use crate::exit::Outcome;
use crate::interrupt;
use crate::json::InTurn;
use crate::patient::Patient;
use crate::progress::Bar;
use crate::words;

pub(crate) fn run(args: &Convert) -> anyhow::Result<Outcome> {
    // Without a source there is nothing but the families to show, as the arguments make sure.
    let Some(source) = &args.source else { return families::run(args.json) };
    let started = Instant::now();
    let named = args.out.as_deref().map(Destination::named);
    let plan = Plan::new(source, &plan_options(args, named.as_ref())?)?;
    let destination = destination(named, args, &plan)?;
    let output = destination.path();
    if !args.in_place {
        let inputs = [&args.imatrix, &args.recipe_file].into_iter().flatten();
        check_output(&plan.source, inputs.map(PathBuf::as_path), output)?;
    }
    if args.dry_run {
        destination.check(existing(args))?;
        match args.json {
            true => print_json(&as_json(&plan, output, None))?,
            false => print_plan(&plan, output)?,
        }
        return Ok(Outcome::Done);
    }
    warn_of_missing_importance(&plan);
    warn_of_requantizing(&plan);
    warn_of_idle_options(&plan);
    warn_of_unsaid_settings(&plan);
    let stop = interrupt::flag()?;
    let stream = destination.open(&stop)?;
    let bar = Bar::new(plan.source.bytes());
    let done = match stream {
        Some(stream) => run_through(&plan, stream, output, &run_options(args), &bar, &stop),
        None => run_plan(&plan, output, &run_options(args), &bar, &stop),
    };
    bar.finish();
    done?;
    let seconds = started.elapsed().as_secs_f64();
    let report: Box<dyn Write> = match destination.takes_standard_output() {
        true => Box::new(BufWriter::new(Patient(io::stderr()))),
        false => Box::new(stdout()),
    };
    match args.json {
        true => write_json(report, &as_json(&plan, output, Some(seconds)))?,
        false => print_closing_line(report, &plan, output, seconds)?,
    }
    Ok(Outcome::Done)
}

/// Where the result goes: the place of the source, the place that is named, or that of the convention.
fn destination(named: Option<Destination>, args: &Convert, plan: &Plan) -> Result<Destination, Error> {
    match named {
        _ if args.in_place => check_in_place(&plan.source).map(Destination::File),
        Some(named) => Ok(named),
        None => Ok(Destination::File(PathBuf::from(default_file_name(&plan.metadata, plan.recipe)))),
    }
}

fn plan_options(args: &Convert, destination: Option<&Destination>) -> anyhow::Result<PlanOptions> {
    // It stands before the tensors and is complete after them, when the front of a stream has left.
    let has_record = !matches!(destination, Some(Destination::Stream(_) | Destination::StandardOutput));
    let imatrix = args.imatrix.as_deref().map(Imatrix::open).transpose()?;
    Ok(PlanOptions {
        types: type_options(args)?,
        imatrix: imatrix.map(Arc::new),
        arch: args.arch.clone(),
        arch_as: args.arch_as.clone(),
        pre: args.pre.clone(),
        record: has_record && !args.no_record,
    })
}

/// The recipe, from a file or by name, and before it what else is said on the command line.
fn type_options(args: &Convert) -> anyhow::Result<Options> {
    let from_file = args.recipe_file.as_deref().map(Options::read).transpose()?;
    let by_name =
        || args.recipe.map(Options::new).ok_or_else(|| Error::usage("--type or --recipe is required"));
    let mut options = from_file.map_or_else(by_name, Ok)?;
    options.overrides.splice(0..0, args.tensor_type.iter().cloned());
    options.keep.extend_from_slice(&args.keep);
    options.output = args.output_tensor_type.or(options.output);
    options.token_embedding = args.token_embedding_type.or(options.token_embedding);
    options.pure |= args.pure;
    options.fallback &= !args.no_fallback;
    Ok(options)
}

fn run_options(args: &Convert) -> RunOptions {
    RunOptions {
        threads: args.threads.map_or(0, usize::from),
        max_memory: args.max_memory,
        existing: existing(args),
        allow_non_finite: args.allow_non_finite,
        // What it replaces is gone afterwards.
        read_back: args.in_place,
    }
}

/// What happens to a file that has the output's name.
fn existing(args: &Convert) -> Existing {
    if args.force || args.in_place { Existing::Replace } else { Existing::Keep }
}

fn print_plan(plan: &Plan, output: &Path) -> anyhow::Result<()> {
    let name_width = plan.tensors.iter().map(|tensor| tensor.spec.name().len()).max().unwrap_or(0).max(6);
    let mut out = stdout();
    writeln!(
        out,
        "{:name_width$}  {:>16}  {:8} {:8} {:>14}  reason",
        "tensor", "shape", "source", "type", "bytes"
    )?;
    for tensor in &plan.tensors {
        let spec = &tensor.spec;
        let (name, shape) = (Escaped(spec.name().as_bytes()).to_string(), spec.shape().to_string());
        let ty = spec.type_id().to_string();
        // A reason may quote a pattern of a recipe file.
        let (source, reason) = (&tensor.stored_as, Printable(&tensor.reason));
        writeln!(out, "{name:name_width$}  {shape:>16}  {source:8} {ty:8} {:>14}  {reason}", spec.bytes())?;
    }
    for (name, reason) in plan.dropped.iter().chain(&plan.unsaid) {
        writeln!(out, "left out: {} ({reason})", Escaped(name.as_bytes()))?;
    }
    for tensor in plan.without_importance() {
        writeln!(
            out,
            "no importance: {} (quantized as if all columns mattered alike)",
            escaped(tensor.spec.name())
        )?;
    }
    if let Some(said) = requantized(plan) {
        writeln!(out, "{said}")?;
    }
    for pattern in &plan.unmatched {
        writeln!(out, "no tensor matches: {}", Printable(pattern))?;
    }
    for said in unheeded(plan) {
        writeln!(out, "{said}")?;
    }
    let tensors = counted(plan.tensors.len(), "tensor", "tensors");
    if plan.record {
        let keys = counted(plan.metadata.len(), "key", "keys");
        writeln!(out, "record: a BLAKE3 digest of each of {keys} and {tensors}")?;
    }
    writeln!(
        out,
        "{}: {tensors}, {} bytes, {:.2} bits per weight{}{}",
        Escaped(output.as_os_str().as_encoded_bytes()),
        plan.file.file_bytes(),
        plan.bits_per_weight(),
        departures(plan),
        missing_importance(plan)
    )?;
    out.flush()?;
    Ok(())
}

fn print_closing_line(mut out: impl Write, plan: &Plan, output: &Path, seconds: f64) -> anyhow::Result<()> {
    writeln!(
        out,
        "{}: {} from {}, {:.2} bits per weight{}{}, {}",
        Escaped(output.as_os_str().as_encoded_bytes()),
        words::bytes(plan.file.file_bytes()),
        words::bytes(plan.source.bytes()),
        plan.bits_per_weight(),
        departures(plan),
        missing_importance(plan),
        words::seconds(seconds)
    )?;
    out.flush()?;
    Ok(())
}

/// What the user should know who asked for one type everywhere.
fn departures(plan: &Plan) -> String {
    let said = |weights: u64, what: &str| match weights {
        0 => String::new(),
        weights => format!(", {} weights {what}", words::count(weights)),
    };
    said(plan.fallback_weights(), "in another type because their rows do not fit")
        + &said(plan.unquantized_weights(), "of matrices not quantized")
}

/// What the user should know who gave an importance matrix.
fn missing_importance(plan: &Plan) -> String {
    match plan.without_importance().count() {
        0 => String::new(),
        tensors => format!(", {} without importance", counted(tensors, "tensor", "tensors")),
    }
}

/// Names the tensors that the importance matrix does not speak of, before the work starts.
fn warn_of_missing_importance(plan: &Plan) {
    let Some(imatrix) = &plan.imatrix else { return };
    let path = escaped(&imatrix.path().to_string_lossy());
    let names = plan.without_importance().map(|tensor| tensor.spec.name());
    // The entry of an embedding may have another length than its rows.
    let is_there = |name: &&str| imatrix.entries().iter().any(|entry| entry.name() == *name);
    let (unfit, absent): (Vec<&str>, Vec<&str>) = names.partition(is_there);
    for (has, names) in [("has no entry for", absent), ("has an entry of another length for", unfit)] {
        let names: Vec<String> = names.into_iter().map(escaped).collect();
        if !names.is_empty() {
            let names = names.join(", ");
            warn(format_args!("{path} {has} {names}: quantized as if all columns mattered alike"));
        }
    }
}

/// Says that some of the source is no longer what the model's makers published, before the work starts.
fn warn_of_requantizing(plan: &Plan) {
    if let Some(said) = requantized(plan) {
        warn(format_args!("{said}"));
    }
}

/// What the user should know whose source was quantized before.
fn requantized(plan: &Plan) -> Option<String> {
    let mut types: Vec<&str> = plan.quantized_before().map(|tensor| tensor.stored_as.as_str()).collect();
    let tensors = match types.len() {
        0 => return None,
        1 => "1 tensor is".to_owned(),
        tensors => format!("{tensors} tensors are"),
    };
    types.sort_unstable();
    types.dedup();
    Some(format!("{tensors} quantized already ({}): what that lost stays lost", types.join(", ")))
}

/// Names the patterns and types that change nothing, before the work starts.
fn warn_of_idle_options(plan: &Plan) {
    for pattern in &plan.unmatched {
        warn(format_args!("no tensor matches the pattern \"{}\"", Printable(pattern)));
    }
    for said in unheeded(plan) {
        warn(format_args!("{said}"));
    }
}

/// What the user should know who named a type that no tensor gets: what the first has that it was named for, and why.
fn unheeded(plan: &Plan) -> impl Iterator<Item = String> {
    plan.unheeded.iter().filter_map(|unheeded| {
        let tensor = plan.tensors.iter().find(|tensor| tensor.spec.name() == unheeded.tensor)?;
        let (name, ty) = (escaped(&unheeded.tensor), tensor.spec.type_id());
        let (named_for, reason) = (Printable(&unheeded.named_for), Printable(&tensor.reason));
        Some(format!(
            "no tensor gets the {} that is named for {named_for}: {name} is {ty} ({reason})",
            unheeded.ty
        ))
    })
}

/// Names the settings that runtimes will not hear of, before the work starts.
fn warn_of_unsaid_settings(plan: &Plan) {
    for (setting, reason) in &plan.unsaid {
        warn(format_args!("{setting} is left out: {reason}"));
    }
}

fn escaped(text: &str) -> String {
    Escaped(text.as_bytes()).to_string()
}

/// The plan as JSON, its keys in the order of the alphabet.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    first: serde_json::Value,
    tensors: InTurn<'a>,
    #[serde(flatten)]
    last: serde_json::Value,
}

fn as_json<'a>(plan: &'a Plan, output: &Path, seconds: Option<f64>) -> Report<'a> {
    let tensor = |(tensor, info): (&Planned, TensorInfo<'_>)| {
        json!({
            "name": info.name,
            "shape": info.shape.dims(),
            "source_name": tensor.origin_name,
            "source_type": tensor.stored_as,
            "type": info.type_id.to_string(),
            "reason": tensor.reason,
            "fallback": tensor.is_fallback,
            "importance": match tensor.importance {
                Importance::Unused => "unused",
                Importance::Entry(_) => "used",
                Importance::Missing => "missing",
            },
            "offset": info.offset_in_file,
            "bytes": info.bytes,
        })
    };
    let named = |left_out: &[(String, &str)]| -> serde_json::Value {
        left_out.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect()
    };
    let first = json!({
        "bits_per_weight": plan.bits_per_weight(),
        "bytes": plan.file.file_bytes(),
        "fallback_weights": plan.fallback_weights(),
        "imatrix": plan.imatrix.as_ref().map(|imatrix| imatrix.path().to_string_lossy().into_owned()),
        "left_out": named(&plan.dropped),
        "output": output.to_string_lossy(),
        "quantized_before": plan.quantized_before().map(|tensor| tensor.spec.name()).collect::<Vec<_>>(),
        "recipe": plan.recipe.name(),
        "record": plan.record,
        "seconds": seconds,
        "source_bytes": plan.source.bytes(),
    });
    let unheeded = |unheeded: &Unheeded| json!({ "named_for": unheeded.named_for, "type": unheeded.ty.name(), "tensor": unheeded.tensor });
    let last = json!({
        "unheeded": plan.unheeded.iter().map(unheeded).collect::<Vec<_>>(),
        "unmatched_patterns": plan.unmatched,
        "unquantized_weights": plan.unquantized_weights(),
        "unsaid": named(&plan.unsaid),
        "written": seconds.is_some(),
    });
    let tensors = InTurn::of(move || plan.tensors.iter().zip(plan.file.infos()).map(tensor));
    Report { first, tensors, last }
}
