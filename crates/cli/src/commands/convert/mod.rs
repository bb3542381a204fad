//! `briq convert`: a checkpoint goes in, a GGUF file comes out.

mod report;
mod text;

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use briq_convert::imatrix::Imatrix;
use briq_convert::plan::{Plan, PlanOptions};
use briq_convert::recipe::Options;
use briq_convert::run::{RunOptions, run as run_plan, run_through};
use briq_convert::{Error, check_in_place, check_output, default_file_name};
use briq_format::Existing;

use self::report::as_json;
use self::text::{print_closing_line, print_plan, warn_beforehand};
use super::{families, print_json, stdout, write_json};
use crate::args::Convert;
use crate::destination::Destination;
use crate::exit::{self, Outcome};
use crate::interrupt;
use crate::patient::Patient;
use crate::progress::Bar;

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
    warn_beforehand(&plan);
    let stop = interrupt::flag()?;
    let stream = destination.open(&stop)?;
    let bar = Bar::new(plan.source.bytes());
    let done = match stream {
        Some(stream) => {
            run_through(&plan, stream, output, &run_options(args), &bar, &stop).map_err(anyhow::Error::from)
        }
        None => exit::of_a_file(run_plan(&plan, output, &run_options(args), &bar, &stop)),
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
