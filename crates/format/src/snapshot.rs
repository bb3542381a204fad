//! A stable text of a model file, made for golden-file tests.
//!
//! The text names everything that a change of a conversion could change: container facts, every key, every
//! tensor with type, shape, place and hash. It depends on the bytes of the file alone.

use std::fmt;

use crate::metadata::{Array, Text, Value, keys};
use crate::wire::ValueType;
use crate::{Escaped, Gguf, View};

/// Strings up to this many bytes are printed; longer ones are hashed.
const PRINTED_BYTES: usize = 80;
/// Arrays up to this many elements are printed; longer ones are hashed.
const PRINTED_ELEMENTS: u64 = 8;

/// The text of an open model; print it, compare it, or hand it to `insta`.
///
/// ```no_run
/// let model = briq_format::Gguf::open("model.gguf")?;
/// # mod insta { macro_rules! assert_snapshot { ($s:expr) => { let _ = $s.to_string(); } } pub(crate) use assert_snapshot; }
/// insta::assert_snapshot!(model.snapshot());
/// # Ok::<(), briq_format::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a>(&'a Gguf);

impl Gguf {
    /// A stable text of the model for golden-file tests. Printing it reads every weight once, to hash it.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot(self)
    }
}

impl fmt::Display for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.0.files();
        let count = files.len();
        for (number, (_, view)) in files.enumerate() {
            if count > 1 {
                writeln!(f, "shard {} of {count}", number + 1)?;
            }
            write_file(f, view)?;
        }
        Ok(())
    }
}

fn write_file(f: &mut fmt::Formatter<'_>, view: View<'_>) -> fmt::Result {
    let header = view.header();
    let (version, endian) = (header.version, header.endian.name());
    writeln!(f, "gguf version {version}, {endian}, alignment {}", view.alignment())?;
    let (keys, tensors) = (header.key_count, header.tensor_count);
    writeln!(
        f,
        "{keys} keys, {tensors} tensors, data at {}, {} bytes",
        view.data_start(),
        view.file_bytes()
    )?;
    writeln!(f)?;
    // The record repeats what the lines below say of keys and tensors, and each change would be shown twice.
    let is_record = |key: &str| key.starts_with(keys::INTEGRITY_PREFIX);
    for (key, value) in view.metadata().iter() {
        write!(f, "{} ", Escaped(key.as_bytes()))?;
        match is_record(key) {
            true => write!(f, "{}", value.value_type().name())?,
            false => write_value(f, value)?,
        }
        writeln!(f)?;
    }
    writeln!(f)?;
    for tensor in view.tensors() {
        let (info, hash) = (tensor.info, blake3::hash(tensor.bytes()));
        let name = Escaped(info.name.as_bytes());
        writeln!(f, "{name} {} {} @{} #{}", info.type_id, info.shape, info.offset_in_data, short(hash))?;
    }
    Ok(())
}

fn write_value(f: &mut fmt::Formatter<'_>, value: Value<'_>) -> fmt::Result {
    write!(f, "{}", value.value_type().name())?;
    match value {
        Value::Array(array) => write_array(f, array),
        scalar => {
            f.write_str(" = ")?;
            write_scalar(f, scalar)
        }
    }
}

fn write_array(f: &mut fmt::Formatter<'_>, array: Array<'_>) -> fmt::Result {
    write!(f, "[{}; {}] = ", array.element_type().name(), array.len())?;
    let holds_arrays = array.element_type() == ValueType::Array && !array.is_empty();
    if array.len() > PRINTED_ELEMENTS || holds_arrays {
        return write!(f, "#{}", short(blake3::hash(array.bytes())));
    }
    f.write_str("[")?;
    for (index, element) in array.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { ", " })?;
        write_scalar(f, element)?;
    }
    f.write_str("]")
}

fn write_scalar(f: &mut fmt::Formatter<'_>, value: Value<'_>) -> fmt::Result {
    match value {
        Value::U8(n) => write!(f, "{n}"),
        Value::I8(n) => write!(f, "{n}"),
        Value::U16(n) => write!(f, "{n}"),
        Value::I16(n) => write!(f, "{n}"),
        Value::U32(n) => write!(f, "{n}"),
        Value::I32(n) => write!(f, "{n}"),
        Value::U64(n) => write!(f, "{n}"),
        Value::I64(n) => write!(f, "{n}"),
        // The shortest digits that read back as the same number.
        Value::F32(x) => write!(f, "{x:?}"),
        Value::F64(x) => write!(f, "{x:?}"),
        Value::Bool(b) => write!(f, "{b}"),
        Value::String(text) => write_text(f, text),
        Value::Array(array) => write_array(f, array),
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: Text<'_>) -> fmt::Result {
    match text.as_bytes() {
        // A quote inside is escaped, so that two texts never look like one.
        bytes if bytes.len() <= PRINTED_BYTES => write!(f, "\"{}\"", text.to_string().replace('"', "\\\"")),
        bytes => write!(f, "{} bytes #{}", bytes.len(), short(blake3::hash(bytes))),
    }
}

/// 128 bits of a BLAKE3 hash: enough to tell files apart, short enough to read in a diff.
fn short(hash: blake3::Hash) -> String {
    hash.to_hex()[..32].to_owned()
}
