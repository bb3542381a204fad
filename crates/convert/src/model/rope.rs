//! Rotary position embedding: its keys, and the frequency factors of Llama 3.
//!
//! A config has its settings under `rope_scaling` or, written by newer releases, `rope_parameters`; either
//! is one object, or one for each kind of attention, and what it leaves out is looked up beside it. Kinds that are not
//! known are refused; what no key of an architecture says is named by `unsaid`.

use briq_format::metadata::OwnedValue;

use super::config::number;
use super::keys::Facts;
use super::{Config, Generated};
use crate::json::{Json, Object};
use crate::{Error, Result};

/// How positions beyond the trained context are reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scaling {
    /// Not at all, or by a rule that a runtime has to know (`dynamic`).
    None,
    Linear,
    Yarn,
    LongRope,
    /// By factors for each frequency, carried as a tensor.
    Llama3,
}

/// The object that holds the settings, if any, and its key.
fn settings(config: &Config) -> Result<Option<(&str, &Object)>> {
    let Some((key, value)) = config.first(&["rope_parameters", "rope_scaling"]) else { return Ok(None) };
    let object = value.as_object().ok_or_else(|| config.error(key, "an object or null"))?;
    // With settings for each kind of attention, those of full attention are the main ones.
    match object.get("full_attention").and_then(Json::as_object) {
        Some(full) => Ok(Some((key, full))),
        None => Ok(Some((key, object))),
    }
}

/// The number called `name` in the settings or, failing that, at the root.
fn setting(config: &Config, name: &str) -> Result<Option<f64>> {
    if let Some((key, object)) = settings(config)?
        && let Some(value) = object.get(name).filter(|value| !value.is_null())
    {
        let problem = || config.bad(format!("\"{key}.{name}\" is {value}; allowed is a finite number"));
        return number(value).map(Some).ok_or_else(problem);
    }
    config.optional_number(name)
}

fn scaling(config: &Config) -> Result<Scaling> {
    let Some((key, object)) = settings(config)? else { return Ok(Scaling::None) };
    let kind = object.get("rope_type").or_else(|| object.get("type")).filter(|kind| !kind.is_null());
    match kind.map(Json::as_str) {
        None | Some(Some("default" | "dynamic")) => Ok(Scaling::None),
        Some(Some("linear")) => Ok(Scaling::Linear),
        Some(Some("yarn")) => Ok(Scaling::Yarn),
        Some(Some("longrope" | "su")) => Ok(Scaling::LongRope),
        Some(Some("llama3")) => Ok(Scaling::Llama3),
        _ => Err(config.bad(format!(
            "the {key} is of type {}; known are default, dynamic, linear, llama3, longrope and yarn",
            kind.unwrap_or(&Json::Null)
        ))),
    }
}

/// The key and the kind of a scaling that a file has to tell of, if any.
pub(super) fn stated_kind(config: &Config) -> Result<Option<(&str, &str)>> {
    // The kind is one of those that are known.
    let is_scaled = scaling(config)? != Scaling::None;
    let Some((key, object)) = settings(config)? else { return Ok(None) };
    let kind = object.get("rope_type").or_else(|| object.get("type")).and_then(Json::as_str);
    Ok(kind.filter(|kind| is_scaled || *kind == "dynamic").map(|kind| (key, kind)))
}

/// The value of `rope.scaling.type`.
pub(super) fn scaling_type(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    Ok(match scaling(facts.config)? {
        Scaling::Linear => Some("linear".into()),
        Scaling::Yarn => Some("yarn".into()),
        Scaling::LongRope => Some("longrope".into()),
        Scaling::None | Scaling::Llama3 => None,
    })
}

/// The value of `rope.scaling.factor`.
pub(super) fn scaling_factor(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    if !matches!(scaling(facts.config)?, Scaling::Linear | Scaling::Yarn) {
        return Ok(None);
    }
    let factor = setting(facts.config, "factor")?;
    let factor = factor.ok_or_else(|| facts.config.bad("the rope scaling has no \"factor\""))?;
    Ok(Some(facts.config.single("factor", factor)?.into()))
}

/// The value of `rope.scaling.original_context_length`.
pub(super) fn original_context_length(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    const KEY: &str = "original_max_position_embeddings";
    if scaling(facts.config)? != Scaling::Yarn {
        return Ok(None);
    }
    let length = setting(facts.config, KEY)?;
    let length =
        length.filter(|length| length.fract() == 0.0 && (1.0..=f64::from(u32::MAX)).contains(length));
    let length = length.ok_or_else(|| {
        facts.config.bad(format!("yarn scaling needs {KEY:?}, an integer from 1 to 4294967295"))
    })?;
    Ok(Some((length as u32).into()))
}

/// One of yarn's own numbers, under the first of `names` that there is.
pub(super) fn yarn(facts: &Facts<'_>, names: &[&str]) -> Result<Option<OwnedValue>> {
    if scaling(facts.config)? != Scaling::Yarn {
        return Ok(None);
    }
    for name in names {
        if let Some(number) = setting(facts.config, name)? {
            return Ok(Some(facts.config.single(name, number)?.into()));
        }
    }
    Ok(None)
}

/// The value of `rope.freq_base`.
pub(super) fn frequency_base(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    for name in
        ["rope_theta", "rotary_emb_base", "global_rope_theta", "rope_global_theta", "rope_theta_global"]
    {
        if let Some(base) = setting(facts.config, name)? {
            return Ok(Some(facts.config.single(name, base)?.into()));
        }
    }
    Ok(None)
}

/// The value of `rope.freq_base_swa`, for layers that attend to a window.
pub(super) fn sliding_frequency_base(facts: &Facts<'_>) -> Result<Option<OwnedValue>> {
    let config = facts.config;
    let kinds = config.first(&["rope_parameters", "rope_scaling"]).map(|(_, value)| value);
    if let Some(sliding) = kinds.and_then(|kinds| kinds.get("sliding_attention")) {
        let base = sliding.get("rope_theta").filter(|value| !value.is_null());
        let problem = || config.bad("the \"rope_theta\" of \"sliding_attention\" is no finite number");
        let single = |base| config.single("rope_theta", number(base).ok_or_else(problem)?);
        return Ok(base.map(single).transpose()?.map(OwnedValue::from));
    }
    for name in
        ["local_rope_theta", "rope_local_theta", "rope_theta_local", "swa_rope_theta", "rope_local_base_freq"]
    {
        if let Some(base) = config.optional_number(name)? {
            return Ok(Some(config.single(name, base)?.into()));
        }
    }
    Ok(None)
}

/// The tensors of longrope's factors for each frequency, for contexts beyond the trained one and within it.
///
/// # Errors
///
/// When a factor is no finite number, or there are not `head_size / 2` of each.
pub(super) fn long_and_short_factors(config: &Config, head_size: u64) -> Result<Vec<Generated>> {
    if scaling(config)? != Scaling::LongRope {
        return Ok(Vec::new());
    }
    let Some((_, object)) = settings(config)? else { return Ok(Vec::new()) };
    [("long_factor", "rope_factors_long.weight"), ("short_factor", "rope_factors_short.weight")]
        .into_iter()
        .map(|(key, name)| {
            let factors = object.get(key).and_then(Json::as_array).unwrap_or_default();
            let single = |factor: &Json| {
                number(factor).map(|factor| factor as f32).filter(|factor| factor.is_finite())
            };
            let values: Option<Vec<f32>> = factors.iter().map(single).collect();
            let values = values.filter(|values| values.len() as u64 == head_size / 2);
            let values = values.ok_or_else(|| {
                config.bad(format!("{key:?} of the rope scaling must be {} finite numbers", head_size / 2))
            })?;
            Ok(Generated { name: name.into(), shape: vec![values.len() as u64], values })
        })
        .collect()
}

/// One number of the scaling's settings, or beside them.
///
/// # Errors
///
/// When it is no finite number.
pub(super) fn number_of(config: &Config, name: &str) -> Result<Option<f64>> {
    setting(config, name)
}

/// The tensor `rope_freqs.weight` of Llama 3's scaling: a divisor for each of the `head_size / 2`
/// frequencies, in F32; nothing for other kinds of scaling. `factor` is what the class has by default.
///
/// With w the wavelength 2 pi / f of a frequency and c the context the model was trained for: 1 where
/// w < c / high, `factor` where w > c / low, and in between 1 / ((1 - s) / factor + s) with
/// s = (c / w - low) / (high - low).
///
/// # Errors
///
/// When a setting is not a number, or the factors come out as no finite number above zero.
pub(super) fn llama3_factors(config: &Config, head_size: u64, factor: f64) -> Result<Option<Generated>> {
    if scaling(config)? != Scaling::Llama3 {
        return Ok(None);
    }
    let or = |name, default: f64| Ok::<_, Error>(setting(config, name)?.unwrap_or(default));
    let base = or("rope_theta", 10_000.0)?;
    let (factor, low, high) =
        (or("factor", factor)?, or("low_freq_factor", 1.0)?, or("high_freq_factor", 4.0)?);
    let context = or("original_max_position_embeddings", 8192.0)?;
    if head_size > MOST_HEAD_SIZE {
        return Err(config.bad(format!("heads of {head_size} values; at most {MOST_HEAD_SIZE} are rotated")));
    }
    let (shortest, longest) = ((context / high) as f32, (context / low) as f32);
    let (context, range, low, factor) = (context as f32, (high - low) as f32, low as f32, factor as f32);
    // Steps and roundings are those of the converter's tensor library, where `number / tensor` multiplies by
    // the reciprocal. Only the power may differ in its last bit: here it is taken in double and rounded once,
    // so that it is the same whatever the platform's math library.
    let factor_at = |pair: u64| {
        let exponent = (2 * pair) as f32 / head_size as f32;
        let frequency = 1.0 / base.powf(exponent.into()) as f32;
        let wavelength = (1.0 / frequency) * std::f32::consts::TAU;
        if wavelength < shortest {
            1.0
        } else if wavelength > longest {
            factor
        } else {
            let smooth = ((1.0 / wavelength) * context - low) / range;
            1.0 / ((1.0 - smooth) / factor + smooth)
        }
    };
    let values: Vec<f32> = (0..head_size / 2).map(factor_at).collect();
    if values.iter().any(|value| !value.is_finite() || *value <= 0.0) {
        return Err(
            config.bad("the llama3 rope scaling gives a frequency factor that is not a number above zero")
        );
    }
    Ok(Some(Generated { name: "rope_freqs.weight".into(), shape: vec![values.len() as u64], values }))
}

/// A bound on what a config alone can make us compute.
const MOST_HEAD_SIZE: u64 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn with<T>(text: &str, read: impl Fn(&Facts<'_>) -> Result<T>) -> Result<T> {
        let config = Config::from_text(text);
        read(&Facts { config: &config, directory: Path::new("."), file_type: 0 })
    }

    #[test]
    fn both_spellings_of_the_settings_are_read_and_the_root_fills_in() {
        let old = "{\"rope_theta\": 5.0, \"max_position_embeddings\": 9,
                    \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4, \"attn_factor\": 0.5,
                                       \"original_max_position_embeddings\": 128}}";
        let new = "{\"original_max_position_embeddings\": 128,
                    \"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"attention_factor\": 0.5,
                                          \"rope_theta\": 5.0}}";
        for text in [old, new] {
            assert_eq!(with(text, scaling_type).unwrap(), Some("yarn".into()));
            assert_eq!(with(text, scaling_factor).unwrap(), Some(4.0_f32.into()));
            assert_eq!(with(text, original_context_length).unwrap(), Some(128_u32.into()));
            let attention = with(text, |facts| yarn(facts, &["attention_factor", "attn_factor"]));
            assert_eq!(attention.unwrap(), Some(0.5_f32.into()));
            assert_eq!(with(text, |facts| yarn(facts, &["beta_fast"])).unwrap(), None);
            assert_eq!(with(text, frequency_base).unwrap(), Some(5.0_f32.into()));
        }
    }

    #[test]
    fn kinds_without_keys_write_none_and_unknown_kinds_are_refused() {
        for text in [
            "{}",
            "{\"rope_scaling\": null}",
            "{\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}}",
            "{\"rope_parameters\": {\"rope_type\": \"default\"}}",
            "{\"rope_scaling\": {\"rope_type\": \"llama3\"}}",
        ] {
            assert_eq!(with(text, scaling_type).unwrap(), None, "{text}");
            assert_eq!(with(text, scaling_factor).unwrap(), None, "{text}");
        }
        let longrope = "{\"rope_scaling\": {\"type\": \"su\", \"factor\": 2}}";
        assert_eq!(with(longrope, scaling_type).unwrap(), Some("longrope".into()));
        assert_eq!(with(longrope, scaling_factor).unwrap(), None);
        for text in ["{\"rope_scaling\": 3}", "{\"rope_scaling\": {\"type\": \"ntk\"}}"] {
            assert!(with(text, scaling_type).is_err(), "{text}");
        }
        assert!(with("{\"rope_scaling\": {\"type\": \"linear\"}}", scaling_factor).is_err());
        assert!(with("{\"rope_scaling\": {\"type\": \"yarn\"}}", original_context_length).is_err());
    }

    #[test]
    fn llama_3_factors_agree_with_the_formula_in_double() {
        let config = Config::from_text(
            "{\"rope_theta\": 500000.0, \"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 32.0,
              \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 8192}}",
        );
        let generated = llama3_factors(&config, 64, 8.0).unwrap().unwrap();
        assert_eq!((generated.name.as_str(), generated.shape.as_slice()), ("rope_freqs.weight", &[32][..]));
        for (pair, &found) in generated.values.iter().enumerate() {
            let wavelength = std::f64::consts::TAU * 500_000f64.powf(pair as f64 / 32.0);
            let smooth = ((8192.0 / wavelength - 1.0) / 3.0).clamp(0.0, 1.0);
            let expected = 1.0 / ((1.0 - smooth) / 32.0 + smooth);
            assert!((f64::from(found) / expected - 1.0).abs() < 1e-5, "{pair}: {found} {expected}");
        }
        assert_eq!(generated.values[0], 1.0);
        assert_eq!(generated.values[31], 32.0);
        let between = generated.values.iter().filter(|value| (1.5..31.0).contains(*value)).count();
        assert!(between > 0, "the settings reach the middle branch");
    }

    #[test]
    fn absurd_llama_3_settings_are_refused() {
        for settings in ["\"factor\": 0", "\"factor\": \"8\"", "\"factor\": NaN", "\"rope_theta\": -1"] {
            let text = format!("{{\"rope_scaling\": {{\"rope_type\": \"llama3\", {settings}}}}}");
            assert!(llama3_factors(&Config::from_text(&text), 128, 8.0).is_err(), "{settings}");
        }
        let config = Config::from_text("{\"rope_scaling\": {\"rope_type\": \"llama3\"}}");
        assert!(llama3_factors(&config, u64::from(u32::MAX), 8.0).is_err());
    }
}
