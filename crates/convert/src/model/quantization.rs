//! Checkpoints whose weights are quantized already: which are taken, and how their scales are found.

use super::Config;
use crate::json::Json;
use crate::{Error, Result};

/// How the scales of a checkpoint in FP8 or 8-bit integers go with its weights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scales {
    /// What a weight's name has behind it to be the name of its scales.
    ending: &'static str,
    /// Rows and columns of the blocks that share a scale, where there are blocks.
    pub(crate) block: Option<[u64; 2]>,
}

const KEYS: [&str; 2] = ["quantization_config", "compression_config"];

impl Scales {
    /// The scales of the checkpoint that `config` describes; nothing where its weights are floats, or of a kind
    /// that a family takes as it is.
    ///
    /// # Errors
    ///
    /// When the weights are quantized in a way that is not known.
    pub(crate) fn of(config: &Config) -> Result<Option<Self>> {
        let Some((settings, method)) = settings(config) else { return Ok(None) };
        let whole = |ending| Ok(Some(Self { ending, block: None }));
        match method {
            "fp8" => {
                Ok(Some(Self { ending: "_scale_inv", block: block(config, settings, "weight_block_size")? }))
            }
            "fbgemm_fp8" => whole("_scale"),
            "modelopt" if text(settings, "quant_algo") == Some("FP8") => whole("_scale"),
            "modelopt" => Err(refusal(config, "of its kinds, FP8 is read")),
            "compressed-tensors" => {
                let weights = of_one_group(settings).map_err(|what| refusal(config, what))?;
                Ok(Some(Self { ending: "_scale", block: block(config, weights, "block_structure")? }))
            }
            _ => Ok(None),
        }
    }

    /// Whether a tensor of this name holds scales.
    pub(crate) fn are_in(&self, name: &str) -> bool {
        name.strip_suffix(self.ending)
            .is_some_and(|weight| weight.ends_with(".weight") || weight.ends_with("_proj"))
    }

    /// The name of the scales of the weight of this name.
    pub(crate) fn name_for(&self, weight: &str) -> String {
        format!("{weight}{}", self.ending)
    }
}

/// What compressed-tensors says of the weights, or why they are not read.
fn of_one_group(settings: &Json) -> Result<&Json, &'static str> {
    let groups = settings.get("config_groups").and_then(Json::as_object);
    let weights =
        groups.map(|groups| groups.values().filter_map(|group| group.get("weights")).collect::<Vec<_>>());
    let Some([weights]) = weights.as_deref() else {
        return Err("one group of weights is read, and no more");
    };
    let is_null = |key: &str| weights.get(key).is_none_or(|value| matches!(value, Json::Null));
    match text(settings, "format") {
        Some("float-quantized" | "int-quantized" | "naive-quantized")
            if weights.get("num_bits").and_then(Json::as_u32) == Some(8) => {}
        _ => return Err("of its formats, those with 8 bits and a scale for a tensor, row or block are read"),
    }
    if !is_null("group_size") {
        return Err("scales for groups of columns are not read");
    }
    match weights.get("symmetric").and_then(Json::as_bool) {
        Some(false) => Err("zero points are not read"),
        _ => Ok(weights),
    }
}

fn text<'a>(settings: &'a Json, key: &str) -> Option<&'a str> {
    settings.get(key).and_then(Json::as_str)
}

/// Fails where the weights are quantized in a way that neither `taken`, the family's own, nor [`Scales`] covers.
pub(super) fn check(config: &Config, taken: Option<&str>) -> Result<()> {
    match settings(config) {
        None => Ok(()),
        Some((_, method)) if taken == Some(method) => Ok(()),
        Some(_) => match Scales::of(config)? {
            Some(_) => Ok(()),
            None => Err(refusal(config, "weights in FP8 and 8-bit integers with scales are read")),
        },
    }
}

/// Whether a tensor of this name holds what only quantized arithmetic needs, and why it goes.
pub(super) fn dropped(name: &str, config: &Config) -> Option<&'static str> {
    const ACTIVATIONS: [&str; 7] = [
        ".input_scale",
        ".input_scale_ub",
        ".output_scale",
        "activation_scale",
        ".k_scale",
        ".v_scale",
        ".q_scale",
    ];
    let is_scale = ACTIVATIONS.iter().any(|ending| name.ends_with(ending));
    (is_scale && settings(config).is_some()).then_some("a scale of activations, which stay floats")
}

/// The settings and their method, which is empty where they have none.
fn settings(config: &Config) -> Option<(&Json, &str)> {
    let settings = KEYS.iter().find_map(|key| config.get(key))?;
    Some((settings, text(settings, "quant_method").unwrap_or_default()))
}

fn refusal(config: &Config, what: &str) -> Error {
    let (key, settings) =
        KEYS.iter().find_map(|key| Some((*key, config.get(key)?))).unwrap_or((KEYS[0], &Json::Null));
    let method = settings.get("quant_method").filter(|method| !method.is_null());
    let method = method.map_or("no quant_method".to_owned(), |method| format!("quant_method {method}"));
    config.bad(format!(
        "the weights are quantized already (\"{key}\" has {method}), and {what}; convert the checkpoint in floats that \
         this one was made from, or turn its weights into floats first"
    ))
}

fn block(config: &Config, settings: &Json, key: &str) -> Result<Option<[u64; 2]>> {
    let Some(sizes) = settings.get(key).filter(|sizes| !matches!(sizes, Json::Null)) else { return Ok(None) };
    let size = |size: &Json| size.as_u32().filter(|&size| size > 0).map(u64::from);
    match sizes.as_array() {
        Some([rows, columns]) => size(rows).zip(size(columns)).map(|(rows, columns)| Some([rows, columns])),
        _ => None,
    }
    .ok_or_else(|| config.bad(format!("{key:?} is {sizes}; allowed are two integers above zero")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scales(settings: &str) -> Result<Option<Scales>> {
        Scales::of(&Config::from_text(&format!("{{\"quantization_config\": {settings}}}")))
    }

    #[test]
    fn scales_of_a_tensor_a_row_or_a_block_are_known_and_others_refused() {
        let block = Some([128, 64]);
        let found = scales("{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 64]}").unwrap();
        assert_eq!(found, Some(Scales { ending: "_scale_inv", block }));
        let group = |weights: &str, format: &str| {
            scales(&format!(
                "{{\"quant_method\": \"compressed-tensors\", \"format\": \"{format}\",
                   \"config_groups\": {{\"group_0\": {{\"weights\": {{\"num_bits\": 8{weights}}}}}}}}}"
            ))
        };
        assert_eq!(group("", "float-quantized").unwrap(), Some(Scales { ending: "_scale", block: None }));
        let blocks =
            group(", \"block_structure\": [128, 64], \"group_size\": null", "float-quantized").unwrap();
        assert_eq!(blocks.and_then(|scales| scales.block), block);
        for (weights, format) in [
            ("", "pack-quantized"),
            (", \"group_size\": 64", "int-quantized"),
            (", \"symmetric\": false", "int-quantized"),
        ] {
            assert!(group(weights, format).is_err(), "{weights} {format}");
        }
        assert!(scales("{\"quant_method\": \"modelopt\", \"quant_algo\": \"NVFP4\"}").is_err());
        assert!(scales("{\"quant_method\": \"fp8\", \"weight_block_size\": [0, 1]}").is_err());
    }

    #[test]
    fn every_other_method_is_refused_by_name_and_with_a_way_out() {
        for method in ["gptq", "awq", "bitsandbytes", "hqq", "torchao", "bitnet", "mxfp4"] {
            let text = format!("{{\"quantization_config\": {{\"quant_method\": \"{method}\"}}}}");
            let message = format!(
                "config.json: the weights are quantized already (\"quantization_config\" has quant_method \
                 \"{method}\"), and weights in FP8 and 8-bit integers with scales are read; convert the checkpoint in \
                 floats that this one was made from, or turn its weights into floats first"
            );
            assert_eq!(check(&Config::from_text(&text), None).unwrap_err().to_string(), message);
        }
        assert!(
            check(
                &Config::from_text("{\"quantization_config\": {\"quant_method\": \"mxfp4\"}}"),
                Some("mxfp4")
            )
            .is_ok()
        );
    }
}
