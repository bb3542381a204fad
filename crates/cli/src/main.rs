//! briq: turn checkpoints into compact GGUF files; check, compare and snapshot them.

mod args;
mod commands;
mod exit;
mod interrupt;
mod json;
mod peer;
mod progress;
mod words;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Convert(args) => commands::convert::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Verify(args) => commands::verify::run(&args),
        Command::Hash(args) => commands::hash::run(&args),
        Command::Snapshot(args) => commands::snapshot::run(&args),
        Command::Imatrix(args) => commands::imatrix::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Types(args) => commands::types::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
    };
    exit::report(done)
}
