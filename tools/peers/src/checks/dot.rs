//! Dot products of every type beside ggml's, by `briq bench dot`, in which both sides are given the same blocks and the
//! same activations: nothing but the order of sums is between them, and briq states how far that may go.

use std::process::Command;

use anyhow::{Result, ensure};
use briq_codec::Isa;
use briq_format::TensorType;
use briq_kernels::can_dot;
use serde::Deserialize;

use crate::briq::finish;
use crate::claims::Claims;
use crate::parallel;
use crate::place::Place;

/// Seven rows, which are all that differ.
const WEIGHTS: &str = "28672";

/// Kernels of the instruction set that most processors have, and ggml's for these.
const WITH_AVX2: &[&str] = &["--isa", "avx2", "--peer-cpu", "haswell"];

/// What `briq bench dot --json` says.
#[derive(Deserialize)]
struct Report {
    isa: String,
    peer: String,
    lines: Vec<Line>,
}

/// What it says of a type. A number that is not finite is missing.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type")]
    name: String,
    difference: Option<f64>,
    difference_bound: Option<f64>,
}

/// Compares every type, with the best of both sides and with AVX2.
pub(super) fn run(place: &Place) -> Result<()> {
    let mut ways: Vec<&[&str]> = vec![&[]];
    if Isa::available().iter().any(|isa| isa.name() == "avx2") {
        ways.push(WITH_AVX2);
    }
    let mut claims = Claims::default();
    for report in parallel::map(&ways, |options| measure(place, options)) {
        let Report { isa, peer, lines } = report?;
        println!("{isa}, against {peer}, over the largest product");
        println!("type      difference  allowed");
        for Line { name, difference, difference_bound } in lines {
            let shown = |number: Option<f64>| number.map_or("-".to_owned(), |number| format!("{number:.0e}"));
            let (found, allowed) = (shown(difference), shown(difference_bound));
            println!("{name:8} {found:>11} {allowed:>8}");
            let is_within = difference.zip(difference_bound).is_some_and(|(found, bound)| found <= bound);
            claims.that(is_within, format_args!("{isa}, {name}: {found} from ggml, allowed is {allowed}"));
        }
    }
    claims.settle()
}

fn measure(place: &Place, options: &[&str]) -> Result<Report> {
    let mut command = Command::new(&place.briq);
    command.args(["bench", "dot", "--json", "--weights", WEIGHTS]).args(options);
    let said = finish(command.arg("--peer").arg(place.libraries()))?;
    let report: Report = serde_json::from_str(&said)?;
    let types = TensorType::ALL.iter().filter(|&&ty| can_dot(ty)).count();
    ensure!(report.lines.len() == types, "{} lines for {types} types", report.lines.len());
    Ok(report)
}
