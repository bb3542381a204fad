//! Is a file right? Its structure, its scales, and with a source every weight in it.
//!
//! Without a source a file is held against the container's rules, and every block against the rule that what
//! it stands for is finite. With a source each tensor is decoded and compared with the weights it was made
//! from, and the dot-product kernel of its type is held against the definition. Bounds: spec/numerics.md.

mod blocks;
mod bound;
mod dot;
mod measure;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use briq_codec::uses_importance;
use briq_format::metadata::keys;
use briq_format::shard::Part;
use briq_format::{TensorInfo, TensorType};
use rayon::prelude::*;
use serde::Serialize;

pub use bound::{RoundTripBound, round_trip_bound};

use crate::integrity::Tensors;
use crate::mapping::{Mapping, Written};
use crate::run::Progress;
use crate::source::Source;
use crate::weights::Weights;
use crate::{Error, Result};

use self::blocks::Blocks;
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
    /// The kernel against its definition, where the type has a kernel and the tensor is a matrix of rows that are not
    /// too long.
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

/// Checks a file by itself, all its shards as one: every block of every type that briq knows stands for finite numbers.
///
/// # Errors
/// When a file cannot be read or has become shorter, or `stop` was set. What is wrong with it is in the report.
pub fn verify(parts: &[Part], progress: &(dyn Progress + Sync), stop: &AtomicBool) -> Result<Report> {
    report(&Tensors::of(parts), |info, blocks| {
        let report = check_scales(info, blocks, stop)?;
        progress.advance(info.bytes);
        Ok(report)
    })
}

/// Checks a file against the source it was made from, whose architecture or family the caller may name as for
/// [`Plan::new`](crate::plan::Plan::new).
///
/// # Errors
/// As [`verify`]; and when the source is bad or cannot be mapped.
pub fn verify_against(
    parts: &[Part],
    source: &Source,
    arch: Option<&str>,
    arch_as: Option<&str>,
    progress: &(dyn Progress + Sync),
    stop: &AtomicBool,
) -> Result<Report> {
    let mapping = Mapping::of(source, arch, arch_as)?;
    let written: HashMap<&str, &Written> =
        mapping.written.iter().map(|written| (written.name.as_str(), written)).collect();
    let tensors = Tensors::of(parts);
    let by_importance = parts.first().is_some_and(|first| {
        first.head.view().metadata().iter().any(|(key, _)| key.starts_with(keys::IMATRIX_PREFIX))
    });
    let mut report = report(&tensors, |info, blocks| {
        let mut report = check_scales(info, blocks, stop)?;
        match written.get(info.name) {
            _ if report.problem.is_some() => {}
            None => report.problem = Some("is not in the source".to_owned()),
            Some(written) => compare(info, blocks, source, written, by_importance, &mut report)?,
        }
        progress.advance(info.bytes);
        Ok(report)
    })?;
    let there: HashSet<&str> = tensors.infos.iter().map(|info| info.name).collect();
    for written in mapping.written.iter().filter(|written| !there.contains(written.name.as_str())) {
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

/// A line for each tensor. Its blocks are there where its type is known.
fn report(
    tensors: &Tensors<'_>,
    check: impl Fn(&TensorInfo<'_>, Option<&Blocks<'_>>) -> Result<TensorReport> + Sync,
) -> Result<Report> {
    let tensors: Vec<TensorReport> = tensors
        .infos
        .par_iter()
        .zip(&tensors.places)
        .map(|(info, place)| check(info, Blocks::of(*info, *place).as_ref()))
        .collect::<Result<_>>()?;
    let passed = tensors.iter().all(|tensor| tensor.problem.is_none());
    Ok(Report { tensors, passed })
}

fn check_scales(
    info: &TensorInfo<'_>,
    blocks: Option<&Blocks<'_>>,
    stop: &AtomicBool,
) -> Result<TensorReport> {
    let mut report = TensorReport {
        name: info.name.to_owned(),
        ty: info.type_id.to_string(),
        weights: info.shape.elements(),
        round_trip: None,
        dot: None,
        problem: None,
        note: None,
    };
    let Some(blocks) = blocks else {
        report.note = Some("of a type that briq does not know: only its place was checked".to_owned());
        return Ok(report);
    };
    let mut bytes = Vec::new();
    for range in blocks.chunks() {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let first = range.start / blocks.ty.block_elements();
        blocks.read(range, &mut bytes)?;
        match briq_codec::check_blocks(blocks.ty, &bytes) {
            Ok(None) => {}
            Ok(Some(index)) => {
                let index = first + index as u64;
                report.problem = Some(match blocks.ty.block_elements() {
                    1 => format!("weight {index} is not finite"),
                    _ => format!("block {index} stands for a number that is not finite"),
                });
                break;
            }
            Err(error) => {
                report.note = Some(format!("{error}: only its place was checked"));
                break;
            }
        }
    }
    Ok(report)
}

/// `by_importance` says that the file was made with an importance matrix: it asks for more error in some weights
/// than bounds allow that hold where all weigh alike.
fn compare(
    info: &TensorInfo<'_>,
    blocks: Option<&Blocks<'_>>,
    source: &Source,
    written: &Written,
    by_importance: bool,
    report: &mut TensorReport,
) -> Result<()> {
    if info.shape.significant_dims() != written.shape.significant_dims() {
        report.problem = Some(format!("has shape {}, but the source gives {}", info.shape, written.shape));
        return Ok(());
    }
    let Some(blocks) = blocks else { return Ok(()) };
    let ty = blocks.ty;
    let weights = Weights { source, origin: &written.origin, shape: written.shape };
    let comparison = Comparison::of(blocks, &weights)?;
    let mut round_trip = comparison.round_trip();
    if by_importance && uses_importance(ty) && round_trip.worst_block.take().is_some() {
        report.note = Some(format!(
            "of type {ty}, made with an importance matrix: its error was measured, but not judged"
        ));
    } else if round_trip.worst_block.is_none() {
        report.note =
            Some(format!("of type {ty}, which has no bound: its error was measured, but not judged"));
    }
    report.round_trip = Some(round_trip);
    let row_elements = info.shape.row_elements();
    let read_row = |number: u64, row: &mut Vec<u8>| {
        let start = number * row_elements;
        blocks.read(start..start + row_elements, row)
    };
    report.dot = dot::check(ty, info.shape, read_row)?;
    if row_elements > dot::LONGEST_ROW {
        let note = format!("its rows of {row_elements} are too long for the check of dot products");
        report.note = Some(report.note.take().map_or(note.clone(), |before| format!("{before}; {note}")));
    }
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
    // Where a bound judges, it knows of weights that are too small for the type.
    if let (None, Some(matrix)) = (round_trip.worst_block, comparison.erased()) {
        return Some(format!(
            "decodes to nothing but 0 in matrix {matrix}, which has other weights in the source"
        ));
    }
    match dot {
        Some(dot) if dot.worst.is_nan() || dot.worst > 1.0 => {
            Some(format!("the dot product deviates {:.2} times as far as is allowed", dot.worst))
        }
        _ => None,
    }
}
