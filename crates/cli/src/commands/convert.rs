//! `briq convert`: a checkpoint goes in, a GGUF file comes out.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use briq_convert::plan::{Plan, PlanOptions};
use briq_convert::run::{RunOptions, run as run_plan};
use briq_convert::{check_output, default_file_name};
use briq_format::{Escaped, Existing};
use serde_json::json;

use super::{print_json, stdout};
use crate::args::Convert;
use crate::exit::Outcome;
use crate::interrupt;
use crate::progress::Bar;
use crate::words;

pub(crate) fn run(args: &Convert) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let plan = Plan::new(&args.source, &plan_options(args))?;
    let output =
        args.out.clone().unwrap_or_else(|| PathBuf::from(default_file_name(&plan.metadata, plan.recipe)));
    if args.dry_run {
        match args.json {
            true => print_json(&as_json(&plan, &output, None))?,
            false => print_plan(&plan, &output)?,
        }
        return Ok(Outcome::Done);
    }
    check_output(&plan.source, &output)?;
    let stop = interrupt::flag()?;
    let bar = Bar::new(plan.source.bytes());
    let done = run_plan(&plan, &output, &run_options(args), &bar, &stop);
    bar.finish();
    done?;
    let seconds = started.elapsed().as_secs_f64();
    match args.json {
        true => print_json(&as_json(&plan, &output, Some(seconds)))?,
        false => print_closing_line(&plan, &output, seconds)?,
    }
    Ok(Outcome::Done)
}

fn plan_options(args: &Convert) -> PlanOptions {
    PlanOptions {
        overrides: args.tensor_type.clone(),
        arch: args.arch.clone(),
        pre: args.pre.clone(),
        ..PlanOptions::new(args.recipe)
    }
}

fn run_options(args: &Convert) -> RunOptions {
    RunOptions {
        threads: args.threads.map_or(0, usize::from),
        max_memory: args.max_memory,
        existing: if args.force { Existing::Replace } else { Existing::Keep },
        allow_non_finite: args.allow_non_finite,
    }
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
        let (source, reason) = (&tensor.stored_as, &tensor.reason);
        writeln!(out, "{name:name_width$}  {shape:>16}  {source:8} {ty:8} {:>14}  {reason}", spec.bytes())?;
    }
    for (name, reason) in &plan.dropped {
        writeln!(out, "left out: {} ({reason})", Escaped(name.as_bytes()))?;
    }
    writeln!(
        out,
        "{}: {} tensors, {} bytes, {:.2} bits per weight{}",
        output.display(),
        plan.tensors.len(),
        plan.file.file_bytes(),
        plan.bits_per_weight(),
        fallbacks(plan)
    )?;
    out.flush()?;
    Ok(())
}

fn print_closing_line(plan: &Plan, output: &Path, seconds: f64) -> anyhow::Result<()> {
    let mut out = stdout();
    writeln!(
        out,
        "{}: {} from {}, {:.2} bits per weight{}, {}",
        output.display(),
        words::bytes(plan.file.file_bytes()),
        words::bytes(plan.source.bytes()),
        plan.bits_per_weight(),
        fallbacks(plan),
        words::seconds(seconds)
    )?;
    out.flush()?;
    Ok(())
}

/// What the user should know who asked for one type everywhere.
fn fallbacks(plan: &Plan) -> String {
    match plan.fallback_weights() {
        0 => String::new(),
        weights => {
            format!(", {} weights in another type because their rows do not fit", words::count(weights))
        }
    }
}

fn as_json(plan: &Plan, output: &Path, seconds: Option<f64>) -> serde_json::Value {
    let tensors = plan.tensors.iter().zip(plan.file.infos()).map(|(tensor, info)| {
        json!({
            "name": info.name,
            "shape": info.shape.dims(),
            "source_name": tensor.origin_name,
            "source_type": tensor.stored_as,
            "type": info.type_id.to_string(),
            "reason": tensor.reason,
            "fallback": tensor.is_fallback,
            "offset": info.offset_in_file,
            "bytes": info.bytes,
        })
    });
    let dropped = plan.dropped.iter().map(|(name, reason)| json!({ "name": name, "reason": reason }));
    json!({
        "output": output.to_string_lossy(),
        "recipe": plan.recipe.name(),
        "source_bytes": plan.source.bytes(),
        "bytes": plan.file.file_bytes(),
        "bits_per_weight": plan.bits_per_weight(),
        "fallback_weights": plan.fallback_weights(),
        "written": seconds.is_some(),
        "seconds": seconds,
        "tensors": tensors.collect::<Vec<_>>(),
        "left_out": dropped.collect::<Vec<_>>(),
    })
}
