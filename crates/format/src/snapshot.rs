//! A stable text of a model file, made for golden-file tests.
//!
//! The text names everything that a change of a conversion could change: container facts, every key, every
//! tensor with type, shape, place and hash. It depends on the bytes of the file alone.

use std::fmt;

use crate::metadata::{Array, Text, Value, keys};
use crate::shard::Part;
use crate::wire::ValueType;
use crate::{Error, Escaped, Gguf, Result, View};

/// Strings up to this many bytes are printed; longer ones are hashed.
const PRINTED_BYTES: usize = 80;
/// Arrays up to this many elements are printed; longer ones are hashed.
const PRINTED_ELEMENTS: u64 = 8;

/// The text of an open model; print it, compare it, or hand it to `insta`.
///
/// ```no_run
/// let model = briq_format::Gguf::open("model.gguf")?;
/// # mod insta {
/// #     macro_rules! assert_snapshot { ($text:expr) => { let _ = $text.to_string(); } }
/// #     pub(crate) use assert_snapshot;
/// # }
/// insta::assert_snapshot!(model.snapshot());
/// # Ok::<(), briq_format::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a>(Source<'a>);

#[derive(Clone, Copy, Debug)]
enum Source<'a> {
    Mapped(&'a Gguf),
    /// The heads of the files, and BLAKE3 of each tensor.
    Hashed(&'a [Part], &'a [[u8; 32]]),
}

impl Gguf {
    /// A stable text of the model for golden-file tests. Printing it reads every weight once, to hash it.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot(Source::Mapped(self))
    }
}

impl<'a> Snapshot<'a> {
    /// The text of a model whose tensors somebody else has hashed: in the order of the tables, BLAKE3 of the bytes of
    /// each. Who reads them by position need not trust that nobody shortens the files meanwhile.
    ///
    /// # Errors
    /// When there are not as many hashes as tensors.
    pub fn of(parts: &'a [Part], hashes: &'a [[u8; 32]]) -> Result<Self> {
        let tensors: usize = parts.iter().map(|part| part.head.view().tensor_infos().len()).sum();
        match hashes.len() == tensors {
            true => Ok(Self(Source::Hashed(parts, hashes))),
            false => Err(Error::invalid(format!("{} hashes of {tensors} tensors", hashes.len()))),
        }
    }
}

impl fmt::Display for Snapshot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Source::Mapped(model) => {
                let files = model.files().map(|(_, view)| view);
                write_files(f, files, model.tensors().map(|tensor| blake3::hash(tensor.bytes())))
            }
            Source::Hashed(parts, hashes) => {
                let files = parts.iter().map(|part| part.head.view());
                write_files(f, files, hashes.iter().map(|&hash| hash.into()))
            }
        }
    }
}

/// `hashes` are those of all tensors, file by file.
fn write_files<'a>(
    f: &mut fmt::Formatter<'_>,
    files: impl ExactSizeIterator<Item = View<'a>>,
    mut hashes: impl Iterator<Item = blake3::Hash>,
) -> fmt::Result {
    let count = files.len();
    for (number, view) in files.enumerate() {
        if count > 1 {
            writeln!(f, "shard {} of {count}", number + 1)?;
        }
        write_file(f, view, &mut hashes)?;
    }
    Ok(())
}

fn write_file(
    f: &mut fmt::Formatter<'_>,
    view: View<'_>,
    hashes: &mut impl Iterator<Item = blake3::Hash>,
) -> fmt::Result {
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
    for (info, hash) in view.tensor_infos().zip(hashes) {
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
