//! What is hashed of a key and of a tensor. Spec: integrity.md, "Digests".

use blake3::{Hash, Hasher};
use briq_format::{OwnedValue, TypeId, Value};

/// What keeps the three kinds of digests apart, and apart from every other use of BLAKE3.
const KEY: &str = "briq integrity 1 key";
const TENSOR: &str = "briq integrity 1 tensor";
const WHOLE: &str = "briq integrity 1 whole";

/// The digest of a key and its value.
pub(super) fn key(key: &str, value: Value<'_>) -> Hash {
    let value = OwnedValue::from(value);
    let mut hasher = Hasher::new_derive_key(KEY);
    text(&mut hasher, key);
    hasher.update(&value.value_type().id().to_le_bytes());
    hasher.update(value.bytes());
    hasher.finalize()
}

/// The digest of a tensor of `bytes` bytes, whose BLAKE3 hash is `data`.
pub(super) fn tensor(name: &str, type_id: TypeId, dims: &[u64], bytes: u64, data: &Hash) -> Hash {
    let mut hasher = Hasher::new_derive_key(TENSOR);
    text(&mut hasher, name);
    hasher.update(&type_id.0.to_le_bytes());
    // At most four.
    hasher.update(&(dims.len() as u32).to_le_bytes());
    for dim in dims {
        hasher.update(&dim.to_le_bytes());
    }
    hasher.update(&bytes.to_le_bytes());
    hasher.update(data.as_bytes());
    hasher.finalize()
}

/// The digest over lines without line breaks in them.
pub(super) fn whole(lines: impl Iterator<Item = String>) -> Hash {
    let mut hasher = Hasher::new_derive_key(WHOLE);
    for line in lines {
        hasher.update(line.as_bytes()).update(b"\n");
    }
    hasher.finalize()
}

fn text(hasher: &mut Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
}
