//! Dot products, and matrices times vectors, turn by turn with ggml's kernels on the same weights and activations.

use std::hint::black_box;
use std::io::Write;
use std::ops::Deref;
use std::time::{Duration, Instant};

use anyhow::Result;
use briq_codec::can_encode;
use briq_format::TensorType;
use briq_format::wire::DEFAULT_ALIGNMENT;
use briq_kernels::{Activations, Matrix, bound, dot, matmul, matvec, partner, read_through};
use rayon::prelude::*;
use serde::Serialize;

use super::line::{Columns, Line, Measured, Theirs};
use super::setup::Setup;
use super::{data, memory};
use crate::args::bench::{Bench, Work};
use crate::commands::{print_json, stdout};
use crate::peer::{Graph, Kernels};

/// Rounds last so long altogether, for each line.
const TIME: Duration = Duration::from_millis(1000);
const MIN_ROUNDS: usize = 3;

/// As many where all weights come from memory: a turn takes long then, other users of the memory disturb most of them,
/// and of several ways to read the best one counts.
const MIN_ROUNDS_OF_MEMORY: usize = 10;

/// A turn of dot products repeats its weights until it lasts about so many bytes: long enough for the clock.
const TURN_BYTES: usize = 16 << 20;

/// The caches that hold weights, and bytes of them that are sure to be there on today's processors.
const CACHES: [(&str, usize); 3] = [("L1", 16 << 10), ("L2", 384 << 10), ("L3", 8 << 20)];

/// Rows of matrices: those of a feed-forward layer, and four times as many.
const ROWS: [usize; 2] = [14_336, 57_344];

/// Measures the types, and prints a line for each size.
pub(super) fn run(mut setup: Setup, types: &[TensorType], args: &Bench) -> Result<()> {
    let peer =
        args.peer.as_deref().map(|folder| Kernels::load(folder, args.peer_cpu.as_deref())).transpose()?;
    setup.peer = peer.as_ref().map(Kernels::name);
    let columns = Columns {
        read: setup.work() == Work::Matvec,
        peer: peer.is_some(),
        layout: peer.is_some() && setup.work() != Work::Dot,
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(setup.threads.into()).build()?;
    let mut out = stdout();
    if !args.json {
        writeln!(out, "{}", setup.heading())?;
        Line::print_heading(&mut out, columns)?;
        out.flush()?;
    }
    let mut lines = Vec::new();
    for &ty in types {
        for size in sizes(&setup, ty, args.weights) {
            let weights = weights(ty, size.matrices * size.rows)?;
            let peer = peer.as_ref();
            let line = match setup.work() {
                Work::Dot => dots(ty, &size, &weights, peer)?,
                _ => products(ty, &size, &weights, &setup, &pool, peer)?,
            };
            if !args.json {
                line.print(&mut out, columns)?;
                out.flush()?;
            }
            lines.push(line);
        }
    }
    if args.json {
        print_json(&Report { setup: &setup, lines: &lines })?;
    }
    Ok(())
}

/// All that was measured.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    setup: &'a Setup,
    lines: &'a [Line],
}

/// What is multiplied for a line.
pub(super) struct Size {
    /// The cache that holds the weights, where they were chosen for one.
    pub(super) place: Option<&'static str>,
    /// Rows of a matrix.
    pub(super) rows: usize,
    /// Matrices that are multiplied one after the other.
    pub(super) matrices: usize,
}

/// The lines of a type; one, if the command line names a number of weights.
fn sizes(setup: &Setup, ty: TensorType, weights: Option<u32>) -> Vec<Size> {
    let of_rows = |rows, matrices| Size { place: None, rows, matrices };
    if let Some(weights) = weights {
        return vec![of_rows((weights as usize).div_ceil(data::ROW), 1)];
    }
    let memory = setup.memory_bytes.unwrap_or(0);
    let place = |(name, bytes)| Size {
        place: Some(name),
        rows: usize::max(bytes / data::row_bytes(ty), 1),
        matrices: 1,
    };
    // A vector is multiplied with as many matrices, one after the other like the layers of a model: a single one might
    // stay in the last cache from round to round.
    let layers = |rows: usize| of_rows(rows, memory.div_ceil(rows * data::row_bytes(ty)));
    match setup.work() {
        Work::Dot => CACHES.into_iter().chain([("memory", memory)]).map(place).collect(),
        Work::Matmul => vec![of_rows(ROWS[0], 1)],
        _ => ROWS.map(layers).into(),
    }
}

/// Blocks that begin where those of a tensor in a mapped file may begin.
struct Blocks {
    bytes: Vec<u8>,
    start: usize,
}

impl Blocks {
    fn with_room_for(bytes: usize) -> Self {
        const ALIGNMENT: usize = DEFAULT_ALIGNMENT as usize;
        let mut room = Vec::<u8>::with_capacity(bytes + ALIGNMENT);
        let start = room.as_ptr().addr().next_multiple_of(ALIGNMENT) - room.as_ptr().addr();
        room.resize(start, 0);
        Self { bytes: room, start }
    }
}

impl Deref for Blocks {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

/// Rows that differ.
const DISTINCT_ROWS: usize = 7;

/// Rows of ordinary weights, the same few over and over.
fn weights(ty: TensorType, rows: usize) -> Result<Blocks> {
    let row_bytes = data::row_bytes(ty);
    let mut encoded = vec![0; DISTINCT_ROWS * row_bytes];
    if can_encode(ty) {
        let importance = data::importance();
        let importance = briq_codec::needs_importance(ty).then_some(&importance[..]);
        briq_codec::encode(ty, &data::weights(DISTINCT_ROWS), data::ROW, importance, &mut encoded)?;
    }
    let mut weights = Blocks::with_room_for(rows * row_bytes);
    encoded.chunks_exact(row_bytes).cycle().take(rows).for_each(|row| weights.bytes.extend_from_slice(row));
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

/// The best times of what is done in turns, in some rounds at least.
fn race<const N: usize>(
    min_rounds: usize,
    mut turns: [&mut dyn FnMut() -> Result<()>; N],
) -> Result<[f64; N]> {
    let mut best = [f64::INFINITY; N];
    let begin = Instant::now();
    let mut rounds = 0;
    while rounds < min_rounds || begin.elapsed() < TIME {
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
fn dots(ty: TensorType, size: &Size, weights: &[u8], peer: Option<&Kernels>) -> Result<Line> {
    let row_bytes = data::row_bytes(ty);
    let rows = weights.len() / row_bytes;
    let x = Activations::encode(partner(ty)?, &activations(1))?;
    let blocks = x.blocks();
    let repeats = (TURN_BYTES / weights.len()).max(1);
    let (mut ours, mut theirs) = (vec![0.0; rows], vec![0.0; rows]);
    let theirs_dot = peer.map(|peer| peer.vec_dot(ty, data::ROW)).transpose()?.flatten();
    let [our_time, their_time] = race(
        MIN_ROUNDS,
        [
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
                        *product = peer.dot(row, &blocks)?;
                    }
                }
                Ok(())
            },
        ],
    )?;
    let bound = theirs_dot.map(|_| farthest(ty, weights, &x)).transpose()?;
    let theirs = bound.map(|bound| Theirs {
        time: their_time / repeats as f64,
        products: &theirs,
        bound: Some(bound),
        layout: None,
    });
    let measured = Measured {
        ty,
        size,
        bytes: weights.len(),
        batch: 1,
        ours: our_time / repeats as f64,
        read: None,
        products: &ours,
        theirs,
    };
    Ok(Line::new(&measured))
}

/// How far the products of two kernels may be apart: each is from the definition as far as ours may be, whose count of
/// roundings leaves room for any order of lanes.
fn farthest(ty: TensorType, weights: &[u8], x: &Activations) -> Result<f64> {
    let rows = weights.chunks_exact(data::row_bytes(ty)).take(DISTINCT_ROWS);
    let bounds = rows.map(|row| bound(ty, row, x)).collect::<Result<Vec<_>, _>>()?;
    Ok(2.0 * bounds.into_iter().fold(0.0, f64::max))
}

/// Bytes that a thread reads at a time, as kernels do.
const PIECE: usize = 1 << 20;

/// All rows of each matrix with a batch of vectors, on all threads.
fn products(
    ty: TensorType,
    size: &Size,
    weights: &[u8],
    setup: &Setup,
    pool: &rayon::ThreadPool,
    peer: Option<&Kernels>,
) -> Result<Line> {
    let (threads, batch) = (pool.current_num_threads(), setup.batch.unwrap_or(1).into());
    let reads = setup.work() == Work::Matvec;
    let each = || weights.chunks_exact(weights.len() / size.matrices);
    let matrices = each().map(|bytes| Matrix::new(ty, bytes, data::ROW)).collect::<Result<Vec<_>, _>>()?;
    let floats = activations(batch);
    let mut vectors = floats
        .chunks_exact(data::ROW)
        .map(|x| Activations::encode(partner(ty)?, x))
        .collect::<Result<Vec<_>, _>>()?;
    let results = batch * weights.len() / data::row_bytes(ty) / matrices.len();
    let mut ours = vec![0.0; results * matrices.len()];
    let graphs = peer
        .map(|peer| {
            each().map(|bytes| peer.graph(ty, bytes, data::ROW, &floats, threads)).collect::<Result<Vec<_>>>()
        })
        .transpose()?;
    // Which of the ways to read is the fastest is up to the processor.
    let read = |way: fn(&[u8]) -> u64| {
        if reads {
            let pieces = || weights.par_chunks(PIECE).with_max_len(1);
            black_box(pool.install(|| pieces().map(way).reduce(|| 0, u64::wrapping_add)));
        }
        Ok(())
    };
    let min_rounds = if reads { MIN_ROUNDS_OF_MEMORY } else { MIN_ROUNDS };
    let [our_time, read_1, read_4, read_8, read_ahead, their_time] = race(
        min_rounds,
        [
            // Inside the pool, as a model runs whose layers follow each other.
            &mut || {
                pool.install(|| {
                    for (matrix, ours) in matrices.iter().zip(ours.chunks_exact_mut(results)) {
                        // ggml encodes the activations each time; so does a model.
                        let encoded = vectors.par_iter_mut().zip(floats.par_chunks_exact(data::ROW));
                        encoded.try_for_each(|(x, floats)| x.encode_again(floats))?;
                        match &vectors[..] {
                            [x] => matvec(matrix, x, ours, pool)?,
                            batch => matmul(matrix, batch, ours, pool)?,
                        }
                    }
                    Ok(())
                })
            },
            &mut || read(memory::read::<1>),
            &mut || read(memory::read::<4>),
            &mut || read(memory::read::<8>),
            &mut || read(|bytes| read_through(bytes).into()),
            &mut || graphs.iter().flatten().try_for_each(Graph::compute),
        ],
    )?;
    let theirs = graphs.iter().flatten().map(Graph::products).collect::<Result<Vec<_>>>()?.concat();
    // All matrices are of one type and shape, and so of one layout.
    let layout = graphs.iter().flatten().next().and_then(Graph::layout);
    let theirs = graphs.as_ref().map(|_| Theirs { time: their_time, products: &theirs, bound: None, layout });
    let measured = Measured {
        ty,
        size,
        bytes: weights.len(),
        batch,
        ours: our_time,
        read: reads.then_some(read_1.min(read_4).min(read_8).min(read_ahead)),
        products: &ours,
        theirs,
    };
    Ok(Line::new(&measured))
}
