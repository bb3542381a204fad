//! The digests of a model, a line for every key and every tensor.

use std::collections::HashSet;
use std::fmt;

use blake3::Hash;
use briq_format::metadata::keys;
use briq_format::{Shape, TensorType, TypeId, Value, ValueType};

use super::digest;

/// What a record or a manifest says of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    /// The keys that count as content, in the order of their bytes.
    pub keys: Vec<KeyLine>,
    /// The tensors, in the order of the model.
    pub tensors: Vec<TensorLine>,
}

/// A key: `DIGEST TYPE KEY`.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyLine {
    /// Of the key and its value.
    pub digest: Hash,
    /// The type of its value.
    pub ty: ValueType,
    /// The key.
    pub key: String,
}

/// A tensor: `DIGEST TYPE SHAPE NAME`.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorLine {
    /// Of name, type, shape and bytes.
    pub digest: Hash,
    /// The type as files number it.
    pub type_id: TypeId,
    /// The dimensions, row length first, without ones at the end: tools do not agree on whether they keep those.
    pub dims: Vec<u64>,
    /// The name.
    pub name: String,
}

impl Listing {
    /// The digest over the whole.
    pub fn whole(&self) -> Hash {
        digest::whole(self.lines())
    }

    /// Every line, with a word in front that says what it is of.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> {
        let keys = self.keys.iter().map(|line| format!("key {line}"));
        keys.chain(self.tensors.iter().map(|line| format!("tensor {line}")))
    }

    /// The first line of a tensor that has one already, by its place among those of tensors. Whoever reads a listing
    /// refuses it: every line costs hashing a tensor.
    pub(super) fn repeated(&self) -> Option<usize> {
        let mut names = HashSet::new();
        self.tensors.iter().position(|line| !names.insert(line.name.as_str()))
    }

    /// Lines of the keys that count as content: not what tells shards apart, and not the record itself.
    pub(super) fn keys_of<'a>(metadata: impl Iterator<Item = (&'a str, Value<'a>)>) -> Vec<KeyLine> {
        let is_content = |key: &str| {
            let split = [keys::SPLIT_NO, keys::SPLIT_COUNT, keys::SPLIT_TENSORS_COUNT];
            !split.contains(&key) && !key.starts_with(keys::INTEGRITY_PREFIX)
        };
        let line = |(key, value): (&str, Value<'_>)| KeyLine {
            digest: digest::key(key, value),
            ty: value.value_type(),
            key: key.to_owned(),
        };
        let mut lines: Vec<_> = metadata.filter(|(key, _)| is_content(key)).map(line).collect();
        lines.sort_unstable_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
        lines
    }
}

impl KeyLine {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.splitn(3, ' ');
        let mut word = || words.next().ok_or("expected DIGEST TYPE KEY");
        let digest = parse_digest(word()?)?;
        let name = word()?;
        let ty = (0..).map_while(ValueType::from_id).find(|ty| ty.name() == name);
        let ty = ty.ok_or_else(|| format!("{name:?} is no type of a value"))?;
        Ok(Self { digest, ty, key: word()?.to_owned() })
    }
}

impl fmt::Display for KeyLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.digest, self.ty.name(), self.key)
    }
}

impl TensorLine {
    /// The line of a tensor whose bytes have the BLAKE3 hash `data`.
    pub(super) fn new(name: &str, type_id: TypeId, shape: Shape, bytes: u64, data: &Hash) -> Self {
        let dims = shape.significant_dims().to_vec();
        Self {
            digest: digest::tensor(name, type_id, &dims, bytes, data),
            type_id,
            dims,
            name: name.to_owned(),
        }
    }

    /// Type and shape, as they are written in the line.
    pub(super) fn form(&self) -> String {
        form(self.type_id, &self.dims)
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.splitn(4, ' ');
        let mut word = || words.next().ok_or("expected DIGEST TYPE SHAPE NAME");
        let (digest, ty, shape) = (parse_digest(word()?)?, word()?, word()?);
        let type_id = match ty.parse() {
            Ok(number) => TypeId(number),
            Err(_) => ty.parse::<TensorType>().map_err(|error| error.to_string())?.id(),
        };
        let dims: Result<Vec<u64>, _> = shape.split('x').map(str::parse).collect();
        let dims = dims.map_err(|_| format!("{shape:?} is no shape such as 4096x32"))?;
        let line = Self { digest, type_id, dims, name: word()?.to_owned() };
        // Names of types, numbers and shapes have several spellings, and one that is written.
        match line.to_string() == text {
            true => Ok(line),
            false => Err(format!("is to be written as \"{line}\"")),
        }
    }
}

impl fmt::Display for TensorLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.digest, self.form(), self.name)
    }
}

pub(super) fn form(type_id: TypeId, dims: &[u64]) -> String {
    let ty = TensorType::try_from(type_id).map_or_else(|_| type_id.0.to_string(), |ty| ty.to_string());
    let dims: Vec<String> = dims.iter().map(u64::to_string).collect();
    format!("{ty} {}", dims.join("x"))
}

pub(super) fn parse_digest(text: &str) -> Result<Hash, String> {
    let is_plain = text.len() == 64 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    let digest = Hash::from_hex(text).ok().filter(|_| is_plain);
    digest.ok_or_else(|| format!("{text:?} is no digest: 64 digits from 0 to f are"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";

    #[test]
    fn a_line_is_read_as_it_is_written_and_in_no_other_spelling() {
        for text in ["Q4_K 256x384 token_embd.weight", "43 7 a name with spaces", "F32 1 x"] {
            let text = format!("{DIGEST} {text}");
            assert_eq!(TensorLine::parse(&text).unwrap().to_string(), text);
        }
        for text in ["q4_k 256x384 x", "12 256 x", "Q4_K 0256 x", "Q4_K 256x x", "Q4_K 256", "Q99 256 x"] {
            assert!(TensorLine::parse(&format!("{DIGEST} {text}")).is_err(), "{text}");
        }
        let key = format!("{DIGEST} string general.name");
        assert_eq!(KeyLine::parse(&key).unwrap().to_string(), key);
        for text in ["", "string x", &format!("{DIGEST} text x"), &format!("{} u8 x", DIGEST.to_uppercase())]
        {
            assert!(KeyLine::parse(text).is_err(), "{text}");
        }
    }
}
