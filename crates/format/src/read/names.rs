//! What a key and a tensor name may be. Spec: metadata.md, "Keys"; container.md, "Tensor names".

use crate::Escaped;
use crate::wire::MAX_KEY_BYTES;

/// Checks a metadata key; the error says what is wrong and what was allowed.
pub(crate) fn check_key(key: &[u8]) -> Result<(), String> {
    check("key", key, MAX_KEY_BYTES)
}

/// Checks a tensor name of at most `limit` bytes.
pub(crate) fn check_tensor_name(name: &[u8], limit: u64) -> Result<(), String> {
    check("tensor name", name, limit)
}

fn check(what: &str, name: &[u8], limit: u64) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("the {what} is empty; it must have 1 to {limit} bytes"));
    }
    if name.len() as u64 > limit {
        return Err(format!("the {what} has {} bytes, where at most {limit} are allowed", name.len()));
    }
    let Ok(text) = std::str::from_utf8(name) else {
        return Err(format!("the {what} \"{}\" is not UTF-8", Escaped(name)));
    };
    if text.chars().any(char::is_control) {
        return Err(format!("the {what} \"{}\" holds a control character", Escaped(name)));
    }
    Ok(())
}
