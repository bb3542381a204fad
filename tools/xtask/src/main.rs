//! `cargo x`: the project's own chores.

mod fixtures;
mod fuzz;
mod miri;
mod peers;
mod reliability;
mod root;
mod spec;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own chores.
#[derive(Parser)]
#[command(name = "cargo x")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Write the containers under fixtures/ that tools/fixtures describes and the folder lacks.
    Fixtures {
        /// Write nothing; fail when the folder is not what tools/fixtures describes.
        #[arg(long)]
        check: bool,
    },
    /// Call the libraries with arbitrary bytes, target by target.
    ///
    /// With a nightly compiler, cargo-fuzz and a C++ compiler libFuzzer chooses the bytes; otherwise chance does.
    Fuzz {
        /// How long each target runs, in minutes.
        #[arg(long, default_value_t = 1.0)]
        minutes: f64,
        /// The targets to run; all of them when none is named.
        targets: Vec<String>,
    },
    /// Follow the reader, the writer, the plain encoders and the plain kernels with Miri, which needs a nightly
    /// compiler.
    Miri,
    /// Compare briq with the runtimes that read its files.
    ///
    /// Installs the packages pinned under tools/peers into target/peers, builds briq and runs the checks.
    Peers {
        /// The checks to run; all but `race` and `kernels` when none is named. A name that is none lists those there
        /// are.
        checks: Vec<String>,
        /// Further checkpoints for the check `families`: a folder that holds, for each, a folder with the checkpoint
        /// in `hf/` and what transformers computes with it in `expected.json`.
        #[arg(long, value_name = "DIR")]
        hf: Option<PathBuf>,
    },
    /// Measure reliability: fuzz, judge the corpus, and fail or kill writing at every point.
    Reliability {
        /// How long each fuzz target runs, in minutes; 0 leaves them out.
        #[arg(long, default_value_t = 0.1)]
        minutes: f64,
    },
    /// Write what is made from tables: spec/types.md and the families in the README.
    Spec {
        /// Write nothing; fail when a page is not what it would be written as.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().chore {
        Chore::Fixtures { check } => fixtures::run(check),
        Chore::Fuzz { minutes, targets } => fuzz::run(minutes, &targets),
        Chore::Miri => miri::run(),
        Chore::Peers { checks, hf } => peers::run(&checks, hf.as_deref()),
        Chore::Reliability { minutes } => reliability::run(minutes),
        Chore::Spec { check } => spec::run(check),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A chore has nobody else to tell.
            #[expect(clippy::print_stderr)]
            {
                eprintln!("error: {error:#}");
            }
            ExitCode::FAILURE
        }
    }
}
