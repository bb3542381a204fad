//! What a reader sees in a file, in one form for three readers.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use briq_format::{Gguf, Value};
use candle_core::Device;
use candle_core::quantized::gguf_file;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use crate::briq::finish;
use crate::place::Place;

/// Keys with their values, and tensors with shape (row length first), type, offset in the file and hash.
pub(crate) struct Seen {
    pub(crate) keys: Map<String, Json>,
    pub(crate) tensors: Map<String, Json>,
}

/// What briq sees.
///
/// # Errors
/// briq refuses the file.
pub(crate) fn by_briq(path: &Path) -> Result<Seen> {
    let file = Gguf::open(path)?;
    let keys = file.metadata().iter().map(|(key, value)| (key.to_owned(), briq_value(value)));
    let tensors = file.tensors().map(|tensor| {
        let (shape, ty) = (tensor.shape(), tensor.info.type_id.to_string());
        (tensor.name().to_owned(), row(shape.dims(), &ty, tensor.info.offset_in_file, tensor.bytes()))
    });
    Ok(Seen { keys: keys.collect(), tensors: tensors.collect() })
}

/// What candle sees.
///
/// # Errors
/// candle refuses the file or a tensor in it.
pub(crate) fn by_candle(path: &Path) -> Result<Seen> {
    let mut file = File::open(path)?;
    let content = gguf_file::Content::read(&mut file)?;
    let keys = content.metadata.iter().map(|(key, value)| (key.clone(), candle_value(value)));
    let keys = keys.collect();
    let mut tensors = Map::new();
    for (name, info) in &content.tensor_infos {
        // candle lists the row length last.
        let shape: Vec<_> = info.shape.dims().iter().rev().map(|&dimension| dimension as u64).collect();
        let tensor = content.tensor(&mut file, name, &Device::Cpu)?;
        let offset = content.tensor_data_offset + info.offset;
        tensors.insert(name.clone(), row(&shape, &format!("{:?}", info.ggml_dtype), offset, &tensor.data()?));
    }
    Ok(Seen { keys, tensors })
}

/// What gguf-py sees in each of the files.
///
/// # Errors
/// Python is missing, or gguf-py refuses a file.
pub(crate) fn by_python(place: &Place, paths: &[impl AsRef<Path>]) -> Result<Vec<Seen>> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/read_gguf.py");
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", place.python()).arg("-B").arg(script);
    let lines = finish(command.args(paths.iter().map(AsRef::as_ref)))?;
    let one = |line: &str| -> Result<Seen> {
        let mut json: Json = serde_json::from_str(line)?;
        let mut map = |name| match json[name].take() {
            Json::Object(map) => Ok(map),
            _ => Err(anyhow::anyhow!("read_gguf.py printed no {name}")),
        };
        let (keys, mut tensors) = (map("keys")?, map("tensors")?);
        for tensor in tensors.values_mut() {
            tensor["type"] = plain_name(tensor["type"].as_str().context("a type's name")?).into();
        }
        Ok(Seen { keys, tensors })
    };
    lines.lines().map(one).collect()
}

fn row(shape: &[u64], ty: &str, offset: u64, bytes: &[u8]) -> Json {
    let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "shape": shape, "type": plain_name(ty), "offset": offset, "sha256": hash })
}

/// The three spell Q4_K and Q4K.
fn plain_name(ty: &str) -> String {
    ty.replace('_', "")
}

fn briq_value(value: Value<'_>) -> Json {
    match value {
        Value::U8(n) => n.into(),
        Value::I8(n) => n.into(),
        Value::U16(n) => n.into(),
        Value::I16(n) => n.into(),
        Value::U32(n) => n.into(),
        Value::I32(n) => n.into(),
        Value::U64(n) => n.into(),
        Value::I64(n) => n.into(),
        Value::F32(x) => f64::from(x).into(),
        Value::F64(x) => x.into(),
        Value::Bool(b) => b.into(),
        Value::String(text) => String::from_utf8_lossy(text.as_bytes()).into(),
        Value::Array(array) => array.iter().map(briq_value).collect(),
    }
}

fn candle_value(value: &gguf_file::Value) -> Json {
    use gguf_file::Value;
    match value {
        Value::U8(n) => (*n).into(),
        Value::I8(n) => (*n).into(),
        Value::U16(n) => (*n).into(),
        Value::I16(n) => (*n).into(),
        Value::U32(n) => (*n).into(),
        Value::I32(n) => (*n).into(),
        Value::U64(n) => (*n).into(),
        Value::I64(n) => (*n).into(),
        Value::F32(x) => f64::from(*x).into(),
        Value::F64(x) => (*x).into(),
        Value::Bool(b) => (*b).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => values.iter().map(candle_value).collect(),
    }
}
