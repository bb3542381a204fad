//! briq: turn checkpoints into compact GGUF files; check, compare and snapshot them.

mod args;
mod commands;
mod destination;
mod exit;
mod interrupt;
mod json;
mod memory;
mod output;
mod patient;
mod peer;
mod progress;
mod stalled;
mod threads;
mod words;

use std::process::ExitCode;

use briq_codec::Isa;
use briq_convert::Error;
use clap::Parser;

use args::{Args, Command};
use exit::Outcome;

fn main() -> ExitCode {
    match Args::try_parse() {
        Ok(args) => exit::report(run(&args.command)),
        Err(instead) => exit::without_a_command(&instead),
    }
}

fn run(command: &Command) -> anyhow::Result<Outcome> {
    Isa::forced().map_err(Error::usage)?;
    match command {
        Command::Convert(args) => commands::convert::run(args),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Verify(args) => commands::verify::run(args),
        Command::Hash(args) => commands::hash::run(args),
        Command::Snapshot(args) => commands::snapshot::run(args),
        Command::Imatrix(args) => commands::imatrix::run(args),
        Command::Bench(args) => commands::bench::run(args),
        Command::Types(args) => commands::types::run(args),
        Command::Completions(args) => commands::completions::run(args),
    }
}
