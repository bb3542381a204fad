//! The GGUF form: two tensors per entry, `NAME.in_sum2` and `NAME.counts`, and three keys. Spec: imatrix.md.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use briq_format::{Escaped, Head, Limits, Metadata, TensorInfo, TensorType, Value, ValueType};

use super::{Contents, Entry, Format, floats_at, limits};
use crate::{Error, Result};

pub(super) const TYPE_KEY: &str = "general.type";
pub(super) const TYPE: &str = "imatrix";
pub(super) const DATASETS: &str = "imatrix.datasets";
pub(super) const CHUNK_COUNT: &str = "imatrix.chunk_count";
pub(super) const CHUNK_SIZE: &str = "imatrix.chunk_size";
pub(super) const SUMS: &str = ".in_sum2";
pub(super) const COUNTS: &str = ".counts";

/// Reads everything but the sums.
pub(super) fn read(path: &Path, file: &mut File) -> Result<Contents> {
    let head = Head::read(file, &Limits::default()).map_err(|error| error.in_file(path))?;
    let view = head.view();
    let keys = Keys { path, metadata: view.metadata() };
    keys.check_type()?;
    let chunk_size = keys.number(CHUNK_SIZE)?;
    if chunk_size == 0 {
        return Err(Error::bad(path, format!("{CHUNK_SIZE} is 0; a chunk has at least one token")));
    }
    let mut matrices = 0;
    let entries = pairs(view.tensor_infos()).into_iter();
    let entries = entries
        .map(|(name, pair)| read_entry(path, file, name, pair, &mut matrices))
        .collect::<Result<Vec<_>>>()?;
    if entries.is_empty() {
        return Err(Error::bad(path, format!("there is no tensor *{SUMS}, so it holds no importance")));
    }
    Ok(Contents {
        format: Format::Gguf,
        endian: view.header().endian,
        datasets: keys.datasets()?,
        chunk_count: Some(keys.number(CHUNK_COUNT)?),
        chunk_size: Some(chunk_size),
        entries,
    })
}

/// The tensors of an entry; either may be missing in a bad file.
#[derive(Default)]
struct Pair<'a> {
    sums: Option<TensorInfo<'a>>,
    counts: Option<TensorInfo<'a>>,
}

/// Tensors by the name of their entry. Those of other names are no concern of ours.
fn pairs<'a>(tensors: impl Iterator<Item = TensorInfo<'a>>) -> BTreeMap<&'a str, Pair<'a>> {
    let mut pairs: BTreeMap<&str, Pair<'_>> = BTreeMap::new();
    for tensor in tensors {
        if let Some(name) = tensor.name.strip_suffix(SUMS) {
            pairs.entry(name).or_default().sums = Some(tensor);
        } else if let Some(name) = tensor.name.strip_suffix(COUNTS) {
            pairs.entry(name).or_default().counts = Some(tensor);
        }
    }
    pairs
}

/// Reads an entry, and adds its matrices to those of the entries before.
fn read_entry(path: &Path, file: &File, name: &str, pair: Pair<'_>, matrices: &mut u64) -> Result<Entry> {
    let error =
        |problem: String| Error::bad(path, format!("entry \"{}\": {problem}", Escaped(name.as_bytes())));
    let bad = |problem: String| Err(error(problem));
    let (sums, counts) = match pair {
        Pair { sums: Some(sums), counts: Some(counts) } => (sums, counts),
        Pair { sums: None, .. } => return bad(format!("{COUNTS} is there without {SUMS}")),
        Pair { counts: None, .. } => return bad(format!("{SUMS} is there without {COUNTS}")),
    };
    for (suffix, tensor) in [(SUMS, sums), (COUNTS, counts)] {
        if tensor.type_id != TensorType::F32.id() {
            return bad(format!("{suffix} is {}, where F32 is required", tensor.type_id));
        }
    }
    let (values, rows, count) = (sums.shape.elements(), sums.shape.rows(), counts.shape.elements());
    if values == 0 || rows != count {
        return bad(format!(
            "{SUMS} has shape {} and {COUNTS} has {count} elements; there must be a count for each row of sums",
            sums.shape
        ));
    }
    *matrices = limits::gguf_entry(values, count, *matrices).map_err(error)?;
    let counts = floats_at(path, file, counts.endian, counts.offset_in_file, count)?;
    Ok(Entry { name: name.to_owned(), values, counts, offset: sums.offset_in_file })
}

/// The keys, each of the one type that writers give it.
struct Keys<'a> {
    path: &'a Path,
    metadata: Metadata<'a>,
}

impl Keys<'_> {
    fn check_type(&self) -> Result<()> {
        match self.metadata.get(TYPE_KEY) {
            Some(value) if value.as_str() == Some(TYPE) => Ok(()),
            Some(Value::String(name)) => {
                self.bad(format!("{TYPE_KEY} is {name:?}, where \"{TYPE}\" is required"))
            }
            other => self.wrong_type(TYPE_KEY, other, &format!("\"{TYPE}\"")),
        }
    }

    fn number(&self, key: &str) -> Result<u32> {
        match self.metadata.get(key) {
            Some(Value::U32(number)) => Ok(number),
            other => self.wrong_type(key, other, "u32"),
        }
    }

    fn datasets(&self) -> Result<Vec<String>> {
        let array = match self.metadata.get(DATASETS) {
            Some(Value::Array(array)) if array.element_type() == ValueType::String => array,
            other => return self.wrong_type(DATASETS, other, "an array of strings"),
        };
        let names = array.iter().map(|name| name.as_str().map(str::to_owned));
        match names.collect() {
            Some(names) => Ok(names),
            None => self.bad(format!("{DATASETS} holds a name that is not UTF-8")),
        }
    }

    fn wrong_type<T>(&self, key: &str, found: Option<Value<'_>>, wanted: &str) -> Result<T> {
        match found {
            None => self.bad(format!("{key} is missing")),
            Some(Value::Array(array)) => self.bad(format!(
                "{key} is an array of {}, where {wanted} is required",
                array.element_type().name()
            )),
            Some(other) => {
                self.bad(format!("{key} is {}, where {wanted} is required", other.value_type().name()))
            }
        }
    }

    fn bad<T>(&self, problem: String) -> Result<T> {
        Err(Error::bad(self.path, problem))
    }
}
