//! llama.cpp loads and evaluates a file of each family: its logits, or its embedding, against those of transformers.

use std::fs;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::run::relative_rms;
use crate::briq::convert;
use crate::claims::Claims;
use crate::llama::Llama;
use crate::place::Place;

/// Largest relative RMS of an F32 file's results: both sides sum in their own order, and llama.cpp rounds a few
/// functions to halves.
const BOUND: f64 = 1e-3;

/// Families that llama.cpp computes with less: it quantizes what it multiplies with MXFP4, and always rounds the
/// range that yarn corrects.
const LOOSE: &[(&str, f64)] = &[("gpt_oss-mxfp4", 5e-2)];

/// Largest relative RMS of a Q8_0 file's results against the F32 file's: twice what was measured on the deepest of
/// these models, whose weights are random and few, so that nothing averages out. A tensor that is read wrongly gives
/// about 1.4.
const Q8_0_BOUND: f64 = 0.3;

/// Evaluates every family.
pub(super) fn run(place: &Place) -> Result<()> {
    let llama = Llama::load(&place.libraries())?;
    let path = place.families_expected();
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let families: Map<String, Value> = serde_json::from_slice(&text)?;

    let mut claims = Claims::default();
    println!("family             results   F32 against transformers    bound   Q8_0 against F32   bound");
    for (family, expected) in &families {
        let work = place.work(&format!("families/{family}"))?;
        let tokens: Vec<i32> = serde_json::from_value(expected["input_ids"].clone()).context("input_ids")?;
        let is_embedding = expected["mean_pooled"].is_array();
        let (kind, key) = if is_embedding { ("embedding", "mean_pooled") } else { ("logits", "last_logits") };
        let wanted: Vec<f32> = serde_json::from_value(expected[key].clone()).context(key)?;
        let results = |target: &str| {
            let file = convert(place, &place.families().join(family), target, &work)?;
            let model = llama.model(&file)?;
            match is_embedding {
                true => model.pooled(&tokens),
                false => model.logits(&tokens),
            }
        };
        let bound = LOOSE.iter().find(|(loose, _)| loose == family).map_or(BOUND, |(_, bound)| *bound);
        match (results("F32"), results("Q8_0")) {
            (Ok(full), Ok(small)) => {
                let (error, rounding) = (relative_rms(&full, &wanted), relative_rms(&small, &full));
                println!("{family:18} {kind:9} {error:24.2e} {bound:8} {rounding:18.2e} {Q8_0_BOUND:7}");
                claims.that(
                    error <= bound,
                    format_args!("{family}: relative RMS {error:.2e}, allowed is {bound}"),
                );
                claims.that(
                    rounding <= Q8_0_BOUND,
                    format_args!("{family} as Q8_0: relative RMS {rounding:.2e}, allowed is {Q8_0_BOUND}"),
                );
            }
            (Err(error), _) | (_, Err(error)) => claims.that(false, format_args!("{family}: {error:#}")),
        }
    }
    claims.settle()
}
