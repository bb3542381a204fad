//! What was measured of one type, as a line of a table or as JSON.

use std::io::{self, Write};

use briq_format::TensorType;
use serde::Serialize;

use super::data::ROW;
use super::rounds::Outcome;

/// The figures of one type. Rates are those of the best round.
#[derive(Serialize)]
pub(super) struct Figures {
    #[serde(rename = "type")]
    name: &'static str,
    /// Whether the encoder was given importance.
    importance: bool,
    weights: usize,
    rounds: u32,
    weights_per_second: f64,
    /// Weights and blocks together, read and written.
    bytes_per_second: f64,
    /// The bytes per second of a memory copy between the rounds, also read and written.
    copy_bytes_per_second: f64,
    /// Missing where there is no peer, or none that knows this type.
    peer: Option<PeerFigures>,
}

#[derive(Serialize)]
struct PeerFigures {
    weights_per_second: f64,
    /// Ours divided by theirs.
    ratio: f64,
    differing_bytes: usize,
}

impl Figures {
    /// The rates that follow from times, of a copy of `copied` weights among them.
    pub(super) fn new(ty: TensorType, importance: bool, outcome: &Outcome, copied: usize) -> Self {
        let weights = outcome.rows * ROW;
        let block_bytes = weights as f64 / ty.block_elements() as f64 * ty.block_bytes() as f64;
        let weight_bytes = size_of::<f32>() as f64;
        let (ours, copy) = (outcome.ours.as_secs_f64(), outcome.copy.as_secs_f64());
        Self {
            name: ty.name(),
            importance,
            weights,
            rounds: outcome.rounds,
            weights_per_second: weights as f64 / ours,
            bytes_per_second: (weights as f64 * weight_bytes + block_bytes) / ours,
            copy_bytes_per_second: 2.0 * copied as f64 * weight_bytes / copy,
            peer: outcome.theirs.map(|(theirs, differing_bytes)| PeerFigures {
                weights_per_second: weights as f64 / theirs.as_secs_f64(),
                ratio: theirs.as_secs_f64() / ours,
                differing_bytes,
            }),
        }
    }

    /// Whether a peer wrote something else.
    pub(super) fn differ(&self) -> bool {
        self.peer.as_ref().is_some_and(|peer| peer.differing_bytes > 0)
    }

    /// The heading of the table; `has_peer` adds three columns.
    pub(super) fn print_heading(out: &mut impl Write, has_peer: bool) -> io::Result<()> {
        write!(out, "{:8} {:10} {:>10} {:>9} {:>8}", "type", "importance", "weights", "Mw/s", "of copy")?;
        if has_peer {
            write!(out, " {:>9} {:>6}  differing bytes", "peer Mw/s", "ratio")?;
        }
        writeln!(out)
    }

    /// A line of the table.
    pub(super) fn print(&self, out: &mut impl Write, has_peer: bool) -> io::Result<()> {
        let millions = self.weights_per_second / 1e6;
        let share = 100.0 * self.bytes_per_second / self.copy_bytes_per_second;
        let importance = if self.importance { "with" } else { "-" };
        write!(out, "{:8} {importance:10} {:>10} {millions:>9.1} {share:>6.1} %", self.name, self.weights)?;
        match &self.peer {
            Some(PeerFigures { weights_per_second, ratio, differing_bytes }) => {
                let millions = weights_per_second / 1e6;
                write!(out, " {millions:>9.1} {ratio:>6.2}  {differing_bytes:>15}")?;
            }
            None if has_peer => write!(out, " {:>9} {:>6}  {:>15}", "-", "-", "-")?,
            None => {}
        }
        writeln!(out)
    }
}
