//! `briq inspect`: what a file holds, at a glance.

use std::collections::BTreeMap;
use std::io::Write;

use briq_convert::Error;
use briq_format::metadata::keys;
use briq_format::{Array, Escaped, Gguf, TensorInfo, Value, counted};
use serde_json::json;

use super::holes::unwritten;
use super::{print_json, stdout};
use crate::args::Inspect;
use crate::exit::Outcome;
use crate::{json, words};

/// Elements of an array, and characters of a string, that are shown before it is shortened.
const SHOWN_ELEMENTS: u64 = 8;
const SHOWN_CHARACTERS: usize = 100;

pub(crate) fn run(args: &Inspect) -> anyhow::Result<Outcome> {
    let model = Gguf::open(&args.file)?;
    if let Some(key) = &args.key {
        let value = model.metadata().get(key).ok_or_else(|| {
            let hint = match model.tensor(key) {
                Some(_) => ", but a tensor of that name; --tensors shows it",
                None => "",
            };
            Error::usage(format!("{}: there is no key {key:?}{hint}", args.file.display()))
        })?;
        match args.json {
            true => print_json(&json::value(value, u64::MAX))?,
            false => print_value(value)?,
        }
        return Ok(Outcome::Done);
    }
    match args.json {
        true => print_json(&as_json(&model, args))?,
        false => print(&model, args)?,
    }
    Ok(Outcome::Done)
}

fn print(model: &Gguf, args: &Inspect) -> anyhow::Result<()> {
    let mut out = stdout();
    if !args.metadata && !args.tensors {
        print_summary(&mut out, model)?;
    }
    if !args.tensors {
        writeln!(out, "metadata: {}", counted(model.metadata().len(), "key", "keys"))?;
        for (key, value) in model.metadata().iter() {
            let ty = value.value_type().name();
            let shown = match value {
                // Digests say nothing at a glance; `briq inspect FILE KEY` shows all of them.
                Value::Array(array) if key.starts_with(keys::INTEGRITY_PREFIX) => {
                    format!("{} × {}", array.len(), array.element_type().name())
                }
                value => shown(value),
            };
            writeln!(out, "  {:42} {ty:6} {shown}", Escaped(key.as_bytes()).to_string())?;
        }
    }
    if !args.metadata {
        writeln!(out, "tensors: {}", model.tensors().count())?;
        for tensor in model.tensors() {
            let TensorInfo { name, shape, type_id, offset_in_file, bytes, .. } = tensor.info;
            let (name, shape, ty) =
                (Escaped(name.as_bytes()).to_string(), shape.to_string(), type_id.to_string());
            writeln!(out, "  {name:42} {ty:8} {shape:>18} {bytes:>13} bytes at {offset_in_file}")?;
        }
    }
    out.flush()?;
    Ok(())
}

fn print_summary(out: &mut impl Write, model: &Gguf) -> anyhow::Result<()> {
    for (path, view) in model.files() {
        let header = view.header();
        writeln!(
            out,
            "{}: GGUF version {}, {}, {}, alignment {}",
            Escaped(path.as_os_str().as_encoded_bytes()),
            header.version,
            header.endian.name(),
            words::bytes(view.file_bytes()),
            view.alignment()
        )?;
        if view.trailing_bytes() > 0 {
            let bytes = counted(
                view.trailing_bytes(),
                "byte behind the last tensor belongs",
                "bytes behind the last tensor belong",
            );
            writeln!(out, "note: {bytes} to nothing")?;
        }
    }
    for hole in unwritten(model.parts()) {
        writeln!(out, "note: {hole}")?;
    }
    let Totals { weights, bytes, by_type } = Totals::of(model);
    let architecture =
        model.metadata().get("general.architecture").map_or_else(|| "no architecture".to_owned(), shown);
    let bits = if weights == 0 { 0.0 } else { bytes as f64 * 8.0 / weights as f64 };
    let types: Vec<String> = by_type.iter().map(|(ty, (tensors, _))| format!("{ty} × {tensors}")).collect();
    writeln!(
        out,
        "{architecture}, {} weights, {bits:.2} bits per weight: {}",
        words::count(weights),
        types.join(", ")
    )?;
    Ok(())
}

/// Sums over all tensors.
struct Totals {
    weights: u64,
    bytes: u64,
    /// Tensors and weights of each type.
    by_type: BTreeMap<String, (u64, u64)>,
}

impl Totals {
    fn of(model: &Gguf) -> Self {
        let mut totals = Self { weights: 0, bytes: 0, by_type: BTreeMap::new() };
        for info in model.tensors().map(|tensor| tensor.info) {
            let of_type = totals.by_type.entry(info.type_id.to_string()).or_default();
            let weights = info.shape.elements();
            *of_type = (of_type.0 + 1, of_type.1.saturating_add(weights));
            totals.weights = totals.weights.saturating_add(weights);
            totals.bytes += info.bytes;
        }
        totals
    }
}

/// A value on one line, shortened.
fn shown(value: Value<'_>) -> String {
    match value {
        Value::String(text) => {
            let text = text.to_string().replace('"', "\\\"");
            format!("\"{}\"", words::shortened(&text, SHOWN_CHARACTERS))
        }
        Value::Array(array) => shown_array(array),
        Value::U8(n) => n.to_string(),
        Value::I8(n) => n.to_string(),
        Value::U16(n) => n.to_string(),
        Value::I16(n) => n.to_string(),
        Value::U32(n) => n.to_string(),
        Value::I32(n) => n.to_string(),
        Value::U64(n) => n.to_string(),
        Value::I64(n) => n.to_string(),
        Value::F32(x) => x.to_string(),
        Value::F64(x) => x.to_string(),
        Value::Bool(b) => b.to_string(),
    }
}

fn shown_array(array: Array<'_>) -> String {
    let first: Vec<String> = array.iter().take(SHOWN_ELEMENTS as usize).map(shown).collect();
    let more = match array.len().saturating_sub(SHOWN_ELEMENTS) {
        0 => String::new(),
        more => format!(", … {more} more"),
    };
    format!("{} × {}: [{}{more}]", array.len(), array.element_type().name(), first.join(", "))
}

/// A value in full: text as it is apart from what would act on the terminal, arrays a line per element.
fn print_value(value: Value<'_>) -> anyhow::Result<()> {
    let mut out = stdout();
    match value {
        Value::String(text) => {
            for line in text.as_bytes().split(|&byte| byte == b'\n') {
                writeln!(out, "{}", Escaped(line))?;
            }
        }
        Value::Array(array) => {
            for element in array {
                match element {
                    Value::String(text) => writeln!(out, "{text}")?,
                    other => writeln!(out, "{}", shown(other))?,
                }
            }
        }
        scalar => writeln!(out, "{}", shown(scalar))?,
    }
    out.flush()?;
    Ok(())
}

fn as_json(model: &Gguf, args: &Inspect) -> serde_json::Value {
    let mut report = serde_json::Map::new();
    if !args.metadata && !args.tensors {
        let files = model.files().map(|(path, view)| {
            json!({
                "path": path.to_string_lossy(),
                "version": view.header().version,
                "endian": view.header().endian.name(),
                "alignment": view.alignment(),
                "data_start": view.data_start(),
                "bytes": view.file_bytes(),
                "trailing_bytes": view.trailing_bytes(),
            })
        });
        let totals = Totals::of(model);
        report.insert("files".to_owned(), files.collect());
        report.insert("weights".to_owned(), totals.weights.into());
        report.insert("holes".to_owned(), json!(unwritten(model.parts())));
        report.insert("tensor_bytes".to_owned(), totals.bytes.into());
    }
    if !args.tensors {
        let keys =
            model.metadata().iter().map(|(key, value)| (key.to_owned(), json::value(value, SHOWN_ELEMENTS)));
        report.insert("metadata".to_owned(), serde_json::Value::Object(keys.collect()));
    }
    if !args.metadata {
        let tensors = model.tensors().map(|tensor| {
            let info = tensor.info;
            json!({
                "name": info.name,
                "type": info.type_id.to_string(),
                "shape": info.shape.dims(),
                "offset": info.offset_in_file,
                "bytes": info.bytes,
            })
        });
        report.insert("tensors".to_owned(), tensors.collect());
    }
    serde_json::Value::Object(report)
}
