//! What a normalizer does that a runtime has to imitate, as flags.

use briq_format::metadata::MetadataBuf;

use super::files::Files;
use crate::Result;
use crate::json::Json;

/// Writes the flags that the normalizer of `tokenizer.json` states.
pub(super) fn write(files: &Files, metadata: &mut MetadataBuf) -> Result<()> {
    let normalizer = files.tokenizer.as_ref().and_then(|json| json.get("normalizer"));
    let mut flags = NormalizerFlags::default();
    normalizer.into_iter().for_each(|normalizer| flags.read(normalizer));
    for (key, flag) in [("lowercase", flags.lowercase), ("strip_accents", flags.strip_accents)] {
        if let Some(flag) = flag {
            metadata.set(&format!("tokenizer.ggml.normalizer.{key}"), flag)?;
        }
    }
    Ok(())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct NormalizerFlags {
    lowercase: Option<bool>,
    strip_accents: Option<bool>,
}

impl NormalizerFlags {
    fn read(&mut self, normalizer: &Json) {
        let flag = |key| normalizer.get(key).and_then(Json::as_bool);
        match normalizer.get("type").and_then(Json::as_str) {
            Some("Lowercase") => self.lowercase = Some(true),
            Some("StripAccents") => self.strip_accents = Some(true),
            Some("BertNormalizer") => {
                self.lowercase = Some(flag("lowercase").unwrap_or(true));
                self.strip_accents = flag("strip_accents").or(self.strip_accents);
            }
            Some("Sequence") => {
                let several = normalizer.get("normalizers").and_then(Json::as_array).unwrap_or_default();
                several.iter().for_each(|normalizer| self.read(normalizer));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use std::path::Path;

    #[test]
    fn the_last_normalizer_in_a_sequence_decides() {
        let flags = |text: &str| {
            let mut flags = NormalizerFlags::default();
            flags.read(&json::parse(Path::new("x"), text).unwrap());
            (flags.lowercase, flags.strip_accents)
        };
        assert_eq!(flags("{\"type\": \"NFC\"}"), (None, None));
        assert_eq!(flags("{\"type\": \"BertNormalizer\", \"strip_accents\": null}"), (Some(true), None));
        assert_eq!(
            flags("{\"type\": \"BertNormalizer\", \"lowercase\": false, \"strip_accents\": true}"),
            (Some(false), Some(true))
        );
        assert_eq!(
            flags(
                "{\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"StripAccents\"}, {\"type\": \"Lowercase\"}]}"
            ),
            (Some(true), Some(true))
        );
    }
}
