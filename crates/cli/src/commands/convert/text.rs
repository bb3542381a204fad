//! What `briq convert` says: the plan of a dry run, what to know before a conversion, and the closing line.

use std::io::Write;
use std::path::Path;

use briq_convert::plan::Plan;
use briq_format::{Escaped, Printable, counted};

use crate::commands::{stdout, warn};
use crate::words;

pub(super) fn print_plan(plan: &Plan, output: &Path) -> anyhow::Result<()> {
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

pub(super) fn print_closing_line(
    mut out: impl Write,
    plan: &Plan,
    output: &Path,
    seconds: f64,
) -> anyhow::Result<()> {
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

/// Says before a conversion what one would want to know before it.
pub(super) fn warn_beforehand(plan: &Plan) {
    warn_of_missing_importance(plan);
    warn_of_requantizing(plan);
    warn_of_idle_options(plan);
    warn_of_unsaid_settings(plan);
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
