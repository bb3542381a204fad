//! Settings of a config that its file does not say.
//!
//! Some architectures have no key for the base of the rotary frequencies or for how they are stretched, and none has
//! one for `dynamic`: runtimes then rotate as if the config had no such setting. An output matrix that is not there is
//! the embeddings to them, whatever the config says. llama.cpp's converter writes such files, and so does briq, but it
//! says so.

use std::path::Path;

use briq_format::metadata::OwnedValue;

use super::keys::Facts;
use super::{Assembly, Model, Need, TensorRow, rope};
use crate::Result;

/// What runtimes take where a file does not say.
const USUAL_BASE: f32 = 10_000.0;

impl Model {
    /// The settings that a file of these tensors will not say, each with what comes of it.
    ///
    /// # Errors
    ///
    /// When a setting is malformed.
    pub(crate) fn unsaid(&self, assembly: &Assembly) -> Result<Vec<(String, &'static str)>> {
        let facts = Facts { config: &self.config, directory: Path::new(""), file_type: 0 };
        let mut unsaid = Vec::new();
        if let Some((key, kind)) = rope::stated_kind(&self.config)?
            && !self.says_scaling(kind, &facts)?
        {
            unsaid.push((
                format!("{key} of config.json"),
                "its architecture has no key for it; runtimes do not stretch the context",
            ));
        }
        let rows = || self.family.keys.iter().copied().flatten();
        let base = rope::frequency_base(&facts)?.filter(|base| *base != USUAL_BASE.into());
        if base.is_some() && !rows().any(|row| row.key == "rope.freq_base") {
            let reason = "its architecture has no key for it; runtimes take 10000";
            unsaid.push(("rope_theta of config.json".to_owned(), reason));
        }
        let is_output = |row: &&TensorRow| row.target == "output" && matches!(row.need, Need::Nothing);
        let is_untied = self.config.optional_flag("tie_word_embeddings")? == Some(false);
        let has_output = assembly.written.iter().any(|tensor| tensor.name == "output.weight");
        if is_untied && !has_output && self.family.rows().any(|row| is_output(&row)) {
            let reason = "there is no output matrix; runtimes take the embeddings";
            unsaid.push(("tie_word_embeddings of config.json".to_owned(), reason));
        }
        Ok(unsaid)
    }

    fn says_scaling(&self, kind: &str, facts: &Facts<'_>) -> Result<bool> {
        if matches!(kind, "longrope" | "su" | "llama3") {
            return Ok(!(self.family.generated)(&self.config)?.is_empty());
        }
        // The last row of a key decides.
        let mut rows = self.family.keys.iter().copied().flatten().rev();
        let row = rows.find(|row| row.key == "rope.scaling.type");
        let said = row.map(|row| row.value.resolve(facts)).transpose()?.flatten();
        Ok(said == Some(OwnedValue::from(kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::super::family::families;
    use super::*;

    fn unsaid(family: &str, rest: &str) -> Vec<String> {
        let family = *families().iter().find(|known| known.name == family).unwrap();
        let mut config = Config::from_text(&format!(
            "{{\"architectures\": [\"x\"], \"hidden_size\": 8, \"num_attention_heads\": 2, \"head_dim\": 4, {rest}}}"
        ));
        config.fill_all(family.defaults);
        let unsaid = Model { directory: "x".into(), config, family }.unsaid(&Assembly::default()).unwrap();
        unsaid.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn what_no_key_of_the_architecture_says_is_named() {
        let linear = "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}";
        let dynamic = "\"rope_parameters\": {\"rope_type\": \"dynamic\", \"factor\": 4.0}";
        let llama3 = "\"rope_scaling\": {\"rope_type\": \"llama3\"}";
        for family in ["phi2", "gpt_neox", "stablelm", "gemma2", "falcon", "cohere"] {
            assert_eq!(unsaid(family, linear), ["rope_scaling of config.json"], "{family}");
        }
        assert_eq!(unsaid("llama", dynamic), ["rope_parameters of config.json"]);
        assert_eq!(unsaid("qwen2", llama3), ["rope_scaling of config.json"]);
        assert_eq!(unsaid("gemma2", "\"rope_theta\": 1e6"), ["rope_theta of config.json"]);
        assert_eq!(unsaid("t5", "\"tie_word_embeddings\": false"), ["tie_word_embeddings of config.json"]);
    }

    #[test]
    fn what_a_key_or_a_tensor_says_is_not() {
        let none: [&str; 0] = [];
        assert_eq!(unsaid("llama", "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}"), none);
        assert_eq!(unsaid("llama", "\"rope_scaling\": {\"rope_type\": \"llama3\"}"), none);
        assert_eq!(
            unsaid("llama", "\"rope_theta\": 1e6, \"rope_scaling\": {\"rope_type\": \"default\"}"),
            none
        );
        assert_eq!(unsaid("gemma2", "\"rope_theta\": 10000"), none);
    }
}
