//! What was measured of products with one type, as a line of a table or as JSON.

use std::io::{self, Write};

use briq_format::TensorType;
use serde::Serialize;

use super::data;
use super::products::Size;

/// The figures of one type and size. Rates are those of the best round.
#[derive(Serialize)]
pub(super) struct Line {
    #[serde(rename = "type")]
    name: &'static str,
    /// The cache that holds the weights, where they were chosen for one.
    place: Option<&'static str>,
    /// Rows of a matrix.
    rows: usize,
    /// Matrices that were multiplied one after the other.
    matrices: usize,
    weights_per_second: f64,
    /// Of weights alone.
    bytes_per_second: f64,
    /// Reading the same bytes with as many threads.
    read_bytes_per_second: Option<f64>,
    peer_weights_per_second: Option<f64>,
    /// Ours divided by theirs.
    ratio: Option<f64>,
    /// The largest difference of the products over the largest product.
    difference: Option<f64>,
    /// The most that sums in two orders may make of it, where both sides are given the same activations.
    difference_bound: Option<f64>,
    /// What ggml calls the layout that it packs the weights into; none where they lie as in a file.
    peer_layout: Option<String>,
}

/// The columns that are not in every table.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    /// The speed of reading, and the share of it.
    pub(super) read: bool,
    /// The other side's speed, and what it shows.
    pub(super) peer: bool,
    /// How the weights lie there.
    pub(super) layout: bool,
}

/// What was measured; times are in seconds.
pub(super) struct Measured<'a> {
    pub(super) ty: TensorType,
    pub(super) size: &'a Size,
    /// Of all weights.
    pub(super) bytes: usize,
    /// Vectors that each weight was multiplied with.
    pub(super) batch: usize,
    pub(super) ours: f64,
    /// Reading the weights.
    pub(super) read: Option<f64>,
    pub(super) products: &'a [f32],
    pub(super) theirs: Option<Theirs<'a>>,
}

/// What was measured of the other side.
#[derive(Clone, Copy)]
pub(super) struct Theirs<'a> {
    pub(super) time: f64,
    pub(super) products: &'a [f32],
    /// How far they may be from ours, where both sides are given the same activations.
    pub(super) bound: Option<f64>,
    /// The layout that the weights were packed into.
    pub(super) layout: Option<&'a str>,
}

impl Line {
    /// The figures that follow from what was measured.
    pub(super) fn new(measured: &Measured<'_>) -> Self {
        let &Measured { ty, size, bytes, batch, ours, read, products, theirs } = measured;
        let weights = (bytes / data::row_bytes(ty) * data::ROW * batch) as f64;
        let largest = products.iter().fold(0.0_f32, |largest, product| largest.max(product.abs()));
        let over_largest = |difference: f64| difference / f64::from(largest);
        let difference = |theirs: &[f32]| {
            let differences = products.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs());
            // One that is not a number stays, which the larger of two would not.
            let most = differences
                .fold(0.0_f32, |most, next| if next > most || next.is_nan() { next } else { most });
            over_largest(most.into())
        };
        Self {
            name: ty.name(),
            place: size.place,
            rows: size.rows,
            matrices: size.matrices,
            weights_per_second: weights / ours,
            bytes_per_second: bytes as f64 / ours,
            read_bytes_per_second: read.map(|read| bytes as f64 / read),
            peer_weights_per_second: theirs.map(|theirs| weights / theirs.time),
            ratio: theirs.map(|theirs| theirs.time / ours),
            difference: theirs.map(|theirs| difference(theirs.products)),
            difference_bound: theirs.and_then(|theirs| theirs.bound).map(over_largest),
            peer_layout: theirs.and_then(|theirs| theirs.layout).map(str::to_owned),
        }
    }

    /// The heading of the table.
    pub(super) fn print_heading(out: &mut impl Write, columns: Columns) -> io::Result<()> {
        write!(out, "{:8} {:>8} {:>9} {:>8}", "type", "size", "Mw/s", "GB/s")?;
        if columns.read {
            write!(out, " {:>9} {:>8}", "read GB/s", "of read")?;
        }
        if columns.peer {
            write!(out, " {:>9} {:>6} {:>10}", "peer Mw/s", "ratio", "difference")?;
        }
        if columns.layout {
            write!(out, " {:>10}", "layout")?;
        }
        writeln!(out)
    }

    /// A line of the table.
    pub(super) fn print(&self, out: &mut impl Write, columns: Columns) -> io::Result<()> {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        write!(
            out,
            "{:8} {:>8} {:>9.1} {:>8.2}",
            self.name,
            self.place.map_or_else(|| self.rows.to_string(), str::to_owned),
            self.weights_per_second / 1e6,
            self.bytes_per_second / 1e9,
        )?;
        if columns.read {
            let share = |read| format!("{:.1} %", 100.0 * self.bytes_per_second / read);
            write!(
                out,
                " {:>9} {:>8}",
                or_dash(self.read_bytes_per_second.map(|read| format!("{:.2}", read / 1e9))),
                or_dash(self.read_bytes_per_second.map(share)),
            )?;
        }
        if columns.peer {
            write!(
                out,
                " {:>9} {:>6} {:>10}",
                or_dash(self.peer_weights_per_second.map(|rate| format!("{:.1}", rate / 1e6))),
                or_dash(self.ratio.map(|ratio| format!("{ratio:.2}"))),
                or_dash(self.difference.map(|difference| format!("{difference:.0e}"))),
            )?;
        }
        if columns.layout {
            write!(out, " {:>10}", self.peer_layout.as_deref().unwrap_or("plain"))?;
        }
        writeln!(out)
    }
}
