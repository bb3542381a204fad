//! llama.cpp loads and evaluates a file of each family: its logits, or its embedding, against those of transformers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::run::relative_rms;
use crate::briq::convert;
use crate::claims::Claims;
use crate::llama::{Llama, Model};
use crate::place::Place;

/// Largest relative RMS of an F32 file's results: both sides sum in their own order, and llama.cpp rounds a few
/// functions to halves.
const BOUND: f64 = 1e-3;

/// Families that llama.cpp computes with less. Of gpt-oss it quantizes what it multiplies with MXFP4, and always
/// rounds the range that yarn corrects. T5 does not scale its attention down, so that roundings grow.
const LOOSE: &[(&str, f64)] = &[("gpt_oss-mxfp4", 5e-2), ("t5", 5e-3)];

/// Largest relative RMS of a Q8_0 file's results against the F32 file's: twice what was measured on the deepest of
/// these models, whose weights are random and few, so that nothing averages out. A tensor that is read wrongly gives
/// about 1.4.
const Q8_0_BOUND: f64 = 0.3;

/// Evaluates every family, and whatever else the user has.
pub(super) fn run(place: &Place) -> Result<()> {
    let llama = Llama::load(&place.libraries())?;
    let mut claims = Claims::default();
    println!(
        "family                   results   F32 against transformers    bound   Q8_0 against F32   bound"
    );
    for Case { name, checkpoint, expected } in cases(place)? {
        let work = place.work(&format!("families/{name}"))?;
        let bound = LOOSE.iter().find(|(loose, _)| *loose == name).map_or(BOUND, |(_, bound)| *bound);
        let results =
            |target: &str| expected.compute(&llama.model(&convert(place, &checkpoint, target, &work)?)?);
        match (results("F32"), results("Q8_0")) {
            (Ok(full), Ok(small)) => {
                let (error, rounding) =
                    (relative_rms(&full, expected.results.values()), relative_rms(&small, &full));
                let kind = expected.results.kind();
                println!("{name:24} {kind:9} {error:24.2e} {bound:8} {rounding:18.2e} {Q8_0_BOUND:7}");
                claims.that(
                    error <= bound,
                    format_args!("{name}: relative RMS {error:.2e}, allowed is {bound}"),
                );
                claims.that(
                    rounding <= Q8_0_BOUND,
                    format_args!("{name} as Q8_0: relative RMS {rounding:.2e}, allowed is {Q8_0_BOUND}"),
                );
            }
            (Err(error), _) | (_, Err(error)) => claims.that(false, format_args!("{name}: {error:#}")),
        }
    }
    claims.settle()
}

/// A checkpoint and what is expected of it.
struct Case {
    name: String,
    checkpoint: PathBuf,
    expected: Expected,
}

/// The fixtures, and every folder in the user's that has a checkpoint in `hf` and its `expected.json`.
fn cases(place: &Place) -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    let fixtures: BTreeMap<String, Expected> = read(&place.families_expected())?;
    for (name, expected) in fixtures {
        cases.push(Case { checkpoint: place.families().join(&name), name, expected });
    }
    let Some(further) = &place.further_families else { return Ok(cases) };
    let mut folders = Vec::new();
    for entry in fs::read_dir(further).with_context(|| format!("cannot list {}", further.display()))? {
        folders.push(entry?.path());
    }
    folders.sort();
    for folder in folders.iter().filter(|folder| folder.join("hf").is_dir()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let expected = read(&folder.join("expected.json"))?;
        cases.push(Case { name, checkpoint: folder.join("hf"), expected });
    }
    Ok(cases)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| path.display().to_string())
}

/// What transformers computes of some tokens.
#[derive(Deserialize)]
struct Expected {
    input_ids: Vec<i32>,
    /// What a decoder is given beside an encoder's `input_ids`.
    #[serde(default)]
    decoder_input_ids: Option<Vec<i32>>,
    #[serde(flatten)]
    results: Results,
}

#[derive(Deserialize)]
enum Results {
    #[serde(rename = "last_logits")]
    Logits(Vec<f32>),
    #[serde(rename = "mean_pooled")]
    Embedding(Vec<f32>),
}

impl Expected {
    fn compute(&self, model: &Model<'_>) -> Result<Vec<f32>> {
        match (&self.results, &self.decoder_input_ids) {
            (Results::Embedding(_), _) => model.mean_embedding(&self.input_ids),
            (Results::Logits(_), None) => model.logits(&self.input_ids),
            (Results::Logits(_), Some(decoded)) => model.logits_after(&self.input_ids, decoded),
        }
    }
}

impl Results {
    fn values(&self) -> &[f32] {
        match self {
            Self::Logits(values) | Self::Embedding(values) => values,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Logits(_) => "logits",
            Self::Embedding(_) => "embedding",
        }
    }
}
