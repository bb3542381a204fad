//! Whole files: a file of bf16 becomes Q4_K_M and IQ4_XS, by briq and by `llama_model_quantize`, in turn.
//!
//! Both have two threads, and find the file in the page cache. Times are shown and not judged: what else the machine
//! does is in them. What is judged is that the tensors of both files hold the same bytes.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use briq_format::Gguf;

use super::files::differing_tensors;
use crate::briq::{Target, convert, convert_command, finish};
use crate::checkpoint::{Size, generate};
use crate::claims::Claims;
use crate::llama::{Llama, THREADS};
use crate::place::Place;

/// A search for scale and minimum, and one for levels.
const TARGETS: [Target; 2] =
    [Target { name: "Q4_K_M", file_type: 15 }, Target { name: "IQ4_XS", file_type: 30 }];

/// Turns that each side has.
const ROUNDS: usize = 2;

/// The race.
pub(super) fn run(place: &Place) -> Result<()> {
    race(place, "race", &Size::MEDIUM, ROUNDS)
}

/// A single round over a short distance.
pub(super) fn run_small(place: &Place) -> Result<()> {
    race(place, "race-short", &Size::SMALL, 1)
}

fn race(place: &Place, name: &str, size: &Size, rounds: usize) -> Result<()> {
    let llama = Llama::load(&place.libraries())?;
    let work = place.work(name)?;
    let checkpoint = work.join("checkpoint");
    let bytes = generate(place, &checkpoint, size, 1)?;
    let source = convert(place, &checkpoint, "BF16", &work)?;
    fs::remove_dir_all(&checkpoint)?;
    ensure!(io::copy(&mut File::open(&source)?, &mut io::sink())? > bytes, "the source is cut short");

    let mut claims = Claims::default();
    println!("{:.1} million weights in BF16, {THREADS} threads each", bytes as f64 / 2e6);
    println!("target   round  briq seconds  llama.cpp seconds  ratio  differing tensors");
    for target in &TARGETS {
        let (ours, theirs) = (work.join("briq.gguf"), work.join("llama.cpp.gguf"));
        let mut best = [Duration::MAX; 2];
        for round in 1..=rounds {
            let times = [
                timed(|| convert_with(place, &source, target, &ours))?,
                timed(|| llama.quantize_file(&source, &theirs, target.file_type))?,
            ];
            let differences = differing_tensors(&Gguf::open(&theirs)?, &Gguf::open(&ours)?);
            print_line(target, &round.to_string(), times, differences.len());
            claims.that(differences.is_empty(), format_args!("{}: {differences:?}", target.name));
            best = [best[0].min(times[0]), best[1].min(times[1])];
            fs::remove_file(&ours)?;
            fs::remove_file(&theirs)?;
        }
        if rounds > 1 {
            print_line(target, "best", best, 0);
        }
    }
    fs::remove_dir_all(&work)?;
    claims.settle()
}

fn print_line(target: &Target, round: &str, times: [Duration; 2], differing: usize) {
    let [ours, theirs] = times.map(|time| time.as_secs_f64());
    let ratio = theirs / ours;
    println!("{:8} {round:5} {ours:13.2} {theirs:18.2} {ratio:6.2} {differing:18}", target.name);
}

/// As a user would, from the start of the process to its end, by when the file is on the disk.
fn convert_with(place: &Place, source: &Path, target: &Target, out: &Path) -> Result<()> {
    let threads = THREADS.to_string();
    finish(convert_command(place, source, target.name, out).args(["--threads", &threads])).map(drop)
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<Duration> {
    let begin = Instant::now();
    work()?;
    Ok(begin.elapsed())
}
