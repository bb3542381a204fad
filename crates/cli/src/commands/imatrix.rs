//! `briq imatrix`: what is in an importance matrix; several as one; one format as the other.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering;

use briq_convert::imatrix::{Entry, Format, Imatrix, MergeOptions, merge};
use briq_convert::{Error, check_no_input};
use briq_format::{Escaped, Existing, counted};
use serde::Serialize;
use serde_json::json;

use super::{print_json, stdout};
use crate::args::{Imatrix as Command, ImatrixInfo, ImatrixOutput};
use crate::exit::{self, Outcome};
use crate::interrupt;

pub(crate) fn run(command: &Command) -> anyhow::Result<Outcome> {
    match command {
        Command::Info(args) => info(args)?,
        Command::Merge(args) => {
            let inputs = args.files.iter().map(|file| Imatrix::open(file)).collect::<Result<Vec<_>, _>>()?;
            write(&inputs, &args.output)?;
        }
        Command::Convert(args) => write(&[Imatrix::open(&args.file)?], &args.output)?,
    }
    Ok(Outcome::Done)
}

fn write(inputs: &[Imatrix], output: &ImatrixOutput) -> anyhow::Result<()> {
    let format = format_of(&output.out)?;
    check_no_input(inputs.iter().map(Imatrix::path), &output.out)?;
    // From here on an interrupt, or the signal of a file-size limit, ends the program when it has cleared up.
    let stop = interrupt::flag()?;
    let merged = merge(inputs, MergeOptions { chunk_size: output.chunk_size })?;
    if stop.load(Ordering::Relaxed) {
        return exit::of_a_file(Err(Error::Interrupted));
    }
    merged.write(&output.out, format, if output.force { Existing::Replace } else { Existing::Keep })?;
    if output.json {
        return print_json(&json!({
            "output": output.out.to_string_lossy(),
            "format": format.to_string(),
            "entries": merged.len(),
        }));
    }
    let mut out = stdout();
    writeln!(
        out,
        "{}: {}, {format} format",
        Escaped(output.out.as_os_str().as_encoded_bytes()),
        counted(merged.len(), "entry", "entries")
    )?;
    out.flush()?;
    Ok(())
}

fn format_of(output: &Path) -> Result<Format, Error> {
    match output.extension().and_then(|extension| extension.to_str()) {
        Some("gguf") => Ok(Format::Gguf),
        Some("dat") => Ok(Format::Legacy),
        _ => {
            let path = Escaped(output.as_os_str().as_encoded_bytes());
            Err(Error::usage(format!(
                "{path}: the name must end in .gguf for the GGUF format or in .dat for the legacy one"
            )))
        }
    }
}

fn info(args: &ImatrixInfo) -> anyhow::Result<()> {
    let imatrix = Imatrix::open(&args.file)?;
    match args.json {
        true => print_json(&as_json(&imatrix)?),
        false => print(&imatrix),
    }
}

fn print(imatrix: &Imatrix) -> anyhow::Result<()> {
    let mut out = stdout();
    let entries = imatrix.entries();
    write!(
        out,
        "{}: {} format, {}",
        Escaped(imatrix.path().as_os_str().as_encoded_bytes()),
        imatrix.format(),
        counted(entries.len(), "entry", "entries")
    )?;
    if let Some(chunks) = imatrix.chunk_count() {
        write!(out, ", {}", counted(chunks, "chunk", "chunks"))?;
    }
    if let Some(size) = imatrix.chunk_size() {
        write!(out, " of {}", counted(size, "token", "tokens"))?;
    }
    writeln!(out)?;
    for dataset in imatrix.datasets() {
        writeln!(out, "dataset: {}", Escaped(dataset.as_bytes()))?;
    }
    let names: Vec<String> =
        entries.iter().map(|entry| Escaped(entry.name().as_bytes()).to_string()).collect();
    let width = names.iter().map(String::len).max().unwrap_or(0).max(6);
    writeln!(
        out,
        "{:width$}  {:>8} {:>8} {:>7}  {:>12} {:>12} {:>12}",
        "tensor", "columns", "matrices", "unseen", "count", "mean", "largest"
    )?;
    for (entry, name) in entries.iter().zip(names) {
        let facts = Facts::of(imatrix, entry)?;
        let (columns, matrices) = (entry.columns(), entry.counts().len());
        let Facts { unseen, count, mean, largest } = facts;
        writeln!(
            out,
            "{name:width$}  {columns:>8} {matrices:>8} {unseen:>7}  {count:>12} {mean:>12.4e} {largest:>12.4e}"
        )?;
    }
    out.flush()?;
    Ok(())
}

/// What is printed as JSON. Typed, because a tree of values takes a hundred times the file.
#[derive(Serialize)]
struct Report<'a> {
    format: String,
    datasets: &'a [String],
    chunk_count: Option<u32>,
    chunk_size: Option<u32>,
    entries: Vec<ReportEntry<'a>>,
}

#[derive(Serialize)]
struct ReportEntry<'a> {
    name: &'a str,
    columns: u64,
    matrices: usize,
    unseen_matrices: usize,
    largest_count: f32,
    mean_importance: f64,
    largest_importance: f32,
}

fn as_json(imatrix: &Imatrix) -> anyhow::Result<Report<'_>> {
    let entries = imatrix.entries().iter().map(|entry| {
        let Facts { unseen, count, mean, largest } = Facts::of(imatrix, entry)?;
        Ok(ReportEntry {
            name: entry.name(),
            columns: entry.columns(),
            matrices: entry.counts().len(),
            unseen_matrices: unseen,
            largest_count: count,
            mean_importance: mean,
            largest_importance: largest,
        })
    });
    Ok(Report {
        format: imatrix.format().to_string(),
        datasets: imatrix.datasets(),
        chunk_count: imatrix.chunk_count(),
        chunk_size: imatrix.chunk_size(),
        entries: entries.collect::<anyhow::Result<Vec<_>>>()?,
    })
}

/// An entry in a few numbers.
struct Facts {
    /// Matrices that nothing is known of.
    unseen: usize,
    /// The largest count of a matrix.
    count: f32,
    /// Mean and maximum of the importance.
    mean: f64,
    largest: f32,
}

impl Facts {
    fn of(imatrix: &Imatrix, entry: &Entry) -> Result<Self, Error> {
        let importance = imatrix.importance(entry, 0..entry.values())?;
        let counts = entry.counts();
        Ok(Self {
            unseen: counts.iter().filter(|&&count| count == 0.0).count(),
            count: counts.iter().copied().fold(0.0, f32::max),
            mean: importance.iter().map(|&value| f64::from(value)).sum::<f64>()
                / importance.len().max(1) as f64,
            largest: importance.iter().copied().fold(0.0, f32::max),
        })
    }
}
