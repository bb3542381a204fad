//! Metadata values as JSON.

use briq_format::Value;
use serde_json::json;

/// The value; arrays of more than `limit` elements are shortened to an object that says so.
///
/// A string that is no UTF-8 becomes an object with its bytes, so that nothing is lost. Numbers that JSON
/// has no words for (NaN and infinities) become strings.
pub(crate) fn value(value: Value<'_>, limit: u64) -> serde_json::Value {
    match value {
        Value::U8(n) => n.into(),
        Value::I8(n) => n.into(),
        Value::U16(n) => n.into(),
        Value::I16(n) => n.into(),
        Value::U32(n) => n.into(),
        Value::I32(n) => n.into(),
        Value::U64(n) => n.into(),
        Value::I64(n) => n.into(),
        Value::F32(x) => float(x.into()),
        Value::F64(x) => float(x),
        Value::Bool(b) => b.into(),
        Value::String(text) => match text.as_str() {
            Ok(text) => text.into(),
            Err(_) => json!({ "bytes": text.as_bytes() }),
        },
        Value::Array(array) if array.len() > limit => {
            let first: Vec<_> =
                array.iter().take(limit as usize).map(|element| self::value(element, limit)).collect();
            json!({ "length": array.len(), "first": first })
        }
        Value::Array(array) => array.iter().map(|element| self::value(element, limit)).collect(),
    }
}

fn float(x: f64) -> serde_json::Value {
    serde_json::Number::from_f64(x).map_or_else(|| x.to_string().into(), Into::into)
}
