//! Dot products, and matrices times vectors, turn by turn with ggml's kernels on the same weights and activations.

use std::hint::black_box;
use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Result;
use briq_codec::{Isa, can_encode};
use briq_format::TensorType;
use briq_kernels::{Activations, Matrix, dot, matmul, matvec, partner};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use super::data;
use crate::args::{Bench, Work};
use crate::commands::{print_json, stdout};
use crate::peer::Kernels;

/// Rounds last so long altogether, for each line.
const TIME: Duration = Duration::from_millis(1000);
const MIN_ROUNDS: usize = 3;

/// A turn of dot products repeats its weights until it lasts about so many bytes: long enough for the clock.
const TURN_BYTES: usize = 16 << 20;

/// Where weights are, and bytes of them that are sure to be there on today's processors.
const PLACES: [(&str, usize); 4] =
    [("L1", 16 << 10), ("L2", 384 << 10), ("L3", 8 << 20), ("memory", 192 << 20)];

/// Rows of matrices: those of a feed-forward layer, and more than caches hold.
const ROWS: [usize; 2] = [14_336, 57_344];

#[derive(Serialize)]
struct Line {
    #[serde(rename = "type")]
    name: &'static str,
    /// The cache that holds the weights, or the rows of the matrix.
    place: String,
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
}

/// Measures the types, and prints a line for each size.
pub(super) fn run(work: Work, types: &[TensorType], args: &Bench) -> Result<()> {
    let peer =
        args.peer.as_deref().map(|folder| Kernels::load(folder, args.peer_cpu.as_deref())).transpose()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.threads.into()).build()?;
    let mut out = stdout();
    if !args.json {
        let against = peer.as_ref().map(|peer| format!(", against {}", peer.name())).unwrap_or_default();
        let plural = if args.threads == 1 { "" } else { "s" };
        writeln!(out, "{}, {} thread{plural}{against}, best of the rounds", Isa::best(), args.threads)?;
        writeln!(
            out,
            "{:8} {:>8} {:>9} {:>8} {:>8} {:>9} {:>6} {:>10}",
            "type", "size", "Mw/s", "GB/s", "of read", "peer Mw/s", "ratio", "difference"
        )?;
        out.flush()?;
    }
    let mut lines = Vec::new();
    for &ty in types {
        let sizes: Vec<(String, usize)> = match work {
            Work::Dot => PLACES
                .iter()
                .map(|&(name, bytes)| (name.to_owned(), (bytes / data::row_bytes(ty)).max(1)))
                .collect(),
            Work::Matmul => vec![(ROWS[0].to_string(), ROWS[0])],
            _ => ROWS.map(|rows| (rows.to_string(), rows)).into(),
        };
        for (place, rows) in sizes {
            let weights = weights(ty, rows)?;
            let peer = peer.as_ref();
            let line = match work {
                Work::Dot => dots(ty, place, &weights, peer)?,
                _ => {
                    let batch = if work == Work::Matmul { args.batch.into() } else { 1 };
                    products(ty, place, &weights, batch, &pool, peer)?
                }
            };
            if !args.json {
                line.print(&mut out)?;
                out.flush()?;
            }
            lines.push(line);
        }
    }
    if args.json {
        print_json(&json!({ "isa": Isa::best().name(), "threads": args.threads, "lines": lines }))?;
    }
    Ok(())
}

/// Rows of ordinary weights, the same few over and over.
fn weights(ty: TensorType, rows: usize) -> Result<Vec<u8>> {
    const PERIOD: usize = 7;
    let row_bytes = data::row_bytes(ty);
    let mut encoded = vec![0; PERIOD * row_bytes];
    if can_encode(ty) {
        let importance = data::importance();
        let importance = briq_codec::needs_importance(ty).then_some(&importance[..]);
        briq_codec::encode(ty, &data::weights(PERIOD), data::ROW, importance, &mut encoded)?;
    }
    let mut weights = Vec::with_capacity(rows * row_bytes);
    encoded.chunks_exact(row_bytes).cycle().take(rows).for_each(|row| weights.extend_from_slice(row));
    Ok(weights)
}

/// Activations: rows of another kind of ordinary weights.
fn activations(count: usize) -> Vec<f32> {
    data::weights(count + count / 7 + 1)
        .chunks_exact(data::ROW)
        .enumerate()
        .filter(|(row, _)| row % 8 != 7)
        .take(count)
        .flat_map(|(_, row)| row.iter().map(|x| 50.0 * x))
        .collect()
}

/// The best times of what is done in turns.
fn race<const N: usize>(mut turns: [&mut dyn FnMut() -> Result<()>; N]) -> Result<[f64; N]> {
    let mut best = [f64::INFINITY; N];
    let begin = Instant::now();
    let mut rounds = 0;
    while rounds < MIN_ROUNDS || begin.elapsed() < TIME {
        for (turn, best) in turns.iter_mut().zip(&mut best) {
            let begin = Instant::now();
            turn()?;
            *best = best.min(begin.elapsed().as_secs_f64());
        }
        rounds += 1;
    }
    Ok(best)
}

/// A row at a time, on this thread.
fn dots(ty: TensorType, place: String, weights: &[u8], peer: Option<&Kernels>) -> Result<Line> {
    let row_bytes = data::row_bytes(ty);
    let rows = weights.len() / row_bytes;
    let x = Activations::encode(partner(ty)?, &activations(1))?;
    let blocks = x.blocks();
    let repeats = (TURN_BYTES / weights.len()).max(1);
    let (mut ours, mut theirs) = (vec![0.0; rows], vec![0.0; rows]);
    let theirs_dot = peer.and_then(|peer| peer.vec_dot(ty));
    let [our_time, their_time] = race([
        &mut || {
            for _ in 0..repeats {
                for (row, product) in weights.chunks_exact(row_bytes).zip(&mut ours) {
                    *product = dot(ty, row, &x)?;
                }
            }
            Ok(())
        },
        &mut || {
            for _ in 0..repeats {
                let Some(peer) = &theirs_dot else { break };
                for (row, product) in weights.chunks_exact(row_bytes).zip(&mut theirs) {
                    *product = peer.dot(data::ROW, row, &blocks)?;
                }
            }
            Ok(())
        },
    ])?;
    let their = theirs_dot.is_some().then_some((their_time / repeats as f64, &theirs[..]));
    Ok(Line::new(ty, place, weights.len(), 1, our_time / repeats as f64, None, &ours, their))
}

/// Bytes that a thread reads at a time.
const PIECE: usize = 1 << 20;

/// All rows with a batch of vectors, on all threads.
fn products(
    ty: TensorType,
    place: String,
    weights: &[u8],
    batch: usize,
    pool: &rayon::ThreadPool,
    peer: Option<&Kernels>,
) -> Result<Line> {
    let matrix = Matrix::new(ty, weights, data::ROW)?;
    let floats = activations(batch);
    let vectors = floats
        .chunks_exact(data::ROW)
        .map(|x| Activations::encode(partner(ty)?, x))
        .collect::<Result<Vec<_>, _>>()?;
    let mut ours = vec![0.0; batch * matrix.rows()];
    let graph = peer
        .map(|peer| peer.graph(ty, weights, data::ROW, &floats, pool.current_num_threads()))
        .transpose()?;
    let mut again = vectors.clone();
    let [our_time, read_time, their_time] = race([
        &mut || {
            // ggml encodes the activations each time; so does a model.
            for (x, floats) in again.iter_mut().zip(floats.chunks_exact(data::ROW)) {
                x.encode_again(floats)?;
            }
            match &again[..] {
                [x] => Ok(matvec(&matrix, x, &mut ours, pool)?),
                batch => Ok(matmul(&matrix, batch, &mut ours, pool)?),
            }
        },
        &mut || {
            if batch == 1 {
                black_box(
                    pool.install(|| weights.par_chunks(PIECE).map(read).reduce(|| 0, u64::wrapping_add)),
                );
            }
            Ok(())
        },
        &mut || graph.as_ref().map_or(Ok(()), |graph| graph.compute()),
    ])?;
    let theirs = graph.as_ref().map(|graph| graph.products()).transpose()?;
    let read_time = (batch == 1).then_some(read_time);
    let their = theirs.as_ref().map(|theirs| (their_time, &theirs[..]));
    Ok(Line::new(ty, place, weights.len(), batch, our_time, read_time, &ours, their))
}

/// Reads all bytes, as plain sums do.
fn read(bytes: &[u8]) -> u64 {
    let (words, _) = bytes.as_chunks::<8>();
    words.iter().fold(0, |sum, word| sum.wrapping_add(u64::from_ne_bytes(*word)))
}

impl Line {
    #[expect(clippy::too_many_arguments, reason = "a constructor of figures")]
    fn new(
        ty: TensorType,
        place: String,
        bytes: usize,
        batch: usize,
        ours: f64,
        read: Option<f64>,
        products: &[f32],
        theirs: Option<(f64, &[f32])>,
    ) -> Self {
        let weights = (bytes / data::row_bytes(ty) * data::ROW * batch) as f64;
        let largest = products.iter().fold(0.0_f32, |largest, product| largest.max(product.abs()));
        let difference = |theirs: &[f32]| {
            let pairs = products.iter().zip(theirs);
            let most = pairs.fold(0.0_f32, |most, (ours, theirs)| most.max((ours - theirs).abs()));
            f64::from(most) / f64::from(largest)
        };
        Self {
            name: ty.name(),
            place,
            weights_per_second: weights / ours,
            bytes_per_second: bytes as f64 / ours,
            read_bytes_per_second: read.map(|read| bytes as f64 / read),
            peer_weights_per_second: theirs.map(|(time, _)| weights / time),
            ratio: theirs.map(|(time, _)| time / ours),
            difference: theirs.map(|(_, theirs)| difference(theirs)),
        }
    }

    fn print(&self, out: &mut impl Write) -> Result<()> {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let share =
            self.read_bytes_per_second.map(|read| format!("{:.1} %", 100.0 * self.bytes_per_second / read));
        let peer = self.peer_weights_per_second.map(|rate| format!("{:.1}", rate / 1e6));
        writeln!(
            out,
            "{:8} {:>8} {:>9.1} {:>8.2} {:>8} {:>9} {:>6} {:>10}",
            self.name,
            self.place,
            self.weights_per_second / 1e6,
            self.bytes_per_second / 1e9,
            or_dash(share),
            or_dash(peer),
            or_dash(self.ratio.map(|ratio| format!("{ratio:.2}"))),
            or_dash(self.difference.map(|difference| format!("{difference:.0e}"))),
        )?;
        Ok(())
    }
}
