//! briq's encoders against `ggml_quantize_chunk`: the same weights, the same importance, the same bytes.

use std::time::{Duration, Instant};

use anyhow::Result;
use briq_format::TensorType::{self, *};

use crate::claims::Claims;
use crate::data::{DISTRIBUTIONS, IMPORTANCES, Random};
use crate::ggml::Ggml;
use crate::parallel;
use crate::place::Place;

/// The types that are compared.
pub(super) const TYPES: &[TensorType] = &[F16, BF16, Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K, Q6_K];

/// Weights of each distribution; over all of them more than ten million.
const WEIGHTS_PER_DISTRIBUTION: usize = 750_000;

/// Weights handed over at once, about.
const CHUNK_WEIGHTS: usize = 1 << 16;

/// Rows are this many blocks long, in turn. The searches with importance look at whole rows.
const BLOCKS_PER_ROW: [usize; 4] = [1, 3, 11, 16];

struct Job {
    ty: TensorType,
    weighted: bool,
}

struct Figures {
    weights: usize,
    differing_bytes: usize,
    first_difference: Option<String>,
    /// Weights of the timed distribution, and how long each side took for them.
    timed: usize,
    ggml: Duration,
    briq: Duration,
}

/// Compares every type, without importance and with it.
pub(super) fn run(place: &Place) -> Result<()> {
    let ggml = Ggml::load(&place.libraries())?;
    let jobs: Vec<_> =
        TYPES.iter().flat_map(|&ty| [false, true].map(|weighted| Job { ty, weighted })).collect();
    let mut claims = Claims::default();

    println!("type   importance      weights  differing bytes   briq Mw/s   ggml Mw/s  ratio");
    for (job, figures) in jobs.iter().zip(parallel::map(&jobs, |job| compare(&ggml, job))) {
        let figures = figures?;
        let rate = |time: Duration| figures.timed as f64 / time.as_secs_f64() / 1e6;
        let (briq, ggml) = (rate(figures.briq), rate(figures.ggml));
        println!(
            "{:6} {:10} {:12} {:16} {briq:11.1} {ggml:11.1} {:6.2}",
            job.ty.name(),
            if job.weighted { "with" } else { "without" },
            figures.weights,
            figures.differing_bytes,
            briq / ggml
        );
        claims.that(figures.differing_bytes == 0, figures.first_difference.unwrap_or_default());
    }
    println!("(speed: {} rows, a processor per type)", DISTRIBUTIONS[0].0);
    claims.settle()
}

fn compare(ggml: &Ggml, job: &Job) -> Result<Figures> {
    let mut figures = Figures {
        weights: 0,
        differing_bytes: 0,
        first_difference: None,
        timed: 0,
        ggml: Duration::ZERO,
        briq: Duration::ZERO,
    };
    for (kind, (name, fill)) in DISTRIBUTIONS.iter().enumerate() {
        let mut random = Random::new(kind as u64);
        for (chunk, row_elements) in row_lengths(job.ty).into_iter().cycle().enumerate() {
            if chunk * CHUNK_WEIGHTS >= WEIGHTS_PER_DISTRIBUTION {
                break;
            }
            let mut weights = vec![0.0; CHUNK_WEIGHTS.next_multiple_of(row_elements)];
            weights.chunks_exact_mut(row_elements).for_each(|row| fill(&mut random, row));
            let importance = job.weighted.then(|| {
                let mut importance = vec![0.0; row_elements];
                IMPORTANCES[chunk % IMPORTANCES.len()](&mut random, &mut importance);
                importance
            });
            let importance = importance.as_deref();

            let bytes = ggml.row_bytes(job.ty, row_elements)? * (weights.len() / row_elements);
            let (mut expected, mut found) = (vec![0; bytes], vec![0; bytes]);
            let begin = Instant::now();
            ggml.encode(job.ty, &weights, row_elements, importance, &mut expected)?;
            let between = Instant::now();
            briq_codec::encode(job.ty, &weights, row_elements, importance, &mut found)?;
            if kind == 0 {
                figures.timed += weights.len();
                figures.ggml += between - begin;
                figures.briq += between.elapsed();
            }

            figures.weights += weights.len();
            let mut differing = (0..bytes).filter(|&at| expected[at] != found[at]);
            if let Some(first) = differing.next() {
                figures.differing_bytes += 1 + differing.count();
                figures.first_difference.get_or_insert_with(|| {
                    let importance = if job.weighted { "with" } else { "without" };
                    format!(
                        "{} {importance} importance, {name}, chunk {chunk}, rows of {row_elements}: \
                         byte {first} is {}, ggml writes {}",
                        job.ty, found[first], expected[first]
                    )
                });
            }
        }
    }
    Ok(figures)
}

/// The lengths of rows to try; ggml is asked for whole rows of 32 weights even of plain types.
fn row_lengths(ty: TensorType) -> [usize; 4] {
    let block = (ty.block_elements() as usize).max(32);
    BLOCKS_PER_ROW.map(|blocks| blocks * block)
}
