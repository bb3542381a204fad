//! Is a file right? Its structure, its scales, and with a source every weight in it.
//!
//! Without a source a file is held against the container's rules, and every block against the rule that what
//! it stands for is finite. With a source each tensor is decoded and compared with the weights it was made
//! from, and the dot-product kernel of its type is held against the definition. Bounds: spec/numerics.md.

mod bound;
mod dot;
mod measure;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use briq_format::{Gguf, Tensor, TensorType};
use rayon::prelude::*;
use serde::Serialize;

pub use bound::{RoundTripBound, round_trip_bound};

use crate::mapping::{Mapping, Written};
use crate::run::Progress;
use crate::source::Source;
use crate::weights::Weights;
use crate::{Error, Result};

use self::measure::Comparison;

/// What is found out about a file.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// A line per tensor, in the order of the file; then the tensors that the source has and the file lacks.
    pub tensors: Vec<TensorReport>,
    /// Whether every check passed.
    pub passed: bool,
}

/// What is found out about a tensor.
#[derive(Clone, Debug, Serialize)]
pub struct TensorReport {
    /// The name in the file.
    pub name: String,
    /// The type, in words.
    #[serde(rename = "type")]
    pub ty: String,
    /// The number of weights.
    pub weights: u64,
    /// The comparison with the source, where there is one and the type can be decoded.
    pub round_trip: Option<RoundTrip>,
    /// The kernel against its definition, where the type has a kernel and the tensor is a matrix.
    pub dot: Option<DotCheck>,
    /// What is wrong, in words; absent when nothing is.
    pub problem: Option<String>,
    /// What was left unchecked, and why.
    pub note: Option<String>,
}

/// A tensor of the file against the weights it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RoundTrip {
    /// The root mean square of the error, relative to that of the weights.
    pub relative_rmse: f64,
    /// The largest error of a weight.
    pub largest_error: f64,
    /// The cosine between both tensors taken as vectors.
    pub cosine: f64,
    /// The error of the worst block, as a part of what is allowed for it; absent where the type has no bound.
    pub worst_block: Option<f64>,
}

/// A kernel against its definition, on seeded activations.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DotCheck {
    /// Rows that were multiplied.
    pub rows: u64,
    /// The largest deviation, as a part of what is allowed for that row.
    pub worst: f64,
}

/// Checks a file by itself: every block of every type that briq knows stands for finite numbers.
///
/// # Errors
/// When `stop` was set. What is wrong with the file is in the report.
pub fn verify(model: &Gguf, progress: &(dyn Progress + Sync), stop: &AtomicBool) -> Result<Report> {
    let tensors: Vec<Tensor<'_>> = model.tensors().collect();
    report(&tensors, stop, |tensor| {
        let report = check_scales(tensor)?;
        progress.advance(tensor.info.bytes);
        Ok(report)
    })
}

/// Checks a file against the source it was made from.
///
/// # Errors
/// When the source is bad or cannot be mapped, reading fails, or `stop` was set.
pub fn verify_against(
    model: &Gguf,
    source: &Source,
    arch: Option<&str>,
    progress: &(dyn Progress + Sync),
    stop: &AtomicBool,
) -> Result<Report> {
    let mapping = Mapping::of(source, arch, None)?;
    let written: HashMap<&str, &Written> =
        mapping.written.iter().map(|written| (written.name.as_str(), written)).collect();
    let tensors: Vec<Tensor<'_>> = model.tensors().collect();
    let mut report = report(&tensors, stop, |tensor| {
        let mut report = check_scales(tensor)?;
        match written.get(tensor.name()) {
            _ if report.problem.is_some() => {}
            None => report.problem = Some("is not in the source".to_owned()),
            Some(written) => compare(tensor, source, written, &mut report)?,
        }
        progress.advance(tensor.info.bytes);
        Ok(report)
    })?;
    let there: HashMap<&str, ()> = tensors.iter().map(|tensor| (tensor.name(), ())).collect();
    for written in mapping.written.iter().filter(|written| !there.contains_key(written.name.as_str())) {
        report.passed = false;
        report.tensors.push(TensorReport {
            name: written.name.clone(),
            ty: "-".to_owned(),
            weights: written.shape.elements(),
            round_trip: None,
            dot: None,
            problem: Some("is in the source, but not in the file".to_owned()),
            note: None,
        });
    }
    Ok(report)
}

fn report(
    tensors: &[Tensor<'_>],
    stop: &AtomicBool,
    check: impl Fn(&Tensor<'_>) -> Result<TensorReport> + Sync,
) -> Result<Report> {
    let tensors: Vec<TensorReport> = tensors
        .par_iter()
        .map(|tensor| match stop.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => check(tensor),
        })
        .collect::<Result<_>>()?;
    let passed = tensors.iter().all(|tensor| tensor.problem.is_none());
    Ok(Report { tensors, passed })
}

fn check_scales(tensor: &Tensor<'_>) -> Result<TensorReport> {
    let mut report = TensorReport {
        name: tensor.name().to_owned(),
        ty: tensor.info.type_id.to_string(),
        weights: tensor.shape().elements(),
        round_trip: None,
        dot: None,
        problem: None,
        note: None,
    };
    let Ok(ty) = tensor.info.tensor_type() else {
        report.note = Some("of a type that briq does not know: only its place was checked".to_owned());
        return Ok(report);
    };
    let bytes = tensor.little_endian_bytes()?;
    match briq_codec::check_blocks(ty, &bytes) {
        Ok(None) => {}
        Ok(Some(index)) if ty.block_elements() == 1 => {
            report.problem = Some(format!("weight {index} is not finite"));
        }
        Ok(Some(index)) => {
            report.problem = Some(format!("block {index} stands for a number that is not finite"))
        }
        Err(error) => report.note = Some(format!("{error}: only its place was checked")),
    }
    Ok(report)
}

fn compare(tensor: &Tensor<'_>, source: &Source, written: &Written, report: &mut TensorReport) -> Result<()> {
    if tensor.shape().elements() != written.shape.elements()
        || tensor.shape().row_elements() != written.shape.row_elements()
    {
        report.problem =
            Some(format!("has shape {}, but the source gives {}", tensor.shape(), written.shape));
        return Ok(());
    }
    let Ok(ty) = tensor.info.tensor_type() else { return Ok(()) };
    let bytes = tensor.little_endian_bytes()?;
    let weights = Weights { source, origin: &written.origin, shape: written.shape };
    let comparison = Comparison::of(ty, &bytes, &weights)?;
    let round_trip = comparison.round_trip();
    report.round_trip = Some(round_trip);
    if round_trip.worst_block.is_none() {
        report.note =
            Some(format!("of type {ty}, which has no bound: its error was measured, but not judged"));
    }
    report.dot = dot::check(ty, &bytes, tensor.shape())?;
    report.problem = problem(&comparison, &round_trip, report.dot.as_ref(), ty);
    Ok(())
}

fn problem(
    comparison: &Comparison,
    round_trip: &RoundTrip,
    dot: Option<&DotCheck>,
    ty: TensorType,
) -> Option<String> {
    if let Some(worst) = round_trip.worst_block.filter(|worst| worst.is_nan() || *worst > 1.0) {
        let at = comparison.worst_at();
        return Some(format!("the block at weight {at} deviates {worst:.2} times as far as {ty} may"));
    }
    match dot {
        Some(dot) if dot.worst.is_nan() || dot.worst > 1.0 => {
            Some(format!("the dot product deviates {:.2} times as far as is allowed", dot.worst))
        }
        _ => None,
    }
}
