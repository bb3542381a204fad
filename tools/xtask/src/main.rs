//! `cargo x`: the project's own chores.

mod peers;
mod root;
mod spec;

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
    /// Compare briq with the runtimes that read its files.
    ///
    /// Installs the packages pinned under tools/peers into target/peers, builds briq and runs the checks.
    Peers {
        /// The checks to run; all but `race` when none is named. A name that is none lists those there are.
        checks: Vec<String>,
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
        Chore::Peers { checks } => peers::run(&checks),
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
