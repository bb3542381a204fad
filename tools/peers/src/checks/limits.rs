//! Measured limits: the memory of a large conversion, whose output depends neither on that nor on threads; its time
//! against a plain copy; and the time of `inspect`.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use briq_format::{FilePlan, MetadataBuf, Shape, TensorSpec, TensorType};

use crate::briq::{convert_command, finish};
use crate::checkpoint::{Size, generate};
use crate::claims::Claims;
use crate::place::Place;

/// Anonymous memory of a conversion stays below this.
const MEMORY_BOUND_MIB: f64 = 256.0;

/// A conversion takes at most this many times as long as copying its input.
const TIME_BOUND: f64 = 4.0;

/// `inspect` of a header of 16 MB takes at most this long, the start of the process included.
const INSPECT_BOUND: Duration = Duration::from_millis(50);

/// Processes that are started for it: on a machine with other work few of them have the processor to themselves.
const INSPECT_ROUNDS: usize = 40;

/// Copies and conversions, in turn.
const ROUNDS: usize = 3;

/// A checkpoint of 1.46 GB, a copy or an output of as many, and some room.
const NEEDED_BYTES: u64 = 3_200_000_000;

/// Shards of the checkpoint that has some.
const SHARDS: usize = 4;

/// Targets that copy, or nearly so: these are held against `cp`.
const TARGETS: [&str; 2] = ["BF16", "Q8_0"];

/// The usual target. It searches, so that its time says nothing about copying; its memory counts.
const SEARCHING_TARGET: &str = "Q4_K_M";

/// Threads and memory of the conversions that have to give one output; the first sets neither.
const SETTINGS: [&[&str]; 8] = [
    &[],
    &["--threads", "1"],
    &["--threads", "2"],
    &["--threads", "8"],
    &["--max-memory", "128MiB"],
    &["--max-memory", "64MiB"],
    &["--max-memory", "64MiB", "--threads", "1"],
    &["--max-memory", "64MiB", "--threads", "8"],
];

/// A tensor of the large checkpoint has at least so many bytes.
const LARGE_TENSOR_BYTES: u64 = 1_000_000_000;

/// How often the memory of a conversion is looked at.
const SAMPLE: Duration = Duration::from_millis(5);

/// Measures everything, and clears the large files away.
pub(super) fn run(place: &Place) -> Result<()> {
    let mut claims = Claims::default();
    let work = place.work("limits")?;
    inspect(place, &work, &mut claims)?;
    let converted = conversions(place, &work, &mut claims);
    fs::remove_dir_all(&work)?;
    converted?;
    claims.settle()
}

fn conversions(place: &Place, work: &Path, claims: &mut Claims) -> Result<()> {
    let free = free_bytes(work)?;
    ensure!(free >= NEEDED_BYTES, "{} has {free} bytes free, and {NEEDED_BYTES} are needed", work.display());
    let size = Size::LARGE;
    let largest = size.largest_tensor_bytes();
    claims.that(largest >= LARGE_TENSOR_BYTES, format_args!("the largest tensor has only {largest} bytes"));

    let mut peak = 0.0f64;
    let mut measure = |round: usize, target: &str, name: &str| -> Result<Duration> {
        let out = work.join("out.gguf");
        let (time, mib) = watched(&mut convert_command(place, &work.join(name), target, &out))?;
        fs::remove_file(&out)?;
        println!("{round:5}  {target:10}  {name:7} {:8.2} {mib:10.1}", time.as_secs_f64());
        peak = peak.max(mib);
        Ok(time)
    };
    // One checkpoint after the other, so that the disk needs room for one.
    let sharded = work.join("sharded");
    let bytes = generate(place, &sharded, &size, SHARDS)?;
    println!(
        "checkpoint of {:.2} GB, one tensor of {:.2} GB, as {SHARDS} shards and as one file",
        bytes as f64 / 1e9,
        largest as f64 / 1e9
    );
    println!("round  what        source   seconds   peak anonymous MiB");
    for target in TARGETS.into_iter().chain([SEARCHING_TARGET]) {
        measure(1, target, "sharded")?;
    }
    fs::remove_dir_all(&sharded)?;

    let single = work.join("single");
    generate(place, &single, &size, 1)?;
    let mut best_copy = Duration::MAX;
    let mut best = [Duration::MAX; TARGETS.len()];
    for round in 1..=ROUNDS {
        let time = copy(&single.join("model.safetensors"), &work.join("copy"))?;
        println!("{round:5}  cp          single  {:8.2}", time.as_secs_f64());
        best_copy = best_copy.min(time);
        for (target, best) in TARGETS.iter().zip(&mut best) {
            *best = measure(round, target, "single")?.min(*best);
        }
    }
    peak = same_output(place, work, &single, claims)?.max(peak);
    claims.that(
        peak < MEMORY_BOUND_MIB,
        format_args!("a conversion held {peak:.1} MiB, allowed are {MEMORY_BOUND_MIB}"),
    );
    for (target, best) in TARGETS.iter().zip(best) {
        let ratio = best.as_secs_f64() / best_copy.as_secs_f64();
        println!(
            "{target}: {ratio:.2} times the time of cp (best of {ROUNDS} each), allowed is {TIME_BOUND}"
        );
        claims.that(ratio <= TIME_BOUND, format_args!("{target} takes {ratio:.2} times as long as cp"));
    }
    Ok(())
}

/// Converts with every setting and compares the outputs; the most anonymous memory of them all, in MiB.
fn same_output(place: &Place, work: &Path, source: &Path, claims: &mut Claims) -> Result<f64> {
    println!("{SEARCHING_TARGET:32}  seconds   peak anonymous MiB  output");
    let (first, out) = (work.join("first.gguf"), work.join("out.gguf"));
    let mut most = 0.0f64;
    for (number, setting) in SETTINGS.into_iter().enumerate() {
        let target = if number == 0 { &first } else { &out };
        let mut command = convert_command(place, source, SEARCHING_TARGET, target);
        let (time, peak) = watched(command.args(setting))?;
        let same = number == 0 || same_bytes(&first, &out)?;
        let (setting, time) = (setting.join(" "), time.as_secs_f64());
        println!("{setting:32} {time:8.2} {peak:20.1}  {}", if same { "the same" } else { "DIFFERENT" });
        claims.that(same, format_args!("another output with {setting}"));
        most = most.max(peak);
        if number > 0 {
            fs::remove_file(&out)?;
        }
    }
    fs::remove_file(&first)?;
    Ok(most)
}

fn same_bytes(a: &Path, b: &Path) -> Result<bool> {
    let status = Command::new("cmp").arg("--silent").args([a, b]).status().context("cannot start cmp")?;
    ensure!(
        status.code().is_some_and(|code| code < 2),
        "cmp cannot compare {} and {}",
        a.display(),
        b.display()
    );
    Ok(status.success())
}

/// Runs a command; how long it took, and the most anonymous memory it was seen to hold, in MiB.
fn watched(command: &mut Command) -> Result<(Duration, f64)> {
    let begin = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().context("cannot start briq")?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0u64;
    let code = loop {
        if let Some(code) = child.try_wait()? {
            break code;
        }
        // Between the end of the process and the next look there is no such line.
        let held = fs::read_to_string(&status).ok().and_then(|text| anonymous_kib(&text));
        peak_kib = peak_kib.max(held.unwrap_or(0));
        sleep(SAMPLE);
    };
    let time = begin.elapsed();
    ensure!(code.success(), "{command:?} ended with {code}");
    ensure!(peak_kib > 0, "the memory of {command:?} was never seen");
    Ok((time, peak_kib as f64 / 1024.0))
}

/// The resident memory that no file stands behind.
fn anonymous_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Copies to a new file until it is on disk, as a conversion does with its output.
fn copy(source: &Path, target: &Path) -> Result<Duration> {
    let begin = Instant::now();
    // A copy that only shares blocks would measure nothing.
    finish(Command::new("cp").arg("--reflink=never").arg(source).arg(target))?;
    File::open(target)?.sync_all()?;
    let time = begin.elapsed();
    fs::remove_file(target)?;
    Ok(time)
}

fn free_bytes(folder: &Path) -> Result<u64> {
    let printed = finish(Command::new("df").args(["--output=avail", "--block-size=1"]).arg(folder))?;
    let last = printed.lines().last().context("df printed nothing")?;
    last.trim().parse().with_context(|| format!("df printed {last:?}"))
}

fn inspect(place: &Place, work: &Path, claims: &mut Claims) -> Result<()> {
    let path = work.join("vocabulary.gguf");
    let header_bytes = write_vocabulary(&path)?;
    let mut best = Duration::MAX;
    for _ in 0..INSPECT_ROUNDS {
        let begin = Instant::now();
        finish(Command::new(&place.briq).arg("inspect").arg(&path))?;
        best = best.min(begin.elapsed());
    }
    println!(
        "inspect of a header of {:.1} MB: {:.1} ms (best of {INSPECT_ROUNDS}), allowed are {:.0}",
        header_bytes as f64 / 1e6,
        best.as_secs_f64() * 1e3,
        INSPECT_BOUND.as_secs_f64() * 1e3
    );
    claims.that(header_bytes >= 16 << 20, format_args!("the header is only {header_bytes} bytes"));
    claims.that(best <= INSPECT_BOUND, format_args!("inspect takes {best:?}"));
    Ok(())
}

/// Writes a file with 262,144 tokens, their scores, types and merges, and a small tensor; the bytes before it.
fn write_vocabulary(path: &Path) -> Result<usize> {
    const TOKENS: usize = 262_144;
    let tokens: Vec<String> = (0..TOKENS).map(|id| format!("token {id:08}")).collect();
    let merges: Vec<String> = (0..TOKENS).map(|id| format!("left{id:08} right{id:08}")).collect();
    let mut metadata = MetadataBuf::new();
    metadata.set("general.architecture", "llama")?;
    metadata.set("tokenizer.ggml.model", "gpt2")?;
    metadata.set("tokenizer.ggml.tokens", tokens)?;
    metadata.set("tokenizer.ggml.scores", vec![0.0f32; TOKENS])?;
    metadata.set("tokenizer.ggml.token_type", vec![1i32; TOKENS])?;
    metadata.set("tokenizer.ggml.merges", merges)?;
    let tensor = TensorSpec::new("output_norm.weight", Shape::new(&[32])?, TensorType::F32)?;
    let tensor_bytes = usize::try_from(tensor.bytes())?;
    let plan = FilePlan::new(&metadata, vec![tensor])?;
    fs::write(path, [plan.head(), &vec![0; tensor_bytes]].concat())?;
    Ok(plan.head().len())
}
