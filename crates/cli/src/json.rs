//! Metadata values as JSON, and arrays that are too long to be made at once.

use briq_format::Value;
use serde::{Serialize, Serializer};
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

/// An array whose elements are made as they are written: all at once they take many times the room of what they are
/// made of.
pub(crate) struct InTurn<'a>(Box<dyn Fn() -> Elements<'a> + 'a>);

type Elements<'a> = Box<dyn Iterator<Item = serde_json::Value> + 'a>;

impl<'a> InTurn<'a> {
    /// The elements that `all` gives, whenever it is asked.
    pub(crate) fn of<I: Iterator<Item = serde_json::Value> + 'a>(all: impl Fn() -> I + 'a) -> Self {
        Self(Box::new(move || Box::new(all())))
    }
}

impl Serialize for InTurn<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq((self.0)())
    }
}
