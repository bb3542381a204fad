//! Runs targets on any compiler: every seed as it is, then random changes of the seeds.
//!
//! An input that breaks a promise is written to the folder given, under the target's name and its length.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::expect_used)]

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use briq_fuzz::mutate::{Random, mutate};
use briq_fuzz::{TARGETS, Target, target};
use clap::Parser;

/// Run fuzz targets without a fuzzer.
#[derive(Parser)]
struct Arguments {
    /// The targets; all where none is named.
    targets: Vec<String>,
    /// Seconds per target.
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Stop a target after so many executions, and at no time.
    #[arg(long)]
    executions: Option<u64>,
    /// Where random changes start from.
    #[arg(long, default_value_t = 1)]
    random: u64,
    /// Where inputs go that break a promise.
    #[arg(long, default_value = "target/fuzz/found")]
    found: PathBuf,
    /// Files to run the one named target on, instead of anything else.
    #[arg(long, num_args = 1..)]
    input: Vec<PathBuf>,
    /// Print the names of the targets.
    #[arg(long)]
    list: bool,
    /// Write the seeds to a folder per target below this one.
    #[arg(long)]
    write_seeds: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let named = arguments.targets.iter().map(|name| target(name));
    let targets: Vec<&Target> =
        if arguments.targets.is_empty() { TARGETS.iter().collect() } else { named.collect() };
    if arguments.list {
        targets.iter().for_each(|target| println!("{}", target.name));
        return ExitCode::SUCCESS;
    }
    if let Some(folder) = &arguments.write_seeds {
        targets.iter().for_each(|target| write_seeds(target, folder));
        return ExitCode::SUCCESS;
    }
    if !arguments.input.is_empty() {
        for input in &arguments.input {
            let bytes = fs::read(input).expect("the input can be read");
            targets.iter().for_each(|target| (target.run)(&bytes));
        }
        return ExitCode::SUCCESS;
    }
    let mut broken = 0;
    for target in targets {
        let run = run(target, &arguments);
        println!(
            "{:18} {:>12} executions {:>3} broken, slowest {:.3} s",
            target.name,
            run.executions,
            run.broken,
            run.slowest.as_secs_f64()
        );
        broken += run.broken;
    }
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn write_seeds(target: &Target, folder: &Path) {
    let folder = folder.join(target.name);
    fs::create_dir_all(&folder).expect("the folder can be made");
    for (number, seed) in (target.seeds)().into_iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed).expect("a seed can be written");
    }
}

#[derive(Default)]
struct Run {
    executions: u64,
    broken: u32,
    slowest: Duration,
}

/// Stops at the tenth input that breaks a promise: they seldom have ten causes.
fn run(target: &Target, arguments: &Arguments) -> Run {
    let (seeds, mut random) = ((target.seeds)(), Random::new(arguments.random));
    let (begin, mut run) = (Instant::now(), Run::default());
    let is_over = |run: &Run| match arguments.executions {
        Some(executions) => run.executions >= executions,
        None => begin.elapsed().as_secs_f64() >= arguments.seconds,
    };
    let mut as_they_are = seeds.iter();
    while run.broken < 10 && (as_they_are.len() > 0 || !is_over(&run)) {
        let mut input = as_they_are.next().cloned().unwrap_or_else(|| {
            let mut input = seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
            mutate(&mut input, &seeds, &mut random);
            input
        });
        input.shrink_to_fit();
        let start = Instant::now();
        let is_broken = panic::catch_unwind(|| (target.run)(&input)).is_err();
        run.slowest = run.slowest.max(start.elapsed());
        run.executions += 1;
        if is_broken {
            run.broken += 1;
            keep(target, &input, &arguments.found);
        }
    }
    run
}

fn keep(target: &Target, input: &[u8], folder: &Path) {
    fs::create_dir_all(folder).expect("the folder can be made");
    let mut number = 0;
    let path = loop {
        let path = folder.join(format!("{}-{}-{number}", target.name, input.len()));
        if !path.exists() {
            break path;
        }
        number += 1;
    };
    fs::write(&path, input).expect("an input can be written");
    eprintln!("{}: an input that breaks a promise is in {}", target.name, path.display());
}
