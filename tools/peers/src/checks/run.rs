//! llama.cpp evaluates the converted files: the logits after the fixture's tokens.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::briq::convert;
use crate::claims::Claims;
use crate::llama::Llama;
use crate::place::Place;

/// Largest relative RMS of the F32 file's logits against those of transformers, which sums in another order.
const F32_BOUND: f64 = 5e-3;

/// Largest relative RMS of a type's logits against the F32 file's.
///
/// The checkpoint is tiny and its weights are random, so nothing averages out: the bounds are twice what was
/// measured on files that llama.cpp itself had quantized, rounded up. They catch a tensor that is read
/// wrongly (which gives about 1.4, as of two unrelated vectors), not a byte; the check `files` does that.
const BOUNDS: &[(&str, f64)] = &[
    ("F16", 3e-3),
    ("BF16", 1e-2),
    ("Q8_0", 6e-2),
    ("Q6_K", 0.15),
    ("Q5_K_M", 0.3),
    ("Q5_K_S", 0.3),
    ("Q4_K_M", 0.5),
    ("Q4_K_S", 0.4),
    ("Q4_0", 0.6),
];

/// Evaluates every target.
pub(super) fn run(place: &Place) -> Result<()> {
    let llama = Llama::load(&place.libraries())?;
    let work = place.work("run")?;
    let (tokens, expected) = fixture(place)?;
    let logits = |target: &str| {
        let file = convert(place, &place.tiny_llama(), target, &work)?;
        llama.model(&file)?.logits(&tokens)
    };

    let mut claims = Claims::default();
    println!("target   against       relative RMS   bound");
    let full = logits("F32")?;
    let mut report = |target: &str, against: &str, error: f64, bound: f64| {
        println!("{target:8} {against:12} {error:13.2e} {bound:7}");
        claims.that(error <= bound, format_args!("{target}: relative RMS {error:.2e}, allowed is {bound}"));
    };
    report("F32", "transformers", relative_rms(&full, &expected), F32_BOUND);
    for &(target, bound) in BOUNDS {
        report(target, "F32", relative_rms(&logits(target)?, &full), bound);
    }
    claims.settle()
}

/// The fixture's tokens, and the logits after the last of them.
fn fixture(place: &Place) -> Result<(Vec<i32>, Vec<f32>)> {
    let path = place.expected();
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let json: Value = serde_json::from_slice(&text)?;
    Ok((
        serde_json::from_value(json["input_ids"].clone()).context("input_ids")?,
        serde_json::from_value(json["last_logits"].clone()).context("last_logits")?,
    ))
}

/// The root mean square of the difference over that of `expected`; infinite when they are not comparable.
pub(super) fn relative_rms(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let square = |x: f64| x * x;
    let difference: f64 =
        found.iter().zip(expected).map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
    let size: f64 = expected.iter().map(|&b| square(f64::from(b))).sum();
    let relative = (difference / size).sqrt();
    if relative.is_nan() { f64::INFINITY } else { relative }
}
