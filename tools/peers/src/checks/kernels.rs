//! Products of matrices by briq, ggml and candle, side by side.
//!
//! candle is linked into this program, ggml's library is loaded by `briq bench`, which is started for each line: either
//! way the other side takes turns with briq in one process, on the same blocks and the same activations. Times are
//! shown and not judged: what else the machine does is in them. What is judged is that all get the same products.
//! All types are held to ggml's by the check `dot`.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use briq_format::TensorType::{self, *};
use briq_kernels::{Activations, Matrix, matmul, partner};
use candle_core::quantized::{GgmlDType, QMatMul, ggml_file::qtensor_from_ggml};
use candle_core::{Device, Module, Tensor};
use rayon::ThreadPool;
use serde::Deserialize;
use serde_json::Value;

use super::run::relative_rms;
use crate::briq::finish;
use crate::claims::Claims;
use crate::data::Random;
use crate::place::Place;

/// The types that candle multiplies with, by its names.
const TYPES: [(TensorType, GgmlDType); 13] = [
    (F32, GgmlDType::F32),
    (F16, GgmlDType::F16),
    (BF16, GgmlDType::BF16),
    (Q4_0, GgmlDType::Q4_0),
    (Q4_1, GgmlDType::Q4_1),
    (Q5_0, GgmlDType::Q5_0),
    (Q5_1, GgmlDType::Q5_1),
    (Q8_0, GgmlDType::Q8_0),
    (Q2_K, GgmlDType::Q2K),
    (Q3_K, GgmlDType::Q3K),
    (Q4_K, GgmlDType::Q4K),
    (Q5_K, GgmlDType::Q5K),
    (Q6_K, GgmlDType::Q6K),
];

/// The matrix of a feed-forward layer, as `briq bench` has it.
const ROWS: usize = 14_336;
const ROW: usize = 4096;

/// A token, and a prompt.
const BATCHES: [usize; 2] = [1, 64];

/// Turns that each side has.
const ROUNDS: usize = 5;

/// Largest relative RMS between products, whose sums are in another order. Where weights are floats, candle leaves
/// activations in single precision, and here they are rounded to 11 bits, or to 8; those of Q4_1 and Q5_1 come with
/// sums that are rounded to 11 bits; and candle gives those of Q8_0 one scale for 256 instead of one for 32.
fn bound(ty: TensorType) -> f64 {
    match ty {
        BF16 => 5e-3,
        Q4_1 | Q5_1 => 2e-3,
        Q8_0 => 2e-2,
        _ => 1e-3,
    }
}

/// Largest difference from ggml's products over the largest of them. Of the same activations it is what orders of sums
/// make, a millionth. Here ggml encodes them itself: where it rounds one that is between two codes to the other side, a
/// product changes by a step times a weight, which is half a thousandth of the largest product; and in its layout for
/// AMX it leaves those of F16 in single precision, which here are rounded to 11 bits.
const FROM_GGML: f64 = 1e-3;

/// The comparison, for all types that candle has.
pub(super) fn run(place: &Place) -> Result<()> {
    compare(place, &TYPES)
}

/// For two of them, one of floats and one of blocks.
pub(super) fn run_small(place: &Place) -> Result<()> {
    let small: Vec<_> = TYPES.into_iter().filter(|(ty, _)| matches!(ty, F16 | Q4_K)).collect();
    compare(place, &small)
}

fn compare(place: &Place, types: &[(TensorType, GgmlDType)]) -> Result<()> {
    let threads = candle_core::utils::get_num_threads();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let mut claims = Claims::default();
    println!("{ROWS} rows of {ROW}, {threads} threads each; ratios are briq's rate over the other's");
    println!(
        "type   batch  briq Mw/s  over ggml  its layout  difference  over candle  relative RMS to candle"
    );
    for &(ty, theirs) in types {
        for batch in BATCHES {
            let OverGgml { ratio, difference, layout } = over_ggml(place, ty, batch, threads)?;
            let layout = layout.as_deref().unwrap_or("plain");
            let Found { rate, over_candle, apart } = with_candle(ty, theirs, batch, &pool)?;
            print!("{:6} {batch:5}  {:9.0}  {ratio:9.2}  {layout:>10}  ", ty.name(), rate / 1e6);
            println!("{difference:10.1e}  {over_candle:11.2}  {apart:22.1e}");
            claims.that(
                difference <= FROM_GGML,
                format_args!("{ty}, {batch} vectors: {difference:.1e} of the largest product from ggml's"),
            );
            claims.that(apart <= bound(ty), format_args!("{ty}, {batch} vectors: relative RMS {apart:.1e}"));
        }
    }
    claims.settle()
}

/// What came of the turns with ggml.
#[derive(Deserialize)]
struct OverGgml {
    /// briq's rate over ggml's.
    ratio: f64,
    /// The largest difference of the products over the largest product.
    difference: f64,
    /// The layout that ggml packs the weights into, if it does.
    #[serde(rename = "peer_layout")]
    layout: Option<String>,
}

/// Lets `briq bench` take turns with ggml.
fn over_ggml(place: &Place, ty: TensorType, batch: usize, threads: usize) -> Result<OverGgml> {
    let mut command = Command::new(&place.briq);
    match batch {
        1 => command.args(["bench", "matvec"]),
        _ => command.args(["bench", "matmul", "--batch", &batch.to_string()]),
    };
    command.args(["--json", "--type", ty.name(), "--weights", &(ROWS * ROW).to_string()]);
    command.args(["--threads", &threads.to_string(), "--peer"]).arg(place.libraries());
    let mut report: Value = serde_json::from_str(&finish(&mut command)?)?;
    serde_json::from_value(report["lines"][0].take()).context("what briq says of ggml")
}

/// What came of the turns with candle.
struct Found {
    /// Weights times vectors per second.
    rate: f64,
    over_candle: f64,
    /// Relative RMS of the products.
    apart: f64,
}

/// Takes turns with candle, which encodes the activations each time; so does briq.
fn with_candle(ty: TensorType, theirs: GgmlDType, batch: usize, pool: &ThreadPool) -> Result<Found> {
    let mut random = Random::new(1);
    let mut gaussian = |count: usize| (0..count).map(|_| random.gaussian()).collect::<Vec<_>>();
    let mut blocks = vec![0; ty.row_bytes(ROW as u64).context("whole blocks")? as usize * 8];
    briq_codec::encode(ty, &gaussian(8 * ROW), ROW, None, &mut blocks)?;
    let blocks = blocks.repeat(ROWS / 8);
    let activations = gaussian(batch * ROW);

    let matrix = Matrix::new(ty, &blocks, ROW)?;
    let candle = QMatMul::from_qtensor(qtensor_from_ggml(theirs, &blocks, vec![ROWS, ROW], &Device::Cpu)?)?;
    let input = Tensor::from_slice(&activations, (batch, ROW), &Device::Cpu)?;
    let mut encoded = vec![Activations::encode(partner(ty)?, &activations[..ROW])?; batch];
    let mut products = vec![0.0; batch * ROWS];
    let (mut best, mut their_best) = (f64::INFINITY, f64::INFINITY);
    let mut output = candle.forward(&input)?;
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        for (encoded, activations) in encoded.iter_mut().zip(activations.chunks_exact(ROW)) {
            encoded.encode_again(activations)?;
        }
        matmul(&matrix, &encoded, &mut products, pool)?;
        best = best.min(begin.elapsed().as_secs_f64());
        let begin = Instant::now();
        output = candle.forward(&input)?;
        their_best = their_best.min(begin.elapsed().as_secs_f64());
    }
    let output = output.flatten_all()?.to_vec1::<f32>()?;
    Ok(Found {
        rate: (batch * ROWS * ROW) as f64 / best,
        over_candle: their_best / best,
        apart: relative_rms(&products, &output),
    })
}
