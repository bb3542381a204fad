//! Values as the golden files of metadata have them: the kind, and the value, with floats as their bits.

use briq_format::metadata::Value;

/// The kind of a value, and its text.
pub(crate) fn spelled(value: &Value<'_>) -> (&'static str, String) {
    let json = |text: &str| serde_json::to_string(text).unwrap();
    match value {
        Value::U8(number) => ("u8", number.to_string()),
        Value::U32(number) => ("u32", number.to_string()),
        Value::I32(number) => ("i32", number.to_string()),
        Value::F32(number) => ("f32", format!("0x{:08x}", number.to_bits())),
        Value::Bool(flag) => ("bool", flag.to_string()),
        Value::String(text) => ("str", json(text.as_str().unwrap())),
        Value::Array(array) => {
            let items: Vec<_> = array.iter().map(|item| spelled(&item)).collect();
            let kind = items.first().map_or("", |(kind, _)| *kind);
            let texts: Vec<String> = items.into_iter().map(|(_, text)| text).collect();
            ("arr", format!("{kind} [{}]", texts.join(", ")))
        }
        other => panic!("no converter writes {other:?}"),
    }
}
