//! The `general.sampling.*` keys: how the model's makers sample from it, by `generation_config.json`.

use std::path::Path;

use briq_format::metadata::{MetadataBuf, OwnedValue};

use super::config::number;
use crate::json::{self, Json};
use crate::{Error, Result};

/// The key's last part, the names it is taken from, and whether it is an integer.
const SAMPLING: [(&str, &[&str], bool); 11] = [
    ("top_k", &["top_k"], true),
    ("top_p", &["top_p"], false),
    ("min_p", &["min_p"], false),
    ("xtc_probability", &["xtc_probability"], false),
    ("xtc_threshold", &["xtc_threshold"], false),
    ("temp", &["temperature"], false),
    ("penalty_last_n", &["penalty_last_n"], true),
    ("penalty_repeat", &["penalty_repeat", "repetition_penalty"], false),
    ("mirostat", &["mirostat"], true),
    ("mirostat_tau", &["mirostat_tau"], false),
    ("mirostat_eta", &["mirostat_eta"], false),
];

/// Writes the keys for the model in `directory`; none when it does not say.
///
/// # Errors
///
/// When the file is malformed, or a value is no number.
pub(super) fn write(directory: &Path, metadata: &mut MetadataBuf) -> Result<()> {
    let path = directory.join("generation_config.json");
    let Some(generation) = json::read_if_present(&path, json::CONFIG_CAP)? else { return Ok(()) };
    if let Some(sequence) = generation.get("sequence").and_then(Json::as_str).filter(|text| !text.is_empty())
    {
        metadata.set("general.sampling.sequence", sequence)?;
    }
    for (key, names, is_integer) in SAMPLING {
        let Some((name, value)) = names.iter().find_map(|name| Some((name, generation.get(name)?))) else {
            continue;
        };
        let converted: Option<OwnedValue> = match (value, is_integer) {
            (Json::Null, _) => continue,
            (Json::Integer(number), true) => i32::try_from(*number).ok().map(OwnedValue::from),
            (_, true) => None,
            (_, false) => number(value)
                .map(|number| number as f32)
                .filter(|single| single.is_finite())
                .map(OwnedValue::from),
        };
        let allowed = if is_integer { "a 32-bit integer" } else { "a number that fits an f32" };
        let problem = || Error::bad(&path, format!("{name:?} is {value}; allowed is {allowed}"));
        metadata.set(&format!("general.sampling.{key}"), converted.ok_or_else(problem)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sampling_value_of_the_wrong_kind_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        for (generation, part) in [
            ("{\"top_k\": 1.5}", "\"top_k\" is 1.5"),
            ("{\"top_p\": \"x\"}", "\"top_p\" is \"x\""),
            ("{\"temperature\": 1e300}", "fits an f32"),
        ] {
            std::fs::write(directory.path().join("generation_config.json"), generation).unwrap();
            let message = write(directory.path(), &mut MetadataBuf::new()).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
